"""SQL of the line for what is sold out. Entries are locked after cells."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from dvor.contracts.catalog import Text
from dvor.contracts.inventory import Claim
from dvor.contracts.waiting import Waiting, WaitingStatus
from dvor.kernel.db import Connection, Record
from dvor.services.inventory import slots
from dvor.services.inventory.hold_queries import Columns
from dvor.services.inventory.slots import Line

_ENTRY = """
    SELECT waiting.*, offers.listing_id, offers.timezone, CASE WHEN status = 'waiting' THEN (
        SELECT count(*) FROM waiting AS other
        WHERE other.offer_id = waiting.offer_id AND other.status = 'waiting'
          AND other.place < waiting.place
          AND other.first_slot < waiting.end_slot AND waiting.first_slot < other.end_slot
    ) ELSE 0 END AS ahead, (
        SELECT (holds.claims[1]).seat_names FROM holds
        WHERE holds.id = waiting.id AND waiting.status IN ('offered', 'taken')
    ) AS seats
    FROM waiting JOIN offers USING (offer_id)
"""
BUFFER_MAX = 48
"""Units after a rental that it may take, too (contracts.inventory.Rules.buffer)."""


class Queued(NamedTuple):
    """Somebody in line, as the engine wants to know them."""

    id: UUID
    customer_id: UUID
    claim: Claim

    def wish(self) -> tuple[UUID, tuple[Claim], UUID]:
        """The hold that they would get."""
        return self.id, (self.claim,), self.customer_id


class Counts(NamedTuple):
    """How many entries there are already."""

    mine: int
    in_line: int


async def counts(db: Connection, customer_id: UUID, offer_id: UUID) -> Counts:
    """Of this customer, and for this offer."""
    row = await db.fetchrow(
        """
        SELECT (SELECT count(*) FROM waiting
                WHERE customer_id = $1 AND status IN ('waiting', 'offered')) AS mine,
               (SELECT count(*) FROM waiting WHERE offer_id = $2 AND status = 'waiting') AS in_line
        """,
        customer_id,
        offer_id,
    )
    assert row is not None
    return Counts(row["mine"], row["in_line"])


async def join(
    db: Connection, waiting_id: UUID, customer_id: UUID, line: Line, title: Text, name: Text
) -> None:
    """Write an entry at the end. Violates `waiting_once`."""
    await db.execute(
        """
        INSERT INTO waiting (id, customer_id, offer_id, first_slot, end_slot, hours_from,
            hours_until, quantity, title, name)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        waiting_id,
        customer_id,
        line.offer_id,
        line.first_slot,
        line.end_slot,
        line.hours_from,
        line.hours_until,
        line.quantity,
        title.model_dump(),
        name.model_dump(),
    )


async def mark(db: Connection, cells: Columns, *, waited: bool) -> None:
    """Note on locked cells whether somebody may wait for them."""
    await db.execute(
        """
        UPDATE cells SET waited = $3 FROM unnest($1::uuid[], $2::int[]) AS cell (offer_id, slot)
        WHERE cells.offer_id = cell.offer_id AND cells.slot = cell.slot AND cells.waited <> $3
        """,
        *cells,
        waited,
    )


async def in_line(db: Connection, cells: Columns) -> list[Queued]:
    """Who waits for some of these cells, in the order they came; any seat may be for anybody."""
    rows = await db.fetch(
        """
        SELECT waiting.* FROM waiting JOIN offers USING (offer_id)
        WHERE status = 'waiting' AND offer_id = ANY($1) AND EXISTS (
            SELECT FROM unnest($1::uuid[], $2::int[]) AS cell (offer_id, slot)
            WHERE cell.offer_id = waiting.offer_id
              AND (offers.seated OR slot >= first_slot AND slot < end_slot + $3)
        )
        ORDER BY place
        """,
        *cells,
        BUFFER_MAX,
    )
    return [Queued(row["id"], row["customer_id"], _claim(row)) for row in rows]


async def waited_slots(db: Connection, offer_id: UUID) -> list[int]:
    """The slots of an offer that somebody may wait for."""
    rows = await db.fetch("SELECT slot FROM cells WHERE offer_id = $1 AND waited", offer_id)
    return [row["slot"] for row in rows]


