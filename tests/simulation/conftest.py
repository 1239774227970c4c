"""One stage for all tests of a module."""

from collections.abc import AsyncIterator

import pytest

from dvor.audit import audit
from dvor.kernel.config import Settings
from tests.simulation.stage import Stage, open_stage


@pytest.fixture(scope="module")
async def stage(template: Settings) -> AsyncIterator[Stage]:
    """Everything on it is looked at by the audit in the end."""
    async with open_stage(template) as found:
        yield found
        await found.tell_all()
        report = await audit(found.database_urls, patience_seconds=0)
    assert report.clean, [one for found in report.findings for one in found.examples]
