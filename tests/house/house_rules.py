"""Rules of the house that a linter does not know, each with breaches that it must find."""

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache, cached_property
from pathlib import Path

from tests.house.allowed import LONG, NOUNS

ROOT = Path(__file__).parents[2]
PLACES = ("src", "tests", "docs", "proto", "benchmarks", "deploy", ".ci")
MADE = ("__pycache__", "node_modules", "static", "build", "vendor")
"""Folders of what is made, not written."""
TEXTS = (
    ".py", ".sql", ".html", ".txt", ".css", ".js", ".po", ".md", ".toml", ".in", ".json",
    ".proto", ".csv", ".yaml", ".yml", ".conf", ".sh", "",
)  # fmt: skip


@dataclass(frozen=True)
class Source:
    """A file, as it stands or as it was planted."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax."""
        return ast.parse(self.text)

    def imports(self) -> Iterator[tuple[int, str]]:
        """Every module and every name that is imported, dotted."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.lineno, node.module
                yield from ((node.lineno, f"{node.module}.{a.name}") for a in node.names)

    def strings(self) -> Iterator[tuple[int, str]]:
        """Every text in the code, docstrings left out."""
        docs = {
            id(node.body[0].value)
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(self.tree):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and id(node) not in docs
            ):
                yield node.lineno, node.value

    def names(self) -> Iterator[tuple[int, str]]:
        """Every `a.b` and every bare name that is read."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                yield node.lineno, f"{node.value.id}.{node.attr}"
            elif isinstance(node, ast.Name):
                yield node.lineno, node.id


Finding = tuple[int, str]


@dataclass(frozen=True)
class Rule:
    """What must not stand where."""

    says: str
    where: tuple[str, ...]
    find: Callable[[Source], Iterable[Finding]]
    planted: tuple[tuple[str, str], ...]
    """Breaches that it must find: (path, text)."""
    but: tuple[str, ...] = ()
    """Files it leaves alone; the reason stands beside them."""

    def concerns(self, path: str) -> bool:
        """Whether this file is under the rule."""
        return any(fnmatch(path, p) for p in self.where) and not any(
            fnmatch(path, p) for p in self.but
        )

    def breaches(self, sources: Iterable[Source]) -> list[str]:
        """Where it is broken."""
        return [
            f"{source.path}:{line}: {what}"
            for source in sources
            if self.concerns(source.path)
            for line, what in self.find(source)
        ]


@cache
def written() -> tuple[Source, ...]:
    """Every text file of the project."""
    paths = [path for path in ROOT.iterdir() if path.is_file()]
    for place in PLACES:
        paths += (ROOT / place).rglob("*")
    return tuple(
        Source(str(path.relative_to(ROOT)), path.read_text())
        for path in sorted(paths)
        if path.is_file()
        and path.suffix in TEXTS
        and not any(part in MADE for part in path.relative_to(ROOT).parts)
        and not path.name.startswith(".")
    )


def matching(pattern: str, flags: int = 0) -> Callable[[Source], Iterable[Finding]]:
    """Finds lines that match."""
    compiled = re.compile(pattern, flags)

    def find(source: Source) -> Iterable[Finding]:
        for number, line in enumerate(source.text.splitlines(), 1):
            if found := compiled.search(line):
                yield number, found[0]

    return find


SQL = re.compile(
    r"^\s*(SELECT\s|INSERT INTO\s|UPDATE \w+\s|DELETE FROM\s|WITH \w+|CREATE \w+\s|ALTER \w+\s"
    r"|DROP \w+\s|LOCK TABLE|TRUNCATE\s|SET LOCAL|NOTIFY\s|LISTEN\s)"
)
WALL_CLOCK = re.compile(
    r"(?<![\w.])(now\s*\(|current_timestamp|current_date|current_time|localtime\w*"
    r"|clock_timestamp\s*\(|transaction_timestamp\s*\(|statement_timestamp\s*\()",
    re.IGNORECASE,
)


def sql_statements(source: Source) -> Iterable[Finding]:
    """Texts that are SQL."""
    return ((n, text.split("\n")[0]) for n, text in source.strings() if SQL.match(text))


