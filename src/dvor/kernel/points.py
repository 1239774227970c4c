"""Named moments of a process: before and after each commit, call, publication, mail.

A crash test kills the process at one of them (`DVOR_KILL_AT=name`, or `name:3` for the third time);
a simulation lets its work be interrupted there. Otherwise `reached` does nothing. Names are made
where things happen: `tx("orders.paid")` passes `orders.paid.before_commit` and
`orders.paid.after_commit`, a call of `Payments.capture` passes `Payments.capture.asked` and
`Payments.capture.answered`. `tests/crashes/points.py` lists them all.
"""

import os
import signal
from collections.abc import Callable

_watching: Callable[[str], None] | None = None


def reached(point: str) -> None:
    """This moment has come."""
    if _watching is not None:
        _watching(point)


def watch(watching: Callable[[str], None] | None) -> None:
    """Call this at every moment from now on; None: nobody is interested any more."""
    global _watching  # noqa: PLW0603 - a process dies as a whole
    _watching = watching


def kill_at(wanted: str) -> None:
    """Kill this process, as if its power were cut, when `wanted` (`name` or `name:n`) is reached.

    Raises ValueError where n is no number from 1 on.
    """
    name, _, number = wanted.partition(":")
    left = int(number or 1)
    if left < 1:
        raise ValueError(f"DVOR_KILL_AT={wanted!r}: count from 1")

    def count(point: str) -> None:
        nonlocal left
        left -= point == name
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    watch(count)
