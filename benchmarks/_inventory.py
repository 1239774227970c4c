"""Inventory on a PostgreSQL of its own, fsync on: what benchmarks measure."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from dvor.kernel.config import Settings
from dvor.kernel.db import Database
from dvor.kernel.migrations import migrate
from dvor.kernel.postgres import EmbeddedPostgres
from dvor.kernel.process import collect_seldom
from dvor.services.inventory.service import InventoryService

STATEMENT_TIMEOUT_MS = 3_600_000
"""Filling ten million claims is one statement."""


@asynccontextmanager
async def inventory() -> AsyncIterator[tuple[InventoryService, str]]:
    """The service and the address of its server; both end with the block."""
    with (
        tempfile.TemporaryDirectory(prefix="dvor-bench-") as folder,
        EmbeddedPostgres(Path(folder) / "pg") as server,
    ):
        settings = Settings(
            database_url=server.dsn,
            secret=b"b" * 32,
            statement_timeout_ms=STATEMENT_TIMEOUT_MS,
        )
        url = settings.database("inventory")
        await migrate(url, "dvor.services.inventory")
        db = Database("inventory", url, settings)
        await db.open()
        catalog = cast("Any", None)  # holds and searches never ask it
        service = InventoryService(db=db, settings=settings, catalog=catalog)
        collect_seldom()
        try:
            yield service, server.dsn
        finally:
            await service.stop()
            await db.close()
