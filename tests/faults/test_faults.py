"""Every server killed and frozen under load, and every process restarted: see runs.py, rolling.py."""

import pytest

from dvor.cli.servers import Missing
from tests import servers
from tests.faults.kinds import FAULTS, HOW, Fault
from tests.faults.rolling import rolling
from tests.faults.runs import AWAY_SECONDS, faults
from tests.faults.stand import PARTS

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(3600)]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_nothing_is_lost_or_doubled(fault: Fault) -> None:
    try:
        found = [one async for one in faults([fault], HOW, AWAY_SECONDS)]
    except Missing as missing:
        servers.without(missing)
    for outcome in found:
        print(outcome.row())
        assert not outcome.problems


async def test_no_request_fails_while_every_process_is_restarted() -> None:
    try:
        made = await rolling([*PARTS, "web"], "kafka")
    except Missing as missing:
        servers.without(missing)
    print(made.table())
    assert made.orders
    assert not made.failed
    assert not made.wrong
