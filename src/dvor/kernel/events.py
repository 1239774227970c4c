"""Facts: what a service tells the others after it happened, in the order it happened."""

import re
from typing import Any, ClassVar
from uuid import UUID

from dvor.kernel.messages import Message


class Event(Message):
    """A past fact. Its wire name is `<contract>.<what_happened>.v<version>`.

    `aggregate` names the field whose value orders events: two facts about one order are told in
    the order they happened; facts about two orders may overtake each other.
    """

    aggregate: ClassVar[str]
    version: ClassVar[int] = 1
    wire_name: ClassVar[str]
    source: ClassVar[str]
    """The service that tells it: the contract's module name."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        cls.source = cls.__module__.rpartition(".")[2]
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()
        cls.wire_name = f"{cls.source}.{words}.v{cls.version}"
        if cls.aggregate not in cls.model_fields:
            raise TypeError(f"{cls.__name__}.aggregate names no field of it")

    @property
    def aggregate_id(self) -> UUID:
        """The thing this fact is about."""
        return getattr(self, self.aggregate)
