"""Kafka: one node that is broker and controller (KRaft), from its jars at Maven's repository.

`jars/pom.xml` says which; `jars/sha256` what they, and all they bring along, must be.
"""

import base64
import fcntl
import hashlib
import os
import re
import shutil
import struct
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from dvor.cli import ROOT
from dvor.cli.servers import debian
from dvor.cli.servers.debian import program
from dvor.cli.servers.processes import answer
from dvor.cli.servers.server import DidNotStart, Missing, Part, Server, environment

_PINS = Path(__file__).with_name("jars")
_HEAP = ("-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_API_VERSIONS, _VERSION, _CORRELATION = 18, 0, 7
_QUESTION = struct.pack(">hhih", _API_VERSIONS, _VERSION, _CORRELATION, -1)
_CONFIGURATION = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={folder}
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=8388608
auto.create.topics.enable=false
"""
_LOGGING = """\
rootLogger.level = WARN
rootLogger.appenderRef.out.ref = out
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %p %c: %m%n
"""


class Kafka(Server):
    """`kafka://host:port`."""

    name = "kafka"
    variable = "DVOR_KAFKA_URL"
    packages = ("default-jre-headless", "maven")
    port_names = ("port", "controller")

    @property
    def jars(self) -> Path:
        """Where its jars are, for all folders: they are 44 MB."""
        return ROOT / ".venv" / "servers" / f"kafka-{self.version()}"

    def is_installed(self) -> bool:
        """Whether Java and all jars are here."""
        return program("java") is not None and self.jars.exists()

    def lack(self) -> str:
        """Without Java and Maven it cannot be had."""
        if self.is_installed() or not _lacking() or debian.can_install():
            return ""
        words = " ".join(self.packages)
        lacking = " and ".join(_lacking())
        return f"kafka needs {lacking}: apt-get install {words}, or {self._instead}"

    def install(self) -> None:
        """Have Maven bring the jars, and keep them if they are what they must be."""
        if lack := self.lack():
            raise Missing(lack)
        if _lacking():
            debian.install(*self.packages)
        if _lacking():
            words = " ".join(self.packages)
            raise Missing(f"kafka: apt-get install {words} failed; see why, or {self._instead}")
        with _one_at_a_time():
            if not self.jars.exists():
                self._fetch()

    def _fetch(self) -> None:
        new = self.jars.with_name(self.jars.name + ".new")
        shutil.rmtree(new, ignore_errors=True)
        words = [
            *("mvn", "--batch-mode", "--quiet", "--strict-checksums"),
            *("--file", str(_PINS / "pom.xml"), "dependency:copy-dependencies"),
            f"-DoutputDirectory={new}",
        ]
        done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=new.parent)
        if done.returncode != 0:
            said = [line for line in done.stdout.splitlines() if "ERROR" in line] or [""]
            raise Missing(f"Maven could not bring kafka's jars: {said[0]}; or {self._instead}")
        if found := wrong_jars(new):
            raise Missing(f"kafka's jars are not those of {_PINS}/sha256: {', '.join(found)}")
        new.rename(self.jars)

    def version(self) -> str:
        """As pinned."""
        text = (_PINS / "pom.xml").read_text()
        found = re.search(r"kafka_2\.13</artifactId>\s*<version>([^<]+)<", text)
        assert found is not None
        return found[1]

    def parts(self, ports: Mapping[str, int]) -> Iterator[Part]:
        """Give the node its identity at the first start, then start it."""
        data = self.folder / "data"
        configuration = self.folder / "server.properties"
        configuration.write_text(_CONFIGURATION.format(**ports, folder=data))
        (self.folder / "log4j2.properties").write_text(_LOGGING)
        if not (data / "meta.properties").exists():
            identity = base64.urlsafe_b64encode(uuid4().bytes).decode().rstrip("=")
            self._run("kafka.tools.StorageTool", "format", "--standalone", "-t", identity)
        yield Part(self._java("kafka.Kafka", str(configuration)), environment())

    def _run(self, tool: str, *arguments: str) -> None:
        words = self._java(tool, *arguments, "-c", str(self.folder / "server.properties"))
        done = subprocess.run(
            words, capture_output=True, text=True, check=False, env=environment(), cwd=self.folder
        )
        if done.returncode != 0:
            raise DidNotStart(f"kafka's folder could not be made: {done.stderr or done.stdout}")

    def _java(self, program_name: str, *arguments: str) -> list[str]:
        java = program("java")
        assert java is not None
        logging = f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}"
        return [str(java), *_HEAP, logging, "-cp", f"{self.jars}/*", program_name, *arguments]

    def address(self, ports: Mapping[str, int]) -> str:
        """Where clients begin."""
        return f"kafka://127.0.0.1:{ports['port']}"

    def is_ready(self, ports: Mapping[str, int]) -> bool:
        """Whether it says which requests it understands: what it does when it has started."""
        said = answer(ports["port"], struct.pack(">i", len(_QUESTION)) + _QUESTION)
        return said[4:8] == struct.pack(">i", _CORRELATION)


def _lacking() -> list[str]:
    return [name for name in ("java", "mvn") if program(name) is None]


def wrong_jars(folder: Path) -> list[str]:
    """What in this folder is not as pinned, or lacks."""
    lines = (_PINS / "sha256").read_text().splitlines()
    pinned = {name: digest for digest, name in (line.split() for line in lines)}
    found = {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in folder.glob("*.jar")}
    return sorted({name for name, _ in pinned.items() ^ found.items()})


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """The jars are shared by all folders."""
    shared = ROOT / ".venv" / "servers"
    shared.mkdir(parents=True, exist_ok=True)
    lock = os.open(shared, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
