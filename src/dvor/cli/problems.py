"""What stops a command: told in one line that says what to do."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn


class Problem(RuntimeError):
    """Something outside the program must change first. The message is for a person."""


def fail(text: str, code: int = 1) -> NoReturn:
    """End the program with one line on stderr."""
    print(f"dvor: {text}", file=sys.stderr)
    raise SystemExit(code)


@contextmanager
def told_in_one_line() -> Iterator[None]:
    """Within this block what a person can mend ends the program with one line, code 1."""
    try:
        yield
    except KeyboardInterrupt:
        fail("interrupted", 130)
    except RuntimeError as problem:
        if not isinstance(problem, _known()):
            raise
        fail(str(problem))
    except ValueError as problem:
        from dvor.kernel.config import BadConfiguration

        if not isinstance(problem, BadConfiguration):
            raise
        fail(str(problem))


def _known() -> tuple[type[Exception], ...]:
    # Looked up late: these modules load libraries, and most commands never fail.
    from dvor.kernel.migrations import MigrationProblem
    from dvor.kernel.postgres import PostgresProblem

    return (Problem, MigrationProblem, PostgresProblem)
