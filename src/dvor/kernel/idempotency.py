"""One idempotency key, one effect, one answer (IETF draft-ietf-httpapi-idempotency-key-header).

A key belongs to a person (a guest is known by a secret) and an operation. While the first request
is under way its twins get 409; afterwards they get its stored answer; the same key with another
body gets 422. Answers of 5xx are not stored: a retry runs again, and the services derive what they
create from the key, so running again continues rather than repeats.
"""

import json
from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

from dvor.kernel import points
from dvor.kernel.batch import Batcher, writer
from dvor.kernel.config import Settings
from dvor.kernel.db import Database
from dvor.kernel.errors import Conflict, Invalid, Refusal


class KeyMissing(Refusal):
    """This request needs an Idempotency-Key header with a UUID."""

    http_status = 400
    grpc_status = "INVALID_ARGUMENT"


class KeyBusy(Conflict):
    """The same request is still under way. Ask again in a moment."""

    retry_after_seconds = 1


class KeyReused(Invalid):
    """This Idempotency-Key was used for a different request. Use a new one."""


class Answer(NamedTuple):
    """A stored response."""

    status: int
    headers: dict[str, str]
    body: bytes


class Asked(NamedTuple):
    """What a request wants to run once."""

    principal: str
    operation: str
    key: UUID
    fingerprint: bytes


class Claim(NamedTuple):
    """The right to run a request once."""

    principal: str
    operation: str
    key: UUID
    epoch: int


_BATCH_MAX, _QUEUE_MAX, _LANES = 256, 5000, 2
"""Keys in one statement; requests that may wait for one; statements at the same time."""

_CLAIM = """
INSERT INTO idempotency_keys AS k (principal, operation, key, fingerprint, lease_until)
SELECT principal, operation, key, fingerprint, clock_timestamp() + $5::interval
FROM unnest($1::text[], $2::text[], $3::uuid[], $4::bytea[])
    AS asked (principal, operation, key, fingerprint)
ON CONFLICT (principal, operation, key) DO UPDATE
    SET epoch = k.epoch + 1, lease_until = excluded.lease_until
    WHERE k.state = 'under_way' AND k.lease_until < clock_timestamp()
      AND k.fingerprint = excluded.fingerprint
RETURNING principal, operation, key, epoch
"""
_LOOK = """
SELECT state, fingerprint, status, headers, body FROM idempotency_keys
WHERE principal = $1 AND operation = $2 AND key = $3
"""
_STORE = """
UPDATE idempotency_keys AS k
SET state = 'done', status = won.status, headers = won.headers, body = won.body
FROM unnest($1::text[], $2::text[], $3::uuid[], $4::int[], $5::int[], $6::jsonb[], $7::bytea[])
    AS won (principal, operation, key, epoch, status, headers, body)
WHERE k.principal = won.principal AND k.operation = won.operation AND k.key = won.key
  AND k.epoch = won.epoch AND k.state = 'under_way'
"""
_DROP = """
DELETE FROM idempotency_keys AS k
USING unnest($1::text[], $2::text[], $3::uuid[], $4::int[])
    AS won (principal, operation, key, epoch)
WHERE k.principal = won.principal AND k.operation = won.operation AND k.key = won.key
  AND k.epoch = won.epoch AND k.state = 'under_way'
"""
_FORGET = "DELETE FROM idempotency_keys WHERE made_at < dvor_now() - make_interval(days => $1)"


class Keys:
    """The keys of one database. What many requests claim or store at once goes in one statement."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self._db = db
        self._lease = timedelta(seconds=settings.idempotency_lease_seconds)
        limits: dict[str, Any] = {"batch_max": _BATCH_MAX, "queue_max": _QUEUE_MAX, "lanes": _LANES}
        self._claims = Batcher(self._claim_all, **limits)
        self._stores = writer(self._store_all, **limits)
        self._drops = writer(self._drop_all, **limits)

    async def claim(self, asked: Asked) -> Claim | Answer:
        """The right to run, or the stored answer. Raises KeyBusy, KeyReused."""
        epoch = await self._claims.ask(asked)
        if epoch:
            points.reached("answer.claimed")
            return Claim(asked.principal, asked.operation, asked.key, epoch)
        row: Any = await self._db.fetchrow(_LOOK, asked.principal, asked.operation, asked.key)
        if row is None:  # its first run failed and dropped the key just now
            raise KeyBusy
        if row["fingerprint"] != asked.fingerprint:
            raise KeyReused
        if row["state"] == "under_way":
            raise KeyBusy
        return Answer(row["status"], row["headers"], row["body"])

    async def _claim_all(self, asked: Sequence[Asked]) -> list[int]:
        """The epoch of each that may run; 0: somebody had the key before."""
        # In one order, as everybody takes them: nobody waits in a circle.
        columns = map(list, zip(*sorted(asked), strict=True))
        found = await self._db.fetch(_CLAIM, *columns, self._lease)
        won = {(row["principal"], row["operation"], row["key"]): row["epoch"] for row in found}
        return [won.get((a.principal, a.operation, a.key), 0) for a in asked]

    async def store(self, won: Claim, answer: Answer) -> None:
        """Remember the answer of a definite outcome."""
        points.reached("answer.before_store")
        await self._stores.ask((won, answer))
        points.reached("answer.after_store")

    async def _store_all(self, done: Sequence[tuple[Claim, Answer]]) -> None:
        rows = [(*won, *answer) for won, answer in done]
        columns = map(list, zip(*sorted(rows, key=itemgetter(2)), strict=True))
        await self._db.execute(_STORE, *columns)

    async def drop(self, won: Claim) -> None:
        """Nothing definite came out: let a retry run."""
        await self._drops.ask(won)

    async def _drop_all(self, won: Sequence[Claim]) -> None:
        rows = sorted(won, key=itemgetter(2))
        await self._db.execute(_DROP, *map(list, zip(*rows, strict=True)))

    async def close(self) -> None:
        """Take no more; what was asked is answered first."""
        await self._claims.close()
        await self._stores.close()
        await self._drops.close()


def fingerprint(body: bytes) -> bytes:
    """Of what a body means: JSON with other spaces or another order of fields is the same."""
    try:
        meant = json.dumps(json.loads(body), sort_keys=True, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        meant = body
    return sha256(meant).digest()


async def forget(db: Database, days: int) -> None:
    """Drop answers older than this."""
    await db.execute(_FORGET, days)
