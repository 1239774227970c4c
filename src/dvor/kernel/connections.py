"""What queries are given."""

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from dvor.kernel.db import Record


class Connection(Protocol):
    """What queries need: a transaction or, for single statements, a database."""

    async def fetch(self, sql: str, *args: Any) -> "list[Record]":
        """All rows."""
        ...

    async def fetchrow(self, sql: str, *args: Any) -> "Record | None":
        """The first row."""
        ...

    async def fetchval(self, sql: str, *args: Any) -> Any:
        """The first value of the first row."""
        ...

    async def execute(self, sql: str, *args: Any) -> int:
        """Run a statement; answers how many rows it changed."""
        ...
