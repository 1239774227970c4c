"""Every moment that is listed exists in the code, and every moment of the code is listed."""

import ast
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dvor.contracts.catalog import Catalog
from dvor.contracts.identity import Identity
from dvor.contracts.inventory import Inventory
from dvor.contracts.payments import Payments
from dvor.kernel import points
from dvor.kernel.rpc.contract import methods
from dvor.topology import SERVICES
from tests.crashes.points import (
    CALLS,
    OTHERS,
    POINTS,
    RARE,
    RARE_CALLS,
    RARE_TRANSACTIONS,
    TASKS,
    TRANSACTIONS,
)

SOURCE = Path(points.__file__).parents[1]
STEPPING = ("orders", "payments", "notifications")
"""Services of which every transaction has a name."""
ELSEWHERE = {"notifications.inbox", "notifications.before_ack", "orders.inbox"} | {
    f"orders.{moment}" for moment in ("before_publish", "after_publish", "after_marking")
}
"""Made of a service's name by the kernel."""


def calls(function: str, folder: Path = SOURCE) -> Iterator[tuple[Path, ast.Call]]:
    """Where the code calls something of this name."""
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(function):
                yield path, node


def literals(function: str, place: int = 0) -> set[str]:
    """The plain strings it is called with, at this place."""
    return {
        argument.value
        for _, call in calls(function)
        for argument in call.args[place : place + 1]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    }


def handed_on() -> set[str]:
    """Names of transactions that payments gives to whoever opens them."""
    texts = (
        node.value
        for path in (SOURCE / "services/payments").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    return {text for text in texts if re.fullmatch(r"payments\.[a-z_]+", text)}


class TestPoints:
    def test_there_are_enough_and_none_twice(self) -> None:
        assert len(POINTS) >= 40
        assert len(set(POINTS + RARE)) == len(POINTS + RARE)

    def test_every_transaction_with_a_name_is_listed(self) -> None:
        listed = {*TRANSACTIONS, *RARE_TRANSACTIONS} - ELSEWHERE
        assert literals(".tx") | literals("GroupCommit", 1) | handed_on() == listed

    def test_every_transaction_of_an_order_has_a_name(self) -> None:
        for service in STEPPING:
            for path, call in calls(".db.tx", SOURCE / "services" / service):
                assert call.args, f"{path}:{call.lineno} has no name: a crash test cannot get there"

    def test_every_other_moment_is_listed(self) -> None:
        assert literals("points.reached") == set(OTHERS) - ELSEWHERE

    def test_what_is_called_can_be_called(self) -> None:
        contracts = {one.__name__: one for one in (Catalog, Identity, Inventory, Payments)}
        for call in (*CALLS, *RARE_CALLS):
            contract, _, method = call.partition(".")
            assert method in methods(contracts[contract]), call

    def test_every_call_of_the_steps_is_listed(self) -> None:
        names = {"inventory": "Inventory", "payments": "Payments", "catalog": "Catalog"}
        made = set[str]()
        for name in ("steps", "saga", "service", "changes"):
            tree = ast.parse((SOURCE / f"services/orders/{name}.py").read_text())
            for node in ast.walk(tree):
                if isinstance(node, ast.Call):
                    *_, owner, method = ("", *ast.unparse(node.func).split("."))
                    if owner in names:
                        made.add(f"{names[owner]}.{method}")
        assert made <= {*CALLS, *RARE_CALLS}, made - set(CALLS)

    def test_tasks_are_there(self) -> None:
        assert set(TASKS) == {t.name for s in SERVICES if s.name in STEPPING for t in s.tasks}


class TestKilling:
    @pytest.mark.parametrize(("wanted", "lines"), [("b", 1), ("a:2", 2), ("b:2", 3), ("c", 4)])
    def test_happens_at_the_point_and_at_its_turn(self, wanted: str, lines: int) -> None:
        program = (
            "from dvor.kernel import points\n"
            f"points.kill_at({wanted!r})\n"
            "for name in 'abab':\n    points.reached(name)\n    print(name, flush=True)\n"
        )
        environment = {**os.environ, "PYTHONPATH": str(SOURCE.parent)}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, check=False
        )
        assert len(done.stdout.split()) == lines
        assert done.returncode == (-signal.SIGKILL if lines < 4 else 0)

    def test_a_count_of_none_is_refused(self) -> None:
        with pytest.raises(ValueError, match="from 1"):
            points.kill_at("a:0")
