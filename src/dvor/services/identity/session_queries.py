"""SQL of signing in: sessions, tokens, attempts, keys. One typed function per statement."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from dvor.kernel.db import Connection, Record

# Sessions


async def insert_session(
    db: Connection,
    session_id: UUID,
    user_id: UUID,
    *,
    kind: str,
    token_hash: bytes | None,
    client: str,
    lifetime: timedelta,
) -> datetime:
    """A new place where a person is signed in; answers when that ends."""
    return await db.fetchval(
        """
        INSERT INTO sessions
            (id, user_id, kind, token_hash, client, created_at, used_at, expires_at)
        SELECT $1, $2, $3, $4, $5, n, n, n + $6::interval FROM dvor_now() AS n
        RETURNING expires_at
        """,
        session_id,
        user_id,
        kind,
        token_hash,
        client,
        lifetime,
    )


async def browser_session(
    db: Connection, token_hash: bytes, idle: timedelta, touch_after: timedelta
) -> Record | None:
    """Who holds a live browser session now."""
    return await db.fetchrow(
        """
        SELECT s.id, s.user_id, u.roles, u.language, s.used_at < dvor_now() - $3::interval AS stale
        FROM sessions s JOIN users u ON u.id = s.user_id
        WHERE s.token_hash = $1 AND s.expires_at > dvor_now()
          AND s.used_at > dvor_now() - $2::interval AND NOT u.blocked
        """,
        token_hash,
        idle,
        touch_after,
    )


async def api_sessions(
    db: Connection, session_ids: Sequence[UUID], touch_after: timedelta
) -> dict[UUID, Record]:
    """Who holds these API sessions, those that live now."""
    rows = await db.fetch(
        """
        SELECT s.id, s.user_id, u.roles, u.language, s.used_at < dvor_now() - $2::interval AS stale
        FROM sessions s JOIN users u ON u.id = s.user_id
        WHERE s.id = ANY($1::uuid[]) AND s.kind = 'api' AND s.expires_at > dvor_now()
          AND NOT u.blocked
        """,
        session_ids,
        touch_after,
    )
    return {row["id"]: row for row in rows}


async def touch_session(db: Connection, session_id: UUID) -> None:
    """Note that a session was used."""
    await db.execute(
        "UPDATE sessions SET used_at = greatest(used_at, dvor_now()) WHERE id = $1", session_id
    )


async def live_sessions(db: Connection, user_id: UUID, idle: timedelta, limit: int) -> list[Record]:
    """Where a person is signed in, the last used first."""
    return await db.fetch(
        """
        SELECT id, client, created_at, used_at FROM sessions
        WHERE user_id = $1 AND expires_at > dvor_now()
          AND (kind = 'api' OR used_at > dvor_now() - $2::interval)
        ORDER BY used_at DESC, id DESC LIMIT $3
        """,
        user_id,
        idle,
        limit,
    )


async def delete_browser_session(db: Connection, token_hash: bytes) -> UUID | None:
    """End the session of this token; answers whose it was."""
    return await db.fetchval(
        "DELETE FROM sessions WHERE token_hash = $1 RETURNING user_id", token_hash
    )


async def delete_session(db: Connection, session_id: UUID) -> None:
    """End a session with its tokens."""
    await db.execute("DELETE FROM sessions WHERE id = $1", session_id)


async def delete_own_session(db: Connection, user_id: UUID, session_id: UUID) -> None:
    """End a session if it is this person's."""
    await db.execute("DELETE FROM sessions WHERE id = $2 AND user_id = $1", user_id, session_id)


async def delete_other_sessions(db: Connection, user_id: UUID, kept: UUID | None) -> None:
    """End all sessions of a person but one."""
    await db.execute(
        "DELETE FROM sessions WHERE user_id = $1 AND id IS DISTINCT FROM $2", user_id, kept
    )


async def delete_ended_sessions(db: Connection, idle: timedelta, limit: int) -> int:
    """Forget some sessions that ended by themselves; answers how many."""
    return await db.execute(
        """
        DELETE FROM sessions WHERE id IN (
            SELECT id FROM sessions
            WHERE expires_at <= dvor_now()
               OR (kind = 'browser' AND used_at <= dvor_now() - $1::interval)
            ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED
        )
        """,
        idle,
        limit,
    )


# Refresh tokens


async def insert_refresh_token(db: Connection, token_hash: bytes, session_id: UUID) -> None:
    """The first token of a family."""
    await db.execute(
        "INSERT INTO refresh_tokens (hash, session_id) VALUES ($1, $2)", token_hash, session_id
    )


async def lock_family(db: Connection, token_hash: bytes) -> Record | None:
    """The live session that a refresh token belongs to, locked, with its person."""
    return await db.fetchrow(
        """
        SELECT s.id AS session_id, u.*
        FROM sessions s JOIN users u ON u.id = s.user_id
        WHERE s.id = (SELECT session_id FROM refresh_tokens WHERE hash = $1)
          AND s.expires_at > dvor_now() AND NOT u.blocked
        FOR UPDATE OF s
        """,
        token_hash,
    )


