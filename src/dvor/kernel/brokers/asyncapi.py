"""The AsyncAPI 3.0 document of all events: what they carry, and where both brokers have them.

Made from the contracts; `./dvor proto` writes it, a test compares.
"""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic.json_schema import models_json_schema

from dvor.kernel.brokers.envelope import CONTENT_TYPE
from dvor.kernel.brokers.port import Groups
from dvor.kernel.events import Event

_SCHEMAS = "#/components/schemas"
_TEXT = {"type": "string"}
_CLOUD_EVENT = {
    "type": "object",
    "description": "CloudEvents 1.0 in its JSON format. Unknown attributes are to be passed over.",
    "required": ["specversion", "id", "source", "type", "subject", "time", "sequence", "data"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": _TEXT | {"format": "uuid", "description": "The same for each delivery of one event."},
        "source": _TEXT | {"description": "/dvor/ and the service that tells it."},
        "type": _TEXT | {"description": "Service, what happened, version of the schema."},
        "subject": _TEXT | {"format": "uuid", "description": "The thing it is about."},
        "time": _TEXT | {"format": "date-time"},
        "datacontenttype": {"const": "application/json"},
        "sequence": _TEXT
        | {
            "pattern": "^[1-9][0-9]*$",
            "description": "Counts the events about this subject, from 1, without gaps.",
        },
        "traceparent": _TEXT | {"description": "W3C trace context, where traces are taken."},
        "tracestate": _TEXT,
        "dvorrequestid": _TEXT | {"description": "The request that this follows from."},
        "data": {"type": "object"},
    },
}
_ABOUT = """\
Facts that Dvor's services tell. Each is delivered at least once: pass over an `id` you know. Events
about one `subject` come in the order of their `sequence`; those about two may overtake each other.
Schemas only grow: pass over fields you do not know. To listen to RabbitMQ, bind a queue of your own
to a source's exchange; to Kafka, use a group of your own."""


def document(
    events: Sequence[type[Event]],
    groups: Groups,
    taken: Mapping[str, Sequence[type[Event]]],
    *,
    prefix: str,
) -> dict[str, Any]:
    """All of it, ready for JSON. `taken`: group -> the events it does something about."""
    sources = sorted({event.source for event in events})
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Dvor's events",
            "version": "1.0.0",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": {
            "rabbitmq": {"host": "localhost:5672", "protocol": "amqp", "protocolVersion": "0.9.1"},
            "kafka": {"host": "localhost:9092", "protocol": "kafka"},
        },
        "channels": _channels(events, sources, groups, prefix),
        "operations": _operations(events, sources, groups, taken, prefix),
        "components": {
            "messages": {event.wire_name: _message(event) for event in events},
            "schemas": {"CloudEvent": _CLOUD_EVENT} | _schemas(events),
        },
    }


def _channels(
    events: Sequence[type[Event]], sources: Sequence[str], groups: Groups, prefix: str
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for source in sources:
        name = f"{prefix}.{source}"
        found[source] = {
            "address": name,
            "description": f"What {source} tells. RabbitMQ: a topic exchange, routed by type."
            " Kafka: a topic, keyed by subject.",
            "servers": [{"$ref": "#/servers/rabbitmq"}, {"$ref": "#/servers/kafka"}],
            "messages": _messages(event for event in events if event.source == source),
            "bindings": {
                "amqp": {
                    "is": "routingKey",
                    "exchange": {"name": name, "type": "topic", "durable": True},
                    "bindingVersion": "0.3.0",
                },
                "kafka": {"topic": name, "bindingVersion": "0.5.0"},
            },
        }
    for source, group in _readers(sources, groups):
        name = f"{prefix}.{group}.{source}"
        found[f"{group}.{source}"] = {
            "address": name,
            "description": f"What {group} has not taken yet of {source}, on RabbitMQ.",
            "servers": [{"$ref": "#/servers/rabbitmq"}],
            "messages": _messages(event for event in events if event.source == source),
            "bindings": {
                "amqp": {
                    "is": "queue",
                    "queue": {
                        "name": name,
                        "durable": True,
                        "exclusive": False,
                        "autoDelete": False,
                    },
                    "bindingVersion": "0.3.0",
                }
            },
        }
    return found


def _operations(
    events: Sequence[type[Event]],
    sources: Sequence[str],
    groups: Groups,
    taken: Mapping[str, Sequence[type[Event]]],
    prefix: str,
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for source in sources:
        told = [event for event in events if event.source == source]
        found[f"{source}.tells"] = _operation("send", source, told)
    for source, group in _readers(sources, groups):
        some = [event for event in taken[group] if event.source == source]
        on_kafka = _operation("receive", source, some)
        on_kafka["bindings"] = {
            "kafka": {"groupId": {"const": f"{prefix}.{group}.{source}"}, "bindingVersion": "0.5.0"}
        }
        found[f"{group}.takes.{source}.by.kafka"] = on_kafka
        found[f"{group}.takes.{source}.by.rabbitmq"] = _operation(
            "receive", f"{group}.{source}", some
        )
    return found


def _readers(sources: Sequence[str], groups: Groups) -> list[tuple[str, str]]:
    return [(source, group) for source in sources for group in sorted(groups[source])]


def _operation(action: str, channel: str, events: Sequence[type[Event]]) -> dict[str, Any]:
    names = sorted(event.wire_name for event in events)
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in names],
    }


def _messages(events: Any) -> dict[str, Any]:
    names = sorted(event.wire_name for event in events)
    return {name: {"$ref": f"#/components/messages/{name}"} for name in names}


def _message(event: type[Event]) -> dict[str, Any]:
    return {
        "name": event.wire_name,
        "title": event.__name__,
        "summary": inspect.cleandoc(event.__doc__ or "").partition("\n")[0],
        "contentType": CONTENT_TYPE,
        "payload": {
            "allOf": [
                {"$ref": f"{_SCHEMAS}/CloudEvent"},
                {
                    "type": "object",
                    "properties": {
                        "type": {"const": event.wire_name},
                        "source": {"const": f"/dvor/{event.source}"},
                        "subject": {"description": f"The event's {event.aggregate}."},
                        "data": {"$ref": f"{_SCHEMAS}/{event.__name__}"},
                    },
                },
            ]
        },
        "bindings": {
            "kafka": {"key": {"type": "string", "format": "uuid"}, "bindingVersion": "0.5.0"},
            "amqp": {"messageType": event.wire_name, "bindingVersion": "0.3.0"},
        },
    }


def _schemas(events: Sequence[type[Event]]) -> dict[str, Any]:
    _, made = models_json_schema(
        [(event, "serialization") for event in events], ref_template=_SCHEMAS + "/{model}"
    )
    return {name: _open(schema) for name, schema in sorted(made["$defs"].items())}


def _open(schema: Any) -> Any:
    """Without what forbids unknown fields: a newer Dvor may say more."""
    if isinstance(schema, dict):
        shut = schema.get("additionalProperties") is False
        return {
            k: _open(v) for k, v in schema.items() if not (shut and k == "additionalProperties")
        }
    return [_open(item) for item in schema] if isinstance(schema, list) else schema
