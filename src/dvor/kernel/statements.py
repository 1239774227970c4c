"""What PostgreSQL is asked, as traces show it: by the name of the function that asks.

Never with its text or its values. Only connections of processes that take traces are of this class.
"""

import sys
from typing import Any

from dvor.kernel import telemetry

_THROUGH = ("asyncpg", "contextlib", "dvor.kernel.db", "dvor.kernel.statements")
"""Modules that only pass on what others ask."""
_FRAMES_MAX = 16
_TRANSACTION = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE")


def shown(connection: type[Any], database: str) -> type[Any]:
    """The class of connections whose statements are steps of a trace."""

    def step(method: str) -> Any:
        ask = getattr(connection, method)

        async def asked(self: Any, sql: str, *args: Any, **options: Any) -> Any:
            with telemetry.statement(_name(sql, method), database):
                return await ask(self, sql, *args, **options)

        return asked

    methods = ("fetch", "fetchrow", "fetchval", "execute", "executemany", "copy_to_table")
    return type("ShownConnection", (connection,), {name: step(name) for name in methods})


def _name(sql: str, method: str) -> str:
    verb = sql.lstrip()[:9].split(" ")[0].rstrip(";").upper()
    if verb in _TRANSACTION:
        return verb
    frame: Any = sys._getframe(1)  # noqa: SLF001 - who asks stands nowhere else
    for _ in range(_FRAMES_MAX):
        if frame is None:
            break
        module: str = frame.f_globals.get("__name__", "")
        if not module.startswith(_THROUGH):
            short = module.removeprefix("dvor.").removeprefix("services.")
            return f"{short}.{frame.f_code.co_name}"
        frame = frame.f_back
    return method
