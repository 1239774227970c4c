"""A plugin of pytest: what DVOR_SABOTAGE names is planted before anything else is imported.

Where a test notices, which may be the audit after it, its name is written to DVOR_SABOTAGE_NOTICED.
A fixture that cannot be set up has noticed nothing: it is broken itself.
"""

import os
from pathlib import Path

import pytest

from tests.sabotage import plant

plant(name for name in [os.environ["DVOR_SABOTAGE"]] if name)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed and report.when != "setup":
        with Path(os.environ["DVOR_SABOTAGE_NOTICED"]).open("a") as noticed:
            print(report.when, report.nodeid, file=noticed)
