"""An event on its way, as CloudEvents 1.0 wants it written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
"""Of an encoded envelope: CloudEvents' structured mode."""

_CARRIED = {
    "traceparent": "traceparent",
    "tracestate": "tracestate",
    "baggage": "baggage",
    "dvor-request-id": "dvorrequestid",
}
"""Headers of a trace and the attributes that carry them: names of those have letters only."""


class Unreadable(ValueError):
    """What came is no envelope. The message says why."""


@dataclass(frozen=True)
class Envelope:
    """An event on its way, with what CloudEvents 1.0 wants to know of it."""

    message_id: UUID
    source: str
    type: str
    aggregate: UUID
    version: int
    at: datetime
    trace: dict[str, str]
    data: dict[str, Any]

    def cloud_event(self) -> dict[str, Any]:
        """As JSON by the CloudEvents 1.0 specification, with its extensions for order and traces."""
        carried = {_CARRIED[n]: value for n, value in self.trace.items() if n in _CARRIED}
        return {
            "specversion": "1.0",
            "id": str(self.message_id),
            "source": f"/dvor/{self.source}",
            "type": self.type,
            "subject": str(self.aggregate),
            "time": self.at.isoformat(),
            "datacontenttype": "application/json",
            "sequence": str(self.version),
            **carried,
            "data": self.data,
        }

    @staticmethod
    def of(event: Mapping[str, Any]) -> "Envelope":
        """From what `cloud_event` made, also of an older version. Raises Unreadable."""
        try:
            carried = {n: event[name] for n, name in _CARRIED.items() if name in event}
            return Envelope(
                message_id=UUID(event["id"]),
                source=event["source"].removeprefix("/dvor/"),
                type=event["type"],
                aggregate=UUID(event["subject"]),
                version=int(event["sequence"]),
                at=datetime.fromisoformat(event["time"]),
                trace=event.get("trace", carried),
                data=event["data"],
            )
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            raise Unreadable(f"{type(problem).__name__}: {problem}") from problem

    def encode(self) -> bytes:
        """As bytes on the wire."""
        return msgspec.json.encode(self.cloud_event())

    @staticmethod
    def decode(body: bytes) -> "Envelope":
        """From bytes on the wire. Raises Unreadable."""
        try:
            return Envelope.of(msgspec.json.decode(body))
        except msgspec.DecodeError as problem:
            raise Unreadable(str(problem)) from problem


def rounds(envelopes: Sequence[Envelope]) -> list[list[Envelope]]:
    """Parted so that no round has two of one aggregate: who awaits each round keeps their order.

    A broker may refuse or lose one message and keep the next. The next one of the same aggregate
    is therefore only sent when the one before is safe.
    """
    found: list[list[Envelope]] = []
    seen: dict[UUID, int] = {}
    for envelope in envelopes:
        number = seen[envelope.aggregate] = seen.get(envelope.aggregate, -1) + 1
        if number == len(found):
            found.append([])
        found[number].append(envelope)
    return found
