"""Refusals: typed, declared in contracts, the same class on both sides of a call.

A refusal's docstring is its message to people (an English gettext id); its annotated fields are
its details and fill the braces of the message::

    class SoldOut(Conflict):
        \"\"\"Only {left} left.\"\"\"

        left: int

    raise SoldOut(left=2)
"""

import inspect
import re
from typing import Any, ClassVar, get_type_hints

from pydantic import TypeAdapter

_ALL: dict[str, type["Refusal"]] = {}


class Refusal(Exception):
    """The request was refused."""

    http_status: ClassVar[int] = 500
    grpc_status: ClassVar[str] = "INTERNAL"
    retry_after_seconds: ClassVar[int | None] = None
    code: ClassVar[str] = "error"
    """Stable name for machines: `<contract>.<what_went_wrong>`."""
    _fields: ClassVar[dict[str, TypeAdapter[Any]] | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        owner = cls.__module__.rpartition(".")[2]
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()
        cls.code = words if cls.__module__ == __name__ else f"{owner}.{words}"
        cls._fields = None
        _ALL[cls.code] = cls

    def __init__(self, **details: Any) -> None:
        fields = self.fields()
        unknown = details.keys() - fields.keys()
        missing = [name for name in fields.keys() - details.keys() if not hasattr(type(self), name)]
        if unknown or missing:
            raise TypeError(f"{type(self).__name__}: unknown {sorted(unknown)}, missing {missing}")
        self.details: dict[str, Any] = {}
        for name, adapter in fields.items():
            value = details.get(name, getattr(type(self), name, None))
            self.details[name] = adapter.validate_python(value)
            setattr(self, name, self.details[name])
        super().__init__(self.message)

    @classmethod
    def fields(cls) -> dict[str, TypeAdapter[Any]]:
        """The details of this refusal: name -> type."""
        if cls._fields is None:
            hints = get_type_hints(cls, include_extras=True)
            ours = {n: t for n, t in hints.items() if n not in _RESERVED}
            cls._fields = {name: TypeAdapter(hint) for name, hint in ours.items()}
        return cls._fields

    @classmethod
    def text(cls) -> str:
        """The message with its braces: the gettext id."""
        return inspect.cleandoc(cls.__doc__ or "").split("\n\n")[0].replace("\n", " ")

    @property
    def message(self) -> str:
        """The message in English with the details filled in."""
        return self.text().format(**self.details)

    def dump(self) -> dict[str, str]:
        """Details as JSON texts, to travel in gRPC's `google.rpc.ErrorInfo.metadata`."""
        return {n: a.dump_json(self.details[n]).decode() for n, a in self.fields().items()}

    @staticmethod
    def load(code: str, dumped: dict[str, str], fallback: type["Refusal"]) -> "Refusal":
        """The refusal that `dump` wrote; `fallback` where its class is not known here."""
        cls = _ALL.get(code)
        if cls is None:
            return fallback()
        known = {n: a.validate_json(dumped[n]) for n, a in cls.fields().items() if n in dumped}
        return cls(**known)


_RESERVED = {"http_status", "grpc_status", "retry_after_seconds", "code", "_fields"}


class Invalid(Refusal):
    """Some of what was sent does not fit."""

    http_status = 422
    grpc_status = "INVALID_ARGUMENT"


class InvalidFields(Invalid):
    """Some of what was sent does not fit."""

    problems: dict[str, str] = {}
    """Field path -> what is wrong with it."""


class Unauthenticated(Refusal):
    """Sign in first."""

    http_status = 401
    grpc_status = "UNAUTHENTICATED"


class Forbidden(Refusal):
    """You may not do this."""

    http_status = 403
    grpc_status = "PERMISSION_DENIED"


class NotFound(Refusal):
    """There is nothing here."""

    http_status = 404
    grpc_status = "NOT_FOUND"


class Conflict(Refusal):
    """This is no longer possible."""

    http_status = 409
    grpc_status = "FAILED_PRECONDITION"


class Gone(Refusal):
    """This has ended."""

    http_status = 410
    grpc_status = "FAILED_PRECONDITION"


class TooMany(Refusal):
    """Too many requests. Wait a moment and try again."""

    http_status = 429
    grpc_status = "RESOURCE_EXHAUSTED"
    retry_after_seconds = 5


class Unavailable(Refusal):
    """This part is busy or down. Nothing was lost; try again in a moment."""

    http_status = 503
    grpc_status = "UNAVAILABLE"
    retry_after_seconds = 1


class DeadlineExceeded(Unavailable):
    """This took too long. Try again in a moment."""

    http_status = 504
    grpc_status = "DEADLINE_EXCEEDED"


class Internal(Refusal):
    """Something broke on our side. We have noted it; try again in a moment."""
