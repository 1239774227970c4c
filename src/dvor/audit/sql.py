"""Checks that one database answers alone, and reading large tables page by page."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from dvor.audit.report import Check, Look

PAGE = 5000
"""Rows read at once by checks that compare two databases."""

MOST = 10_000
"""Violations counted; beyond this the exact number says nothing more."""


def sql_check(check_id: str, sentence: str, database: str, examined: str, wrong: str) -> Check:
    """A check in SQL: `examined` counts, `wrong` gives the columns `what` and `how`."""

    async def look(databases: Mapping[str, Any]) -> Look:
        return await sql_look(databases[database], examined, wrong)

    return Check(check_id, sentence, (database,), look)


async def sql_look(connection: Any, examined: str, wrong: str) -> Look:
    """Ask one database."""
    rows = await connection.fetch(f"SELECT what, how FROM ({wrong}) AS found LIMIT {MOST}")
    return Look(
        examined=await connection.fetchval(examined),
        violations={str(row["what"]): str(row["how"]) for row in rows},
    )


async def pages(connection: Any, sql: str) -> AsyncIterator[Sequence[Any]]:
    """Rows of `sql` by growing `id`; it takes the last id seen as $1 and the page's size as $2."""
    last = UUID(int=0)
    while rows := await connection.fetch(sql, last, PAGE):
        yield rows
        last = rows[-1]["id"]
