"""SQL of accounts and pictures: one typed function per statement."""

from collections.abc import Sequence
from uuid import UUID

from dvor.kernel.db import Connection, Record

# Accounts


async def insert_user(
    db: Connection,
    user_id: UUID,
    *,
    email: str,
    password_hash: str,
    name: str,
    roles: Sequence[str],
    language: str,
) -> Record | None:
    """A new account; None where the e-mail is taken."""
    return await db.fetchrow(
        """
        INSERT INTO users (id, email, password_hash, name, roles, language, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, dvor_now())
        ON CONFLICT (lower(email)) DO NOTHING
        RETURNING *
        """,
        user_id,
        email,
        password_hash,
        name,
        roles,
        language,
    )


async def user(db: Connection, user_id: UUID) -> Record | None:
    """An account."""
    return await db.fetchrow("SELECT * FROM users WHERE id = $1", user_id)


async def user_by_email(db: Connection, email: str, network: str) -> Record | None:
    """An account by its e-mail, and whether it has signed in from this network before."""
    return await db.fetchrow(
        """
        SELECT u.*, EXISTS (
            SELECT FROM familiar_networks f WHERE f.user_id = u.id AND f.network = $2
        ) AS familiar
        FROM users u WHERE lower(u.email) = lower($1)
        """,
        email,
        network,
    )


async def lock_user(db: Connection, user_id: UUID) -> Record | None:
    """An account, locked: sign-ins, blocks and changes of the password take turns."""
    return await db.fetchrow("SELECT * FROM users WHERE id = $1 FOR NO KEY UPDATE", user_id)


async def lock_user_and_admins(db: Connection, user_id: UUID) -> list[Record]:
    """An account and all working admins, locked in the order of their keys."""
    return await db.fetch(
        """
        SELECT * FROM users
        WHERE id = $1 OR ('admin' = ANY (roles) AND NOT blocked)
        ORDER BY id FOR NO KEY UPDATE
        """,
        user_id,
    )


async def users_page(db: Connection, text: str, before: UUID | None, limit: int) -> list[Record]:
    """Accounts whose e-mail or name contains `text`, newest first."""
    return await db.fetch(
        """
        SELECT * FROM users
        WHERE ($1 = '' OR strpos(lower(email), lower($1)) > 0 OR strpos(lower(name), lower($1)) > 0)
          AND ($2::uuid IS NULL OR id < $2)
        ORDER BY id DESC LIMIT $3
        """,
        text,
        before,
        limit,
    )


async def users_among(db: Connection, user_ids: Sequence[UUID]) -> list[Record]:
    """Those of these accounts that exist."""
    return await db.fetch("SELECT * FROM users WHERE id = ANY ($1::uuid[])", list(user_ids))


async def update_profile(
    db: Connection,
    user_id: UUID,
    *,
    name: str | None,
    language: str | None,
    phone: str | None,
    city: str | None,
    about: str | None,
) -> Record | None:
    """Change what is not None."""
    return await db.fetchrow(
        """
        UPDATE users SET
            name = coalesce($2, name), language = coalesce($3, language),
            phone = coalesce($4, phone), city = coalesce($5, city), about = coalesce($6, about)
        WHERE id = $1 RETURNING *
        """,
        user_id,
        name,
        language,
        phone,
        city,
        about,
    )


async def set_standing(
    db: Connection, user_id: UUID, roles: Sequence[str], blocked: bool
) -> Record | None:
    """Change what an account may do."""
    return await db.fetchrow(
        "UPDATE users SET roles = $2, blocked = $3 WHERE id = $1 RETURNING *",
        user_id,
        roles,
        blocked,
    )


async def set_password_hash(db: Connection, user_id: UUID, password_hash: str) -> None:
    """Change how a password is proved."""
    await db.execute("UPDATE users SET password_hash = $2 WHERE id = $1", user_id, password_hash)


# Avatars


async def set_avatar_version(db: Connection, user_id: UUID, version: str) -> Record | None:
    """Note which picture an account has; empty for none."""
    return await db.fetchrow(
        "UPDATE users SET avatar = $2 WHERE id = $1 RETURNING *", user_id, version
    )


async def put_avatar(
    db: Connection, user_id: UUID, content: bytes, content_type: str, version: str
) -> None:
    """Keep a picture."""
    await db.execute(
        """
        INSERT INTO avatars (user_id, content, content_type, version) VALUES ($1, $2, $3, $4)
        ON CONFLICT (user_id) DO UPDATE
            SET content = $2, content_type = $3, version = $4
        """,
        user_id,
        content,
        content_type,
        version,
    )


async def delete_avatar(db: Connection, user_id: UUID) -> None:
    """Forget a picture."""
    await db.execute("DELETE FROM avatars WHERE user_id = $1", user_id)


async def avatar(db: Connection, user_id: UUID) -> Record | None:
    """A picture."""
    return await db.fetchrow(
        "SELECT content, content_type, version FROM avatars WHERE user_id = $1", user_id
    )
