"""Argon2id, off the event loop and bounded: hashing takes the memory and CPU it is given."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from dvor.services.identity.threads import Threads

_argon2 = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
"""OWASP's minimum: 19 MiB, two passes, about 17 ms."""


class Passwords:
    """Makes and checks password hashes."""

    def __init__(self) -> None:
        self._threads = Threads(at_once=2, waiting_max=50)
        self._nobody: str | None = None

    def require_room(self) -> None:
        """Raises TooMany while the queue is full."""
        self._threads.require_room()

    async def hashed(self, password: str) -> str:
        """A new hash with today's parameters. Raises TooMany."""
        return await self._threads.run(_argon2.hash, password)

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Whether this is the password. None, for an unknown account, takes as long to say no."""
        if password_hash is None:
            self._nobody = self._nobody or await self.hashed("nobody's password")
            await self._threads.run(_verified, self._nobody, password)
            return False
        return await self._threads.run(_verified, password_hash, password)

    async def prepare(self) -> None:
        """Make the hash that stands for unknown accounts, so that the first is not slower."""
        self._nobody = await self.hashed("nobody's password")


def is_outdated(password_hash: str) -> bool:
    """Whether a hash was made with other parameters than today's."""
    return _argon2.check_needs_rehash(password_hash)


def _verified(password_hash: str, password: str) -> bool:
    try:
        return _argon2.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
