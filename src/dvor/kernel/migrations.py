"""Plain SQL files, applied once each in the order of their numbers, under a lock."""

import hashlib
from importlib.resources import files
from importlib.resources.abc import Traversable

from dvor.kernel.db import create_database, raw_connection


class MigrationProblem(RuntimeError):
    """A database does not fit this version of Dvor. The message says what to do."""


_TABLE = """
CREATE TABLE IF NOT EXISTS migrations (
    name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
)
"""
_LOCK = 0x64766F72


def scripts(package: str) -> list[tuple[str, str]]:
    """The SQL scripts of a service: the kernel's first, then its own by number."""
    found = [("0000_kernel", (files("dvor.kernel") / "migrations.sql").read_text())]
    folder = files(package) / "migrations"
    own: list[Traversable] = (
        sorted(folder.iterdir(), key=lambda f: f.name) if folder.is_dir() else []
    )
    found += [(f.name.removesuffix(".sql"), f.read_text()) for f in own if f.name.endswith(".sql")]
    return found


async def migrate(url: str, package: str) -> list[str]:
    """Bring a service's database up to date; answers the names of what was applied.

    Raises MigrationProblem where the database is newer than this program or a script that was
    already applied has been edited since.
    """
    await create_database(url)
    wanted = scripts(package)
    async with raw_connection(url) as connection:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await connection.execute(_TABLE)
        rows = await connection.fetch("SELECT name, checksum FROM migrations")
        applied = {row["name"]: row["checksum"] for row in rows}
        _compare(package, dict(wanted), applied)
        done = []
        for name, sql in wanted:
            if name in applied:
                continue
            async with connection.transaction():
                await connection.execute("SET LOCAL lock_timeout = '5s'")
                await connection.execute(sql)
                await connection.execute(
                    "INSERT INTO migrations (name, checksum) VALUES ($1, $2)", name, _checksum(sql)
                )
            done.append(name)
        return done


def _checksum(sql: str) -> str:
    return hashlib.sha256(sql.encode()).hexdigest()


def _compare(package: str, wanted: dict[str, str], applied: dict[str, str]) -> None:
    unknown = sorted(applied.keys() - wanted.keys())
    if unknown:
        raise MigrationProblem(
            f"the data of {package} is from a newer Dvor (it has {unknown[-1]}): update Dvor"
        )
    for name, checksum in applied.items():
        if _checksum(wanted[name]) != checksum:
            raise MigrationProblem(
                f"{package}: migration {name} was edited after it had been applied;"
                " write a new one, or start with an empty --data folder"
            )
