"""What rows look like to others."""

from collections.abc import Sequence
from uuid import UUID

from dvor.contracts.identity import User, UserChanged, UserPage
from dvor.kernel.caller import Role
from dvor.kernel.db import Record
from dvor.kernel.errors import InvalidFields


def roles(row: Record) -> list[Role]:
    """The roles of a row, in their fixed order."""
    held = set(row["roles"])
    return [role for role in Role if role in held]


def is_working_admin(row: Record) -> bool:
    """Whether this person administers the platform now."""
    return Role.ADMIN in roles(row) and not row["blocked"]


def user(row: Record) -> User:
    """A person as they and admins see them."""
    return User(
        id=row["id"],
        email=row["email"],
        name=row["name"],
        roles=tuple(roles(row)),
        language=row["language"],
        phone=row["phone"],
        city=row["city"],
        about=row["about"],
        avatar=row["avatar"],
        blocked=row["blocked"],
        created_at=row["created_at"],
    )


def changed(row: Record) -> UserChanged:
    """The fact that this person changed."""
    return UserChanged(
        user_id=row["id"], name=row["name"], roles=tuple(roles(row)), blocked=row["blocked"]
    )


def place(cursor: str | None) -> UUID | None:
    """Where a page begins. Raises InvalidFields for what was no `next_cursor` of ours."""
    if cursor is None:
        return None
    try:
        return UUID(cursor)
    except ValueError as problem:
        raise InvalidFields(problems={"cursor": "unknown"}) from problem


def page(rows: Sequence[Record], limit: int) -> UserPage:
    """The first `limit` of `rows`, of which there is one more where the list goes on."""
    shown = rows[:limit]
    more = len(rows) > limit
    return UserPage(
        items=tuple(user(row) for row in shown),
        next_cursor=str(shown[-1]["id"]) if more else None,
    )
