"""Proving who somebody is by a password: counted, bounded, and saying nothing about others."""

from dataclasses import dataclass
from uuid import UUID

from dvor.contracts.identity import Credentials, TooManyAttempts, WrongCredentials
from dvor.kernel.db import Database, Record, Tx
from dvor.services.identity import queries, rules, session_queries
from dvor.services.identity.password_strength import canonical_password
from dvor.services.identity.passwords import Passwords, is_outdated
from dvor.services.identity.rules import Subject


@dataclass(frozen=True)
class Proof:
    """A password was right a moment ago."""

    user_id: UUID
    password_hash: str
    """What it was right for; it may have changed since."""
    better_hash: str | None
    """A hash of the same password with today's parameters, where the old one is outdated."""
    network: str
    subjects: tuple[Subject, ...]


class Proofs:
    """Checks passwords."""

    def __init__(self, db: Database, passwords: Passwords) -> None:
        self._db = db
        self._passwords = passwords

    async def count(self, subjects: list[Subject]) -> None:
        """Count an attempt before it is evaluated: parallel guesses count too.

        Raises TooManyAttempts, and TooMany without counting while the hash queue is full.
        """
        self._passwords.require_room()
        async with self._db.tx() as tx:
            for subject in subjects:
                counted = await session_queries.count_attempt(
                    tx, subject.name, subject.waits, rules.FORGET_ATTEMPTS
                )
                if not counted:
                    raise TooManyAttempts

    async def by_credentials(self, credentials: Credentials, address: str) -> Proof:
        """Check an e-mail and a password. Raises WrongCredentials, TooManyAttempts, TooMany.

        An unknown e-mail takes the same steps and as long as a wrong password.
        """
        email = rules.canonical_email(credentials.email)
        network = rules.network_of(address)
        row = await queries.user_by_email(self._db, email, network)
        familiar = row is not None and row["familiar"]
        subjects = rules.subjects("sign_in", email, network, familiar=familiar)
        password = canonical_password(credentials.password.get_secret_value())
        return await self._checked(row, password, network, subjects)

    async def by_password(self, row: Record, password: str) -> Proof:
        """Check the password of somebody signed in. Raises like `by_credentials`."""
        subjects = rules.subjects("password", str(row["id"]), "")
        return await self._checked(row, canonical_password(password), "", subjects)

    async def _checked(
        self, row: Record | None, password: str, network: str, subjects: list[Subject]
    ) -> Proof:
        await self.count(subjects)
        password_hash = row["password_hash"] if row else None
        right = await self._passwords.matches(password_hash, password)
        if row is None or password_hash is None or not right:
            raise WrongCredentials
        outdated = is_outdated(password_hash)
        better = await self._passwords.hashed(password) if outdated else None
        return Proof(row["id"], password_hash, better, network, tuple(subjects))

    async def admit(self, tx: Tx, proof: Proof) -> Record:
        """The person of a proof, locked, if it still holds; their attempts are forgotten.

        Raises WrongCredentials where the account was blocked or the password changed meanwhile:
        the lock makes this sign-in come before or after such a change, never beside it.
        """
        row = await queries.lock_user(tx, proof.user_id)
        if row is None or row["blocked"] or row["password_hash"] != proof.password_hash:
            raise WrongCredentials
        if proof.better_hash is not None:
            await queries.set_password_hash(tx, proof.user_id, proof.better_hash)
        account, *networks = proof.subjects
        await session_queries.forget_attempts_of(tx, account.name)
        for network in networks:
            await session_queries.take_back_attempt(tx, network.name)
        if proof.network:
            await session_queries.remember_network(tx, proof.user_id, proof.network)
        return row
