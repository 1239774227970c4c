"""The statements about promo codes and sellers' taxes."""

from datetime import datetime
from uuid import UUID

from dvor.contracts.pricing import Label, Tax
from dvor.contracts.promos import Promo, PromoDraft
from dvor.kernel.db import Connection, Record


async def tax(db: Connection, seller_id: UUID) -> Tax:
    """A seller's tax; none where they have not named one."""
    row = await db.fetchrow("SELECT * FROM seller_taxes WHERE seller_id = $1", seller_id)
    if row is None:
        return Tax()
    name = Label(ru=row["name_ru"], en=row["name_en"])
    return Tax(name=name, rate=row["rate"], included=row["included"])


async def write_tax(db: Connection, seller_id: UUID, tax: Tax) -> None:
    """Make this a seller's tax; a rate of 0 ends it."""
    if not tax.rate:
        await db.execute("DELETE FROM seller_taxes WHERE seller_id = $1", seller_id)
        return
    await db.execute(
        """
        INSERT INTO seller_taxes (seller_id, name_ru, name_en, rate, included)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (seller_id) DO UPDATE SET name_ru = excluded.name_ru,
            name_en = excluded.name_en, rate = excluded.rate, included = excluded.included
        """,
        seller_id,
        tax.name.ru,
        tax.name.en,
        tax.rate,
        tax.included,
    )


async def insert_promo(
    db: Connection, promo_id: UUID, seller_id: UUID | None, draft: PromoDraft
) -> bool:
    """Write a code; False where this id exists already. Violates `promos_code_unique`."""
    return bool(
        await db.execute(
            """
            INSERT INTO promos (id, code, seller_id, percent, amount, currency, minimum, kinds,
                                listing_ids, valid_from, valid_until, uses, per_customer,
                                created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, dvor_now())
            ON CONFLICT ON CONSTRAINT promos_pkey DO NOTHING
            """,
            promo_id,
            draft.code.upper(),
            seller_id,
            draft.percent,
            draft.amount,
            draft.currency,
            draft.minimum,
            list(draft.kinds),
            list(draft.listing_ids),
            draft.valid_from,
            draft.valid_until,
            draft.uses,
            draft.per_customer,
        )
    )


async def promo(db: Connection, promo_id: UUID) -> Promo | None:
    """One code."""
    row = await db.fetchrow("SELECT * FROM promos WHERE id = $1", promo_id)
    return _promo(row) if row else None


async def promo_of_code(db: Connection, code: str) -> Promo | None:
    """A code by what customers type."""
    row = await db.fetchrow("SELECT * FROM promos WHERE code = $1", code.upper())
    return _promo(row) if row else None


async def promos(
    db: Connection, seller_id: UUID | None, before: tuple[datetime, UUID] | None, limit: int
) -> list[Promo]:
    """A seller's codes, or the platform's, newest first."""
    rows = await db.fetch(
        """
        SELECT * FROM promos WHERE seller_id IS NOT DISTINCT FROM $1
            AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3::uuid))
        ORDER BY created_at DESC, id DESC LIMIT $4
        """,
        seller_id,
        *(before or (None, None)),
        limit,
    )
    return [_promo(row) for row in rows]


async def set_promo_active(db: Connection, promo_id: UUID, *, active: bool) -> None:
    """Stop a code, or let it be used again."""
    await db.execute("UPDATE promos SET active = $2 WHERE id = $1", promo_id, active)


async def foreign_listings(db: Connection, seller_id: UUID, listing_ids: list[UUID]) -> bool:
    """Whether some of these listings are not this seller's."""
    own = await db.fetchval(
        "SELECT count(*) FROM listings WHERE seller_id = $1 AND id = ANY ($2::uuid[])",
        seller_id,
        listing_ids,
    )
    return own < len(set(listing_ids))


def _promo(row: Record) -> Promo:
    return Promo(
        id=row["id"],
        code=row["code"],
        seller_id=row["seller_id"],
        percent=row["percent"],
        amount=row["amount"],
        currency=row["currency"],
        minimum=row["minimum"],
        kinds=tuple(row["kinds"]),
        listing_ids=tuple(row["listing_ids"]),
        valid_from=row["valid_from"],
        valid_until=row["valid_until"],
        uses=row["uses"],
        per_customer=row["per_customer"],
        active=row["active"],
        created_at=row["created_at"],
    )
