"""How a benchmark says what it found."""

import json
import sys
from collections.abc import Callable
from typing import Any


def report(found: dict[str, Any], show: Callable[[dict[str, Any]], None], *, as_json: bool) -> None:
    """A table for people, or JSON for programs."""
    if as_json:
        json.dump(found, sys.stdout, indent=1)
        print()
    else:
        show(found)
