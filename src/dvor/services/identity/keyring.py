"""The signing keys: in a table, the same for every process, the newest signs and all verify."""

import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from dvor.kernel.db import Database
from dvor.kernel.tokens import SigningKey, load_key, new_key
from dvor.services.identity import rules, session_queries

RELOAD_SECONDS = 60.0
"""How soon a process signs with a key that another one made, or drops one."""
UNKNOWN_RELOAD_SECONDS = 1.0
"""How often a token with an unknown key may make us look."""


class KeyRing:
    """Keys as last read from the table."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._keys: dict[str, SigningKey] = {}
        self._read_at = float("-inf")

    async def renew(self) -> None:
        """Make a key where there is none, or none that is young enough; forget old ones."""
        async with self._db.tx() as tx:
            await session_queries.lock_signing_keys(tx)
            if not await session_queries.has_fresh_signing_key(tx, rules.KEY_LIFETIME):
                made = new_key()
                await session_queries.insert_signing_key(tx, made.kid, made.private_bytes())
            await session_queries.delete_replaced_signing_keys(tx, rules.KEY_AFTERLIFE)
        await self._read()

    async def newest(self) -> SigningKey:
        """The key that signs."""
        return (await self.all())[0]

    async def all(self) -> list[SigningKey]:
        """Every key that verifies, the newest first."""
        if self._age() > RELOAD_SECONDS:
            await self._read()
        return list(self._keys.values())

    async def public(self, kid: str) -> Ed25519PublicKey | None:
        """The public key of this name; None where there is none."""
        limit = RELOAD_SECONDS if kid in self._keys else UNKNOWN_RELOAD_SECONDS
        if self._age() > limit:
            await self._read()
        key = self._keys.get(kid)
        return key.public if key else None

    def _age(self) -> float:
        return time.monotonic() - self._read_at

    async def _read(self) -> None:
        rows = await session_queries.signing_keys(self._db)
        self._keys = {row["kid"]: load_key(row["private_key"]) for row in rows}
        self._read_at = time.monotonic()