async def write_offered(
    db: Connection, waiting_ids: Sequence[UUID], untils: Sequence[datetime]
) -> int:
    """Note that these are offered what they wait for; answers how many still waited."""
    return await db.execute(
        """
        UPDATE waiting SET status = 'offered', offered_until = offer.until
        FROM unnest($1::uuid[], $2::timestamptz[]) AS offer (id, until)
        WHERE waiting.id = offer.id AND status = 'waiting'
        """,
        waiting_ids,
        untils,
    )


async def write_ended(
    db: Connection, waiting_ids: Collection[UUID], status: WaitingStatus
) -> list[UUID]:
    """Note what became of offers; answers those of these ids that were offers."""
    rows = await db.fetch(
        """
        UPDATE waiting SET status = $2, ended_at = dvor_now()
        WHERE id = ANY($1) AND status = 'offered' RETURNING id
        """,
        list(waiting_ids),
        status,
    )
    return [row["id"] for row in rows]


async def leave(db: Connection, waiting_id: UUID) -> bool:
    """Take somebody out of the line; False where they do not wait any more."""
    return bool(
        await db.execute(
            """
            UPDATE waiting SET status = 'left', ended_at = dvor_now()
            WHERE id = $1 AND status = 'waiting'
            """,
            waiting_id,
        )
    )


async def end_begun(db: Connection) -> int:
    """End waiting for what has begun: for days with a day of slack, for time zones."""
    return await db.execute(
        """
        UPDATE waiting SET status = 'over', ended_at = dvor_now() FROM offers
        WHERE waiting.status = 'waiting' AND offers.offer_id = waiting.offer_id
          AND offers.kind IN ('rental', 'stay')
          AND first_slot < CASE
              WHEN hours_from IS NULL THEN dvor_now()::date - date '1970-01-01' - 1
              ELSE extract(epoch FROM dvor_now()) / 3600 - 1 END
        """
    )


async def entry(db: Connection, waiting_id: UUID) -> tuple[UUID, Waiting] | None:
    """An entry and whose it is."""
    row = await db.fetchrow(f"{_ENTRY} WHERE waiting.id = $1", waiting_id)
    return (row["customer_id"], _shown(row)) if row else None


async def entries(db: Connection, waiting_ids: Iterable[UUID]) -> list[tuple[UUID, Waiting]]:
    """Entries and whose they are."""
    rows = await db.fetch(f"{_ENTRY} WHERE waiting.id = ANY($1)", list(waiting_ids))
    return [(row["customer_id"], _shown(row)) for row in rows]


async def entries_of(db: Connection, customer_id: UUID, limit: int) -> list[Waiting]:
    """A customer's entries: what is offered, what is waited for, then what ended last."""
    rows = await db.fetch(
        f"""
        {_ENTRY} WHERE waiting.customer_id = $1
        ORDER BY array_position(ARRAY['offered', 'waiting'], status), ended_at DESC, place LIMIT $2
        """,
        customer_id,
        limit,
    )
    return [_shown(row) for row in rows]


async def lines(
    db: Connection, offer_ids: Sequence[UUID], seller_id: UUID | None
) -> Sequence[Record]:
    """How many wait for offers of a seller, or (None) of anybody."""
    return await db.fetch(
        """
        SELECT offer_id, count(*) FILTER (WHERE status = 'waiting') AS people,
            coalesce(sum(waiting.quantity) FILTER (WHERE status = 'waiting'), 0) AS units,
            count(*) FILTER (WHERE status = 'offered') AS offered
        FROM waiting JOIN offers USING (offer_id)
        WHERE offer_id = ANY($1) AND status IN ('waiting', 'offered')
          AND ($2::uuid IS NULL OR offers.seller_id = $2)
        GROUP BY offer_id
        """,
        offer_ids,
        seller_id,
    )


def _claim(row: Record) -> Claim:
    return slots.claim(
        Line(
            row["offer_id"],
            row["first_slot"],
            row["end_slot"],
            quantity=row["quantity"],
            hours_from=row["hours_from"],
            hours_until=row["hours_until"],
        )
    )


def _shown(row: Record) -> Waiting:
    """An entry as its owner sees it."""
    claim = _claim(row)
    return Waiting(
        id=row["id"],
        status=WaitingStatus(row["status"]),
        offer_id=row["offer_id"],
        listing_id=row["listing_id"],
        title=Text(**row["title"]),
        name=Text(**row["name"]),
        quantity=row["quantity"],
        dates=claim.dates,
        hours=claim.hours,
        timezone=row["timezone"],
        ahead=row["ahead"],
        joined_at=row["joined_at"],
        offered_until=row["offered_until"],
        seats=tuple(row["seats"] or ()),
    )
