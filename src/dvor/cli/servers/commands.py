"""What `dvor servers up | down | status` do."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from dvor.cli.problems import Problem
from dvor.cli.servers import KINDS, DidNotStart, Missing, Server


@dataclass(frozen=True)
class State:
    """A server as `status` shows it."""

    name: str
    state: str
    address: str = ""
    version: str = ""
    since: str = ""
    """An instant in ISO 8601, or empty."""
    lack: str = ""
    """Why it cannot be had."""


def chosen(folder: Path, names: Sequence[str]) -> list[Server]:
    """These servers in this folder; no names: all. Raises Problem for an unknown name."""
    unknown = set(names) - {kind.name for kind in KINDS}
    if unknown:
        known = ", ".join(kind.name for kind in KINDS)
        raise Problem(f"there is no server {min(unknown)!r}: it is one of {known}")
    return [kind(folder) for kind in KINDS if not names or kind.name in names]


def up(folder: Path, names: Sequence[str]) -> int:
    """Start them, those that cannot be had left out and named; 1 if one that could did not start,
    or one that was asked for by name cannot be had.
    """
    failed = False
    for server in chosen(folder, names):
        try:
            running = server.start(say=True)
        except (Missing, DidNotStart) as problem:
            failed |= bool(names) or isinstance(problem, DidNotStart)
            print(f"✗ {server.name}: {problem}", flush=True)
        else:
            whose = "" if running.processes else f" (named by {server.variable})"
            print(f"✓ {server.name}: {running.address}{whose}", flush=True)
    return int(failed)


def down(folder: Path, names: Sequence[str]) -> int:
    """End those that were started here."""
    stopped = [server.name for server in reversed(chosen(folder, names)) if server.stop()]
    print(f"Stopped: {', '.join(stopped)}" if stopped else "Nothing was running.")
    return 0


def status(folder: Path, names: Sequence[str], *, as_json: bool) -> int:
    """Tell of each how it is."""
    states = [state_of(server) for server in chosen(folder, names)]
    if as_json:
        print(json.dumps([asdict(state) for state in states], indent=1))
        return 0
    table = Table(box=None, pad_edge=False)
    for title in ("name", "state", "address", "version", "since"):
        table.add_column(title, overflow="fold")  # an address that is cut is of no use
    for state in states:
        since = state.since and _ago(datetime.fromisoformat(state.since))
        table.add_row(state.name, state.state, state.address, state.version, since)
    Console(soft_wrap=True, highlight=False).print(table)
    for state in states:
        if state.lack:
            print(f"\n{state.lack}")
    return 0


def state_of(server: Server) -> State:
    """How a server is now; it is asked in its own protocol."""
    if (given := server.given()) is not None:
        return State(server.name, f"named by {server.variable}", given.address)
    if (found := server.found()) is not None:
        answers = server.is_ready(found.ports or {})
        since = found.since.isoformat(timespec="seconds") if found.since else ""
        state = "running" if answers else "does not answer"
        return State(server.name, state, found.address, found.version, since)
    if server.is_installed():
        return State(server.name, "stopped", version=server.version())
    if lack := server.lack():
        return State(server.name, "cannot be had", lack=lack)
    return State(server.name, "not installed; `up` does it")


def _ago(since: datetime) -> str:
    minutes = int((datetime.now(UTC) - since).total_seconds() // 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // 1440} days"
