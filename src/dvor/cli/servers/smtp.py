"""A mail server that keeps every mail as a file and sends none on."""

from collections.abc import Iterator, Mapping
from importlib.util import find_spec

from dvor.cli.servers.keepers import words_of_keeper
from dvor.cli.servers.processes import answer
from dvor.cli.servers.server import Part, Server, environment

_LIBRARY = "aiosmtpd"


class Smtp(Server):
    """`smtp://`; the mails lie in `smtp/mails`, the newest last."""

    name = "smtp"
    variable = "DVOR_SMTP_URL"

    def is_installed(self) -> bool:
        """Whether its library is here, which development brings."""
        return find_spec(_LIBRARY) is not None

    def lack(self) -> str:
        """`./dvor` brings the library before it comes here."""
        if self.is_installed():
            return ""
        return f"smtp: {_LIBRARY} of requirements-dev.txt is not installed: {self._instead}"

    def version(self) -> str:
        """Of the library."""
        from importlib.metadata import version

        return version(_LIBRARY)

    def parts(self, ports: Mapping[str, int]) -> Iterator[Part]:
        """A keeper."""
        (self.folder / "mails").mkdir(exist_ok=True)
        yield Part(words_of_keeper(self.name, self.folder, ports["port"]), environment())

    def address(self, ports: Mapping[str, int]) -> str:
        """Without a password."""
        return f"smtp://127.0.0.1:{ports['port']}"

    def is_ready(self, ports: Mapping[str, int]) -> bool:
        """Whether it greets."""
        return answer(ports["port"], b"").startswith(b"220")