def wall_clock_in_sql(source: Source) -> Iterable[Finding]:
    """A clock of the server's, in SQL of a file or in a file of SQL."""
    texts = enumerate(source.text.splitlines(), 1)
    for number, text in texts if source.path.endswith(".sql") else source.strings():
        statement = re.sub(r"--.*", "", text)
        if found := WALL_CLOCK.search(statement):
            yield number, found[0]


HIDDEN_INPUTS = {
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time",
    "time.time_ns", "uuid.uuid1", "uuid.uuid4", "uuid4", "uuid1",
}  # fmt: skip
CHANCE = ("random", "secrets", "numpy.random")


def hidden_inputs(source: Source) -> Iterable[Finding]:
    """The real clock and chance, which no test can set."""
    yield from ((n, name) for n, name in source.names() if name in HIDDEN_INPUTS)
    yield from (
        (n, name)
        for n, name in source.imports()
        if name in CHANCE or name.startswith("random.") or name in ("uuid.uuid4", "uuid.uuid1")
    )
    yield from ((n, name) for n, name in source.names() if name == "os.urandom")


IMPURE = (
    "dvor.kernel.db", "dvor.kernel.clock", "dvor.kernel.ids", "dvor.kernel.config", "dvor.kernel.http",
    "dvor.kernel.outbound", "dvor.kernel.tasks", "asyncio", "random", "secrets", "time", "os",
    "pathlib", "socket", "subprocess", "urllib", "tempfile",
)  # fmt: skip


def impurities(source: Source) -> Iterable[Finding]:
    """What a pure decision cannot need."""
    for number, name in source.imports():
        if any(name == impure or name.startswith(f"{impure}.") for impure in IMPURE):
            yield number, name
    for node in ast.walk(source.tree):
        if isinstance(node, ast.AsyncFunctionDef):
            yield node.lineno, f"async {node.name}"
    yield from hidden_inputs(source)


CONTRACT_WORDS = {"messages", "errors", "events", "money", "periods", "caller"}


def mechanism_in_contracts(source: Source) -> Iterable[Finding]:
    """Parts of the kernel that do something, in a file that only says."""
    for number, name in source.imports():
        parts = name.split(".")
        if parts[:2] == ["dvor", "kernel"] and len(parts) > 2 and parts[2] not in CONTRACT_WORDS:
            yield number, name
        if parts[0] in ("asyncio", "os", "pathlib", "socket", "time", "random"):
            yield number, name


REFUSALS = {
    "Refusal", "Invalid", "InvalidFields", "Unauthenticated", "Forbidden", "NotFound", "Conflict",
    "Gone", "TooMany", "Unavailable", "DeadlineExceeded", "Internal",
}  # fmt: skip


