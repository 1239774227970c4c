"""How events travel: outbox -> relay -> broker -> inbox, in order, at least once, applied once.

`outbox.py` publishes, `inbox.py` applies. Between them stands one of three brokers, which
`DVOR_BROKER` names; services cannot tell which. This package is the only door to their libraries.

| broker | a source is | a group is | order is kept per | behind it |
|---|---|---|---|---|
| `local` | a column of one table | a row with a position | source | PostgreSQL, nothing else |
| `rabbitmq` | a topic exchange | a quorum queue of each source | source | RabbitMQ 3.10 or newer |
| `kafka` | a topic, keyed by aggregate | a consumer group of each source | aggregate | Kafka 2.5 or newer |

What is on the wire is CloudEvents 1.0 in JSON (`envelope.py`), described by
`docs/reference/asyncapi.json` (`asyncapi.py`). A remote broker may be down when a process starts,
or go at any time: the process lives, `publish` refuses, events wait in the outbox, `feeds.py` and
the links reconnect with growing pauses. A message is acknowledged after our commit, so a crash in
between brings it again; the inbox applies it once.
"""

from dvor.kernel.brokers.envelope import Envelope, Unreadable, rounds
from dvor.kernel.brokers.local import LocalBroker
from dvor.kernel.brokers.port import BATCH, Broker, Groups
from dvor.kernel.config import BadConfiguration, Settings

__all__ = [
    "BATCH",
    "Broker",
    "Envelope",
    "Groups",
    "LocalBroker",
    "Unreadable",
    "broker",
    "prepare",
    "rounds",
]


def broker(settings: Settings, groups: Groups) -> Broker:
    """The broker that the configuration names. Raises BadConfiguration where it cannot be used."""
    if settings.broker == "local":
        return LocalBroker(settings.database("broker"), settings)
    if settings.broker not in ("rabbitmq", "kafka"):
        raise BadConfiguration(f"DVOR_BROKER={settings.broker!r}: is local, rabbitmq or kafka")
    if not settings.broker_url:
        raise BadConfiguration(f"DVOR_BROKER={settings.broker} needs DVOR_BROKER_URL")
    if settings.broker == "rabbitmq":
        from dvor.kernel.brokers.rabbitmq import RabbitBroker

        return RabbitBroker(settings, groups)
    from dvor.kernel.brokers.kafka import KafkaBroker

    return KafkaBroker(settings, groups)


async def prepare(settings: Settings) -> None:
    """Make what the broker keeps in a database; the others make theirs whenever they connect."""
    if settings.broker == "local":
        await LocalBroker.migrate(settings.database("broker"))
