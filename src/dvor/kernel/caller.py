"""Who is asking: the person, the service in between, the language, the key and the deadline.

Travels in a context variable inside a process and as signed metadata between processes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from dvor.kernel.errors import Forbidden, Unauthenticated
from dvor.kernel.ids import derived, new
from dvor.kernel.messages import Message


class Role(StrEnum):
    """What a person may do."""

    CUSTOMER = "customer"
    SELLER = "seller"
    ADMIN = "admin"


Language = Annotated[str, Field(pattern="^(ru|en)$")]


class Caller(Message):
    """Who is asking. `service` is the part of Dvor that asks, `user_id` the person it asks for."""

    user_id: UUID | None = None
    roles: tuple[Role, ...] = ()
    language: Language = "en"
    session_id: UUID | None = None
    service: str = ""
    """Name of the calling service, `web` for pages; empty for outside clients."""
    key: UUID | None = None
    """The idempotency key of the request: makes a repeated request the same request."""

    def is_admin(self) -> bool:
        """Whether this person administers the platform."""
        return Role.ADMIN in self.roles


ANONYMOUS = Caller()
_current: ContextVar[Caller] = ContextVar("caller", default=ANONYMOUS)


def current() -> Caller:
    """Who is asking now."""
    return _current.get()


def enter(caller: Caller) -> Token[Caller]:
    """Until `leave`, `caller` is the one who asks: `asking` for paths where each microsecond counts."""
    return _current.set(caller)


def leave(token: Token[Caller]) -> None:
    """Whoever asked before `enter` asks again."""
    _current.reset(token)


@contextmanager
def asking(caller: Caller) -> Iterator[Caller]:
    """Within this block `caller` is the one who asks."""
    token = enter(caller)
    try:
        yield caller
    finally:
        leave(token)


def keyed(key: UUID | None) -> Caller:
    """Who is asking now, with the key of their request."""
    return Caller.trusted(**(_current.get().__dict__ | {"key": key}))


def require_user() -> UUID:
    """The signed-in person. Raises Unauthenticated for strangers."""
    user = current().user_id
    if user is None:
        raise Unauthenticated
    return user


def require_role(role: Role) -> UUID:
    """The signed-in person, who must have this role (admins may do what sellers may)."""
    user = require_user()
    roles = current().roles
    if role not in roles and not (role is Role.SELLER and Role.ADMIN in roles):
        raise Forbidden
    return user


def require_service(*names: str) -> str:
    """The calling service, which must be one of `names`: for what no outsider may call."""
    service = current().service
    if service not in names:
        raise Forbidden
    return service


def caller_key(*parts: object) -> UUID:
    """The identifier of what a request creates: the same request gets the same identifier.

    Without an idempotency key every call creates something new.
    """
    caller = current()
    if caller.key is None:
        return new()
    return derived(caller.user_id, caller.key, *parts)