def undeclared_refusals(source: Source) -> Iterable[Finding]:
    """Refusals that no contract declares, and the framework's own."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ClassDef):
            bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
            if bases & REFUSALS:
                yield node.lineno, f"class {node.name}"
    yield from ((n, name) for n, name in source.imports() if name.endswith(".HTTPException"))


FILES = {
    "README.md", "__init__.py", "api.py", "handlers.py", "queries.py", "rules.py", "service.py",
    "tasks.py",
}  # fmt: skip


def unknown_files(source: Source) -> Iterable[Finding]:
    """A file where a reader of another service would not look for it."""
    service, _, rest = source.path.removeprefix("src/dvor/services/").partition("/")
    known = FILES | NOUNS.get(service, set())
    if rest and not (
        rest in known
        or fnmatch(rest, "templates/*")
        or fnmatch(rest, "providers/*.py")  # whoever moves real money: one file each
        or re.fullmatch(r"[a-z_]+_queries\.py", rest)
        or re.fullmatch(r"migrations/\d{4}_[a-z_]+\.sql", rest)
    ):
        yield 1, rest


LINES_MAX = 450


def too_long(source: Source) -> Iterable[Finding]:
    """More than one can hold in mind."""
    lines = source.text.count("\n")
    if lines > LINES_MAX and source.path not in LONG:
        yield lines, "is too long: split it by noun"


def badly_named(source: Source) -> Iterable[Finding]:
    """Names that say nothing, and files that hold nothing."""
    stem = Path(source.path).stem
    if stem in ("utils", "util", "helpers", "helper", "common", "base", "manager", "misc"):
        yield 1, stem
    if not source.text.strip():
        yield 1, "is empty"


# Written in pieces, so that this file does not find itself.
REGISTRIES = "|".join(
    re.escape(word)
    for word in (
        "pypi." + "org", "python" + "hosted", "registry." + "npm", "npm" + "mirror", "dev" + "pi",
        "artifact" + "ory", "docker." + "io", "ghcr." + "io", "quay." + "io",
        "--index" + "-url", "--extra" + "-index", "--find" + "-links", "proxy.go" + "lang",
    )
)  # fmt: skip
MACHINES = r"(?<![\w.:/-])/(home|root|work|Users|mnt|srv|builds)/\w"
UNFINISHED = r"\b(" + "TO" + r"DO|FIX" + r"ME|XX" + "X|HA" + r"CK)\b"

EVERYTHING = ("*",)
CODE = ("src/*.py", "tests/*.py", "benchmarks/*.py")
SERVICES = ("src/dvor/services/*.py",)

RULES = {
    "sql": Rule(
        "SQL stands in queries, in the kernel and in the audit",
        ("src/*.py",),
        sql_statements,
        (
            (
                "src/dvor/services/orders/service.py",
                'async def f(db):\n    await db.execute("DELETE FROM orders")',
            ),
            ("src/dvor/web/pages/site.py", 'QUERY = """\nSELECT 1\n"""'),
        ),
        but=(
            "src/dvor/services/*/queries.py",
            "src/dvor/services/*/*_queries.py",
            "src/dvor/services/catalog/searches.py",  # queries put together from what is asked for
            "src/dvor/kernel/*",
            "src/dvor/audit/*",
            "src/dvor/cli/parked.py",  # shows an operator what stands in every service's inbox
        ),
    ),
    "sql clock": Rule(
        "SQL of services knows the virtual clock only: dvor_now()",
        ("src/dvor/services/*.py", "src/dvor/services/*.sql"),
        wall_clock_in_sql,
        (
            ("src/dvor/services/orders/queries.py", 'X = "UPDATE orders SET at = now()"'),
            (
                "src/dvor/services/orders/migrations/0002_x.sql",
                "ALTER TABLE x ADD at timestamptz DEFAULT CURRENT_TIMESTAMP;",
            ),
            ("src/dvor/services/orders/queries.py", 'X = "SELECT clock_timestamp() - $1"'),
        ),
    ),
    "clock and chance": Rule(
        "Time comes from kernel.clock, names from kernel.ids, chance from nowhere",
        (
            *SERVICES,
            "src/dvor/contracts/*.py",
            "src/dvor/web/*.py",
            "src/dvor/demo/*.py",
            "src/dvor/importing/*.py",
            "src/dvor/kernel/pages.py",
        ),
        hidden_inputs,
        (
            (
                "src/dvor/services/orders/service.py",
                "from datetime import datetime\ndatetime.now()",
            ),
            ("src/dvor/services/orders/steps.py", "import random"),
            ("src/dvor/services/orders/tasks.py", "from uuid import uuid4"),
            ("src/dvor/web/pages/site.py", "import time\nstart = time.time()"),
            ("src/dvor/services/catalog/lists.py", "import os\nsalt = os.urandom(8)"),
        ),
        but=(
            # Secrets that must not be guessed: tokens, addresses, carts of guests, nonces.
            "src/dvor/services/identity/service.py",
            "src/dvor/services/payments/service.py",
            "src/dvor/services/inventory/calendars.py",
            "src/dvor/web/pages/shopping.py",
            "src/dvor/kernel/pages.py",
            "src/dvor/web/pictures/brush.py",  # dice with a seed: the same picture each time
        ),
    ),
    "pure rules": Rule(
        "rules.py decides (and closure_rules.py and the like); it asks nobody and knows no time",
        ("src/dvor/services/*/rules.py", "src/dvor/services/*/*_rules.py"),
        impurities,
        (
            ("src/dvor/services/orders/rules.py", "from dvor.kernel import clock"),
            ("src/dvor/services/orders/rules.py", "from dvor.kernel.db import Database"),
            ("src/dvor/services/orders/rules.py", "async def decide(): ..."),
            ("src/dvor/services/orders/rules.py", "import random"),
            ("src/dvor/services/orders/rules.py", "def f(): return datetime.now()"),
        ),
    ),
    "contracts only say": Rule(
        "A contract is made of words, not of mechanism",
        ("src/dvor/contracts/*.py",),
        mechanism_in_contracts,
        (
            ("src/dvor/contracts/orders.py", "from dvor.kernel.db import Database"),
            ("src/dvor/contracts/orders.py", "from dvor.kernel import clock"),
            ("src/dvor/contracts/orders.py", "import asyncio"),
        ),
        but=("src/dvor/contracts/cancellation_words.py",),  # said alike by pages and mails
    ),
    "refusals": Rule(
        "Refusals are declared in contracts",
        (*SERVICES, "src/dvor/web/pages/*.py"),
        undeclared_refusals,
        (
            (
                "src/dvor/services/orders/service.py",
                "class TooLate(Conflict):\n    '''Too late.'''",
            ),
            ("src/dvor/services/orders/api.py", "from fastapi import HTTPException"),
        ),
    ),
    "files of a service": Rule(
        "The same file names in every service, and listed nouns",
        ("src/dvor/services/*/*",),
        unknown_files,
        (
            ("src/dvor/services/orders/repository.py", "x = 1"),
            ("src/dvor/services/orders/migrations/2_late.sql", "SELECT 1;"),
        ),
    ),
    "environment": Rule(
        "Variables are read in kernel/config.py",
        ("src/dvor/services/*.py", "src/dvor/web/*.py", "src/dvor/contracts/*.py"),
        lambda source: (
            (n, name) for n, name in source.names() if name in ("os.environ", "os.getenv")
        ),
        (("src/dvor/web/context.py", "import os\nHOST = os.environ['DVOR_HOST']"),),
    ),
    "size": Rule(
        f"A file has at most {LINES_MAX} lines",
        CODE,
        too_long,
        (("src/dvor/kernel/everything.py", "x = 1\n" * (LINES_MAX + 1)),),
    ),
    "names": Rule(
        "Files are named for what they hold, and hold something",
        ("src/*", "tests/*"),
        badly_named,
        (("src/dvor/kernel/utils.py", "x = 1"), ("src/dvor/web/parts.py", "\n")),
        # What every page stands on.
        but=("src/dvor/web/templates/base.html", "src/dvor/web/assets/base.css"),
    ),
    "unfinished": Rule(
        "Nothing is left for later",
        EVERYTHING,
        matching(UNFINISHED),
        (("src/dvor/web/booking.py", "# TO" + "DO: refunds"), ("docs/x.md", "FIX" + "ME")),
    ),
    "registries": Rule(
        "Nothing says where packages come from",
        EVERYTHING,
        matching(REGISTRIES, re.IGNORECASE),
        (("requirements.txt", "--index" + "-url https://mirror.example/simple"),),
    ),
    "machines": Rule(
        "Nothing names a path of somebody's machine",
        EVERYTHING,
        matching(MACHINES),
        (
            ("docs/x.md", "see /ho" + "me/vera/dvor"),
            ("src/dvor/cli/x.py", 'DATA = "/wo' + 'rk/main"'),
        ),
    ),
    "locks": Rule(
        "Lock files carry names, versions and hashes, no addresses",
        ("requirements*.txt", "package.json", "package-lock.json"),
        matching(r"://|^-e |@ file:|resolved"),
        (
            ("requirements.txt", "aiohttp @ https://mirror.example/aiohttp.whl"),
            ("package-lock.json", '"resolved": "https://x"'),
        ),
    ),
}
