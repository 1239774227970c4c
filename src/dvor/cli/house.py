"""The house for commands beside `up`: its databases, whether or not a Dvor runs on the folder."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from dvor.cli.data_folder import DataFolder, InUse
from dvor.cli.problems import Problem
from dvor.kernel.config import Settings
from dvor.kernel.postgres import EmbeddedPostgres


@contextmanager
def at_hand(data: Path, *, existing: bool = False) -> Iterator[Settings]:
    """Configuration that reaches the databases of a data folder.

    They are those of the Dvor that runs on it; where none does, PostgreSQL is started for the time
    of the block. Databases are not migrated here. `existing` refuses to make a folder where there
    is none. Where the environment names a server and the secret, as in a container, no folder is
    needed. Raises Problem.
    """
    folder = DataFolder(data)
    if not folder.exists and (configured := _configured()):
        yield configured
        return
    if existing and not folder.exists:
        raise Problem(f"there is no Dvor in {folder.path}: name its folder with --data")
    try:
        folder.open()
    except InUse as used:
        if not used.database_url:
            raise
        yield _settings(folder, used.database_url, used.port)
        return
    with closing(folder):
        configured = Settings.from_environment().database_url
        if configured:
            yield _settings(folder, configured)
            return
        with EmbeddedPostgres(folder.postgres) as server:
            yield _settings(folder, server.dsn)


def _configured() -> Settings | None:
    """What the environment says, if that is enough to reach the databases and their secret."""
    level = os.environ.get("DVOR_LOG_LEVEL", "warning")
    settings = Settings.from_environment({**os.environ, "DVOR_LOG_LEVEL": level})
    return settings if settings.database_url and settings.secret else None


def _settings(folder: DataFolder, database_url: str, port: int | None = None) -> Settings:
    ours = {
        "DVOR_DATABASE_URL": database_url,
        "DVOR_SECRET": os.environ.get("DVOR_SECRET") or folder.secret().hex(),
        "DVOR_LOG_LEVEL": os.environ.get("DVOR_LOG_LEVEL", "warning"),
    }
    if port is not None:
        ours["DVOR_PORT"] = str(port)
    return Settings.from_environment({**os.environ, **ours})
