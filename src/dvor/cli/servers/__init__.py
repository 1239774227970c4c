"""`dvor servers`: the servers that Dvor can stand on, for development and tests.

from dvor.cli.servers import Kafka
with Kafka(folder).running() as running:
running.address     # kafka://127.0.0.1:…
"""

from dvor.cli.servers.kafka import Kafka
from dvor.cli.servers.nginx import Nginx
from dvor.cli.servers.postgres import Postgres
from dvor.cli.servers.prometheus import Prometheus
from dvor.cli.servers.rabbitmq import RabbitMQ
from dvor.cli.servers.redis import Redis
from dvor.cli.servers.server import DidNotStart, Missing, Running, Server
from dvor.cli.servers.smtp import Smtp

KINDS: tuple[type[Server], ...] = (Postgres, Redis, RabbitMQ, Kafka, Nginx, Prometheus, Smtp)
"""In the order in which they are started."""

__all__ = [
    "KINDS",
    "DidNotStart",
    "Kafka",
    "Missing",
    "Nginx",
    "Postgres",
    "Prometheus",
    "RabbitMQ",
    "Redis",
    "Running",
    "Server",
    "Smtp",
]
