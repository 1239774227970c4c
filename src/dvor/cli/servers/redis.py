"""Redis or Valkey, whichever is here; Debian's Redis where none is."""

import re
import subprocess
from collections.abc import Iterator, Mapping

from dvor.cli.servers.debian import program
from dvor.cli.servers.processes import answer
from dvor.cli.servers.server import Part, Server, environment

_PROGRAMS = ("valkey-server", "redis-server")


class Redis(Server):
    """`redis://`."""

    name = "redis"
    variable = "DVOR_REDIS_URL"
    packages = ("redis-server",)

    def is_installed(self) -> bool:
        """Whether one of the two is here."""
        return program(*_PROGRAMS) is not None

    def version(self) -> str:
        """As it says itself."""
        words = [str(program(*_PROGRAMS)), "--version"]
        said = subprocess.run(words, capture_output=True, text=True, check=False).stdout
        found = re.search(r"(Redis|Valkey)?.*v=(\S+)", said, re.IGNORECASE)
        return found[2] if found else ""

    def parts(self, ports: Mapping[str, int]) -> Iterator[Part]:
        """It keeps what it was told; nothing but this machine reaches it."""
        options = {
            "port": str(ports["port"]),
            "bind": "127.0.0.1",
            "dir": str(self.folder),
            "appendonly": "yes",
            "save": "",
            "daemonize": "no",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        yield Part([str(program(*_PROGRAMS)), *words], environment())

    def address(self, ports: Mapping[str, int]) -> str:
        """Its first database."""
        return f"redis://127.0.0.1:{ports['port']}/0"

    def is_ready(self, ports: Mapping[str, int]) -> bool:
        """Whether it has loaded what it kept."""
        return answer(ports["port"], b"PING\r\n") == b"+PONG\r\n"
