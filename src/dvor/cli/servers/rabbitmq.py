"""RabbitMQ from Debian's package, beside whatever RabbitMQ the machine may run.

It has its own node name, ports, databases, plugins and epmd (Erlang's list of nodes), and
forgets nothing when it is stopped.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from dvor.cli.servers.debian import program
from dvor.cli.servers.processes import answer
from dvor.cli.servers.server import Part, Server, environment

_SCRIPTS = Path("/usr/lib/rabbitmq/bin")
_AMQP_GREETING = b"AMQP\x00\x00\x09\x01"
_PLUGINS = ("rabbitmq_management", "rabbitmq_prometheus")
# One scheduler and few threads: it shares the machine with all that is tested.
_ERLANG = "+S 1:1 +A 4 +sbwt none"
_CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{port}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management}
prometheus.tcp.ip = 127.0.0.1
prometheus.tcp.port = {metrics}
vm_memory_high_watermark.absolute = 400MB
disk_free_limit.absolute = 50MB
log.file.level = warning
log.console = true
log.console.level = warning
"""


class RabbitMQ(Server):
    """`amqp://`; `management` is the port of its pages and HTTP API, `metrics` of Prometheus'."""

    name = "rabbitmq"
    variable = "DVOR_RABBITMQ_URL"
    packages = ("rabbitmq-server",)
    port_names = ("port", "epmd", "distribution", "management", "metrics")
    NODE = "dvor@localhost"

    def is_installed(self) -> bool:
        """Whether Debian's package is here."""
        return (_SCRIPTS / "rabbitmq-server").exists() and program("epmd") is not None

    def version(self) -> str:
        """From the name of the folder it lies in."""
        found = sorted(_SCRIPTS.parent.glob("lib/rabbitmq_server-*"))
        return found[-1].name.partition("-")[2] if found else ""

    def parts(self, ports: Mapping[str, int]) -> Iterator[Part]:
        """Erlang's list of nodes in the foreground, so that it is known and ended, then the node."""
        (self.folder / "rabbitmq.conf").write_text(_CONFIGURATION.format(**ports))
        (self.folder / "enabled_plugins").write_text(f"[{','.join(_PLUGINS)}].\n")
        (self.folder / "rabbitmq-env.conf").write_text("")  # not the one of the machine
        variables = self.variables(ports)
        epmd = program("epmd")
        assert epmd is not None
        yield Part([epmd, "-port", str(ports["epmd"]), "-address", "127.0.0.1"], variables)
        yield Part([_SCRIPTS / "rabbitmq-server"], variables)

    def variables(self, ports: Mapping[str, int]) -> dict[str, str]:
        """What RabbitMQ's own tools want to know, `/usr/lib/rabbitmq/bin/rabbitmqctl` among them."""
        return environment(
            HOME=self.folder,  # the cookie lies there
            ERL_EPMD_PORT=str(ports["epmd"]),
            ERL_EPMD_ADDRESS="127.0.0.1",
            RABBITMQ_NODENAME=self.NODE,
            RABBITMQ_DIST_PORT=str(ports["distribution"]),
            RABBITMQ_MNESIA_BASE=self.folder / "data",
            RABBITMQ_LOG_BASE=self.folder / "logs",
            RABBITMQ_CONFIG_FILE=self.folder / "rabbitmq",
            RABBITMQ_CONF_ENV_FILE=self.folder / "rabbitmq-env.conf",
            RABBITMQ_ENABLED_PLUGINS_FILE=self.folder / "enabled_plugins",
            RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=_ERLANG,
            RUNNING_UNDER_SYSTEMD="true",  # the script becomes Erlang instead of waiting for it
        )

    def address(self, ports: Mapping[str, int]) -> str:
        """As clients of AMQP want it; its only user may come from this machine only."""
        return f"amqp://guest:guest@127.0.0.1:{ports['port']}/"

    def is_ready(self, ports: Mapping[str, int]) -> bool:
        """Whether it opens a conversation in AMQP: what it does last when it starts."""
        return answer(ports["port"], _AMQP_GREETING)[:1] == b"\x01"
