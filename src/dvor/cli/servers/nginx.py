"""nginx with a configuration of its own; what it serves is for others to say in `sites/*.conf`."""

import grp
import os
import re
import subprocess
from collections.abc import Iterator, Mapping

from dvor.cli.problems import Problem
from dvor.cli.servers.debian import program
from dvor.cli.servers.processes import answer
from dvor.cli.servers.server import Part, Server, environment

_CONFIGURATION = """\
daemon off;
{user}
worker_processes 1;
pid {folder}/pid;
error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/temporary/body;
    proxy_temp_path {folder}/temporary/proxy;
    fastcgi_temp_path {folder}/temporary/fastcgi;
    uwsgi_temp_path {folder}/temporary/uwsgi;
    scgi_temp_path {folder}/temporary/scgi;
    server {{
        listen 127.0.0.1:{port};
        location = /healthz {{ default_type text/plain; return 200 "ok\\n"; }}
        location = /status {{ stub_status; }}
        location / {{ return 404; }}
    }}
    include {folder}/sites/*.conf;
}}
"""


class Nginx(Server):
    """Its address answers /healthz and /status; the sites listen where they say."""

    name = "nginx"
    variable = ""  # another one would not know our sites
    packages = ("nginx",)

    def is_installed(self) -> bool:
        """Whether the program is here."""
        return program("nginx") is not None

    def version(self) -> str:
        """As it says itself."""
        words = [str(program("nginx")), "-v"]
        said = subprocess.run(words, capture_output=True, text=True, check=False).stderr
        found = re.search(r"nginx/(\S+)", said)
        return found[1] if found else ""

    @property
    def _words(self) -> list[str]:
        # Debian's looks into /var/log before it has read where its log is.
        place = ["-p", str(self.folder), "-e", str(self.log)]
        return [str(program("nginx")), *place, "-c", str(self.folder / "nginx.conf")]

    def parts(self, ports: Mapping[str, int]) -> Iterator[Part]:
        """Checked before it starts. Raises Problem with what nginx says."""
        (self.folder / "sites").mkdir(exist_ok=True)
        (self.folder / "temporary").mkdir(exist_ok=True)
        text = _CONFIGURATION.format(folder=self.folder, user=self._user(), **ports)
        (self.folder / "nginx.conf").write_text(text)
        self.check()
        yield Part(self._words, environment())

    def _user(self) -> str:
        """Its workers leave root behind where they can still reach their own folder then."""
        if os.geteuid() != 0:
            return ""
        enters = all(folder.stat().st_mode & 0o001 for folder in self.folder.parents)
        return "user nobody nogroup;" if enters and _exists("nogroup") else "user root;"

    def check(self) -> None:
        """`nginx -t` of what stands there. Raises Problem with what it says."""
        words = [*self._words, "-t"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Problem(f"nginx does not take its configuration\n{done.stderr.strip()}")

    def address(self, ports: Mapping[str, int]) -> str:
        """Where it tells how it is."""
        return f"http://127.0.0.1:{ports['port']}"

    def is_ready(self, ports: Mapping[str, int]) -> bool:
        """As it says itself."""
        return answer(ports["port"], b"GET /healthz HTTP/1.0\r\n\r\n").endswith(b"ok\n")


def _exists(group: str) -> bool:
    try:
        grp.getgrnam(group)
    except KeyError:
        return False
    return True
