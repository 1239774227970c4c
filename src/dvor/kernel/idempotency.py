"""One idempotency key, one effect, one answer (IETF draft-ietf-httpapi-idempotency-key-header).

A key belongs to a person (a guest is known by a secret) and an operation. While the first request is under way its twins get
409; afterwards they get its stored answer; the same key with another body gets 422. Answers of
5xx are not stored: a retry runs again, and the services derive what they create from the key, so
running again continues rather than repeats.
"""

import json
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from dvor.kernel import points
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


@dataclass(frozen=True)
class Answer:
    """A stored response."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Claim:
    """The right to run a request once."""

    principal: str
    operation: str
    key: UUID
    epoch: int


_CLAIM = """
INSERT INTO idempotency_keys AS k (principal, operation, key, fingerprint, lease_until)
VALUES ($1, $2, $3, $4, clock_timestamp() + $5::interval)
ON CONFLICT (principal, operation, key) DO UPDATE
    SET epoch = k.epoch + 1, lease_until = excluded.lease_until
    WHERE k.state = 'under_way' AND k.lease_until < clock_timestamp()
      AND k.fingerprint = excluded.fingerprint
RETURNING epoch
"""
_LOOK = """
SELECT state, fingerprint, status, headers, body FROM idempotency_keys
WHERE principal = $1 AND operation = $2 AND key = $3
"""
_STORE = """
UPDATE idempotency_keys SET state = 'done', status = $5, headers = $6, body = $7
WHERE principal = $1 AND operation = $2 AND key = $3 AND epoch = $4 AND state = 'under_way'
"""
_DROP = """
DELETE FROM idempotency_keys
WHERE principal = $1 AND operation = $2 AND key = $3 AND epoch = $4 AND state = 'under_way'
"""
_FORGET = "DELETE FROM idempotency_keys WHERE made_at < dvor_now() - make_interval(days => $1)"


async def claim(
    db: Database, principal: str, operation: str, key: UUID, body: bytes, lease_seconds: int
) -> Claim | Answer:
    """The right to run, or the stored answer. Raises KeyBusy, KeyReused."""
    fingerprint = _fingerprint(body)
    epoch = await db.fetchval(
        _CLAIM, principal, operation, key, fingerprint, timedelta(seconds=lease_seconds)
    )
    if epoch is not None:
        points.reached("answer.claimed")
        return Claim(principal, operation, key, epoch)
    row: Any = await db.fetchrow(_LOOK, principal, operation, key)
    if row is None:  # its first run failed and dropped the key just now
        raise KeyBusy
    if row["fingerprint"] != fingerprint:
        raise KeyReused
    if row["state"] == "under_way":
        raise KeyBusy
    return Answer(row["status"], row["headers"], row["body"])


def _fingerprint(body: bytes) -> bytes:
    """Of what a body means: JSON with other spaces or another order of fields is the same."""
    try:
        meant = json.dumps(json.loads(body), sort_keys=True, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        meant = body
    return sha256(meant).digest()


async def store(db: Database, won: Claim, answer: Answer) -> None:
    """Remember the answer of a definite outcome."""
    points.reached("answer.before_store")
    await db.execute(
        _STORE,
        won.principal,
        won.operation,
        won.key,
        won.epoch,
        answer.status,
        answer.headers,
        answer.body,
    )
    points.reached("answer.after_store")


async def drop(db: Database, won: Claim) -> None:
    """Nothing definite came out: let a retry run."""
    await db.execute(_DROP, won.principal, won.operation, won.key, won.epoch)


async def forget(db: Database, days: int) -> None:
    """Drop answers older than this."""
    await db.execute(_FORGET, days)
