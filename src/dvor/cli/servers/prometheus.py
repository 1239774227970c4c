"""Prometheus, which looks for its targets in `targets/*.json` and for its rules in `rules/*.yml`."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dvor.cli.servers.debian import program
from dvor.cli.servers.processes import answer
from dvor.cli.servers.server import Part, Server, environment

# JSON is YAML, and needs no library.
_SCRAPING = {
    "global": {"scrape_interval": "5s", "evaluation_interval": "5s"},
    "scrape_configs": [
        {"job_name": "dvor", "file_sd_configs": [{"files": [], "refresh_interval": "5s"}]}
    ],
}


class Prometheus(Server):
    """Its pages and HTTP API."""

    name = "prometheus"
    variable = "DVOR_PROMETHEUS_URL"
    packages = ("prometheus",)

    def is_installed(self) -> bool:
        """Whether the program is here."""
        return program("prometheus") is not None

    def version(self) -> str:
        """As it says itself."""
        words = [str(program("prometheus")), "--version"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        found = re.search(r"version (\S+?)[+ ]", done.stdout + done.stderr)
        return found[1] if found else ""

    def parts(self, ports: Mapping[str, int]) -> Iterator[Part]:
        """It keeps three days."""
        for name in ("targets", "rules"):
            (self.folder / name).mkdir(exist_ok=True)
        configuration = json.loads(json.dumps(_SCRAPING))
        configuration["rule_files"] = [f"{self.folder}/rules/*.yml"]
        discovery = configuration["scrape_configs"][0]["file_sd_configs"][0]
        discovery["files"] = [f"{self.folder}/targets/*.json"]
        place = self.folder / "prometheus.yml"
        place.write_text(json.dumps(configuration, indent=1))
        words: list[str | Path] = [
            str(program("prometheus")),
            f"--config.file={place}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            "--storage.tsdb.retention.time=3d",
            f"--web.listen-address=127.0.0.1:{ports['port']}",
        ]
        yield Part(words, environment())

    def address(self, ports: Mapping[str, int]) -> str:
        """Its pages."""
        return f"http://127.0.0.1:{ports['port']}"

    def is_ready(self, ports: Mapping[str, int]) -> bool:
        """As it says itself."""
        said = answer(ports["port"], b"GET /-/ready HTTP/1.0\r\n\r\n")
        return b" 200 " in said.partition(b"\r\n")[0]

    def watch(self, name: str, targets: Mapping[str, Sequence[str]]) -> None:
        """Have it look at these `host:port` by part, under a name of ours; none: no more."""
        place = self.folder / "targets" / f"{name}.json"
        if not targets:
            place.unlink(missing_ok=True)
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        known = [
            {"targets": list(addresses), "labels": {"part": part}}
            for part, addresses in targets.items()
        ]
        new = place.with_suffix(".new")
        new.write_text(json.dumps(known, indent=1))
        new.rename(place)