async def rotate_refresh_token(db: Connection, token_hash: bytes, next_hash: bytes) -> bool:
    """Use up an unused token and make its successor, in one statement; False if it was used."""
    return (
        await db.fetchval(
            """
        WITH used AS (
            UPDATE refresh_tokens SET used_at = dvor_now()
            WHERE hash = $1 AND used_at IS NULL
            RETURNING session_id
        ), next AS (
            INSERT INTO refresh_tokens (hash, session_id, parent)
            SELECT $2, session_id, $1 FROM used
            RETURNING session_id
        )
        UPDATE sessions s SET used_at = greatest(s.used_at, dvor_now())
        FROM next WHERE s.id = next.session_id
        RETURNING true
        """,
            token_hash,
            next_hash,
        )
        or False
    )


async def used_within(db: Connection, token_hash: bytes, grace: timedelta) -> bool:
    """Whether a token was used no longer ago than `grace`."""
    return (
        await db.fetchval(
            "SELECT used_at > dvor_now() - $2::interval FROM refresh_tokens WHERE hash = $1",
            token_hash,
            grace,
        )
        or False
    )


async def delete_family(db: Connection, token_hash: bytes) -> UUID | None:
    """End the session that a refresh token belongs to; answers whose it was."""
    return await db.fetchval(
        """
        DELETE FROM sessions
        WHERE id = (SELECT session_id FROM refresh_tokens WHERE hash = $1) RETURNING user_id
        """,
        token_hash,
    )


# Attempts


async def count_attempt(
    db: Connection, subject: str, waits: Sequence[timedelta], forget_after: timedelta
) -> bool:
    """Count an attempt before it is evaluated; False while this subject has to wait.

    The n-th of `waits` is the wait after the n-th attempt. Nothing to wait for is the past and
    not the present, because parallel attempts read the clock before they wait for the row. A
    count from the future is forgotten: the virtual clock went back.
    """
    return (
        await db.fetchval(
            """
            WITH t AS (SELECT dvor_now() AS now)
            INSERT INTO attempts AS a (subject, count, last_at, retry_at)
            SELECT $1, 1, now, coalesce(now + nullif(($2::interval[])[1], '0'), '-infinity') FROM t
            ON CONFLICT (subject) DO UPDATE SET
                (count, last_at, retry_at) = (
                    SELECT n, excluded.last_at, coalesce(
                        excluded.last_at
                            + nullif(($2::interval[])[least(n, cardinality($2::interval[]))], '0'),
                        '-infinity')
                    FROM (SELECT CASE
                        WHEN a.last_at BETWEEN excluded.last_at - $3::interval
                                           AND excluded.last_at + interval '1 minute'
                        THEN a.count + 1 ELSE 1 END) AS c (n)
                )
            WHERE a.retry_at <= excluded.last_at
               OR a.last_at > excluded.last_at + interval '1 minute'
            RETURNING true
            """,
            subject,
            list(waits),
            forget_after,
        )
        or False
    )


async def forget_attempts_of(db: Connection, subject: str) -> None:
    """This subject proved itself: it starts anew."""
    await db.execute("DELETE FROM attempts WHERE subject = $1", subject)


async def take_back_attempt(db: Connection, subject: str) -> None:
    """The last attempt of this subject was no failure."""
    await db.execute(
        "UPDATE attempts SET count = greatest(count - 1, 0) WHERE subject = $1", subject
    )


async def delete_old_attempts(db: Connection, forget_after: timedelta) -> None:
    """Forget subjects that were quiet."""
    await db.execute(
        "DELETE FROM attempts WHERE last_at < dvor_now() - $1::interval AND retry_at < dvor_now()",
        forget_after,
    )


async def remember_network(db: Connection, user_id: UUID, network: str) -> None:
    """Note that a person signed in from here."""
    await db.execute(
        """
        INSERT INTO familiar_networks (user_id, network, seen_at) VALUES ($1, $2, dvor_now())
        ON CONFLICT (user_id, network) DO UPDATE SET seen_at = excluded.seen_at
        """,
        user_id,
        network,
    )


async def delete_old_networks(db: Connection, forget_after: timedelta) -> None:
    """Forget networks that nobody came from lately."""
    await db.execute(
        "DELETE FROM familiar_networks WHERE seen_at < dvor_now() - $1::interval", forget_after
    )


# Signing keys


async def lock_signing_keys(db: Connection) -> None:
    """One process at a time makes keys."""
    await db.execute("SELECT pg_advisory_xact_lock(hashtext('identity signing keys'))")


async def signing_keys(db: Connection) -> list[Record]:
    """All keys, the newest first."""
    return await db.fetch("SELECT kid, private_key FROM signing_keys ORDER BY created_at DESC, kid")


async def has_fresh_signing_key(db: Connection, lifetime: timedelta) -> bool:
    """Whether there is a key that may still sign."""
    return await db.fetchval(
        "SELECT EXISTS (SELECT FROM signing_keys WHERE created_at > dvor_now() - $1::interval)",
        lifetime,
    )


async def insert_signing_key(db: Connection, kid: str, private_key: bytes) -> None:
    """Keep a new key."""
    await db.execute(
        "INSERT INTO signing_keys (kid, private_key, created_at) VALUES ($1, $2, dvor_now())",
        kid,
        private_key,
    )


async def delete_replaced_signing_keys(db: Connection, afterlife: timedelta) -> None:
    """Forget keys whose successor has been signing for `afterlife`."""
    await db.execute(
        """
        DELETE FROM signing_keys k WHERE EXISTS (
            SELECT FROM signing_keys later
            WHERE later.created_at > k.created_at
              AND later.created_at < dvor_now() - $1::interval
        )
        """,
        afterlife,
    )
