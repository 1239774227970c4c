"""All SQL of the books: shares of payments, postings, sellers' balances, payouts."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from dvor.kernel.db import Connection, Record
from dvor.services.payments.ledger import Posting, Transaction


async def shrink_shares(db: Connection, payment_id: UUID, shares: Mapping[UUID, int]) -> None:
    """The bank gave less than was asked: the shares are of what it gave."""
    await db.execute(
        """
        UPDATE payment_shares AS s SET amount = new.amount
        FROM unnest($2::uuid[], $3::bigint[]) AS new (seller_id, amount)
        WHERE s.payment_id = $1 AND s.seller_id = new.seller_id AND s.returned = 0
        """,
        payment_id,
        list(shares),
        list(shares.values()),
    )


async def left(db: Connection, payment_id: UUID) -> dict[UUID, int]:
    """What is left of each share. Whoever locks the payment first may rely on it."""
    rows = await db.fetch(
        "SELECT seller_id, amount - returned AS left FROM payment_shares"
        " WHERE payment_id = $1 ORDER BY seller_id",
        payment_id,
    )
    return {row["seller_id"]: row["left"] for row in rows}


async def give_back(db: Connection, payment_id: UUID, parts: Mapping[UUID, int]) -> int:
    """Take parts off shares (negative: put them back); answers how many shares had that much."""
    return await db.execute(
        """
        UPDATE payment_shares AS s SET returned = returned + new.part
        FROM unnest($2::uuid[], $3::bigint[]) AS new (seller_id, part)
        WHERE s.payment_id = $1 AND s.seller_id = new.seller_id
          AND s.returned + new.part BETWEEN 0 AND s.amount
        """,
        payment_id,
        list(parts),
        list(parts.values()),
    )


async def post(db: Connection, transactions: Sequence[Transaction]) -> None:
    """Write transactions with their postings and the balances that follow, each once.

    Balances are locked in one order by everybody: nobody waits in a circle.
    """
    await db.execute(
        """
        WITH fresh AS (
            INSERT INTO ledger_transactions (id, what, payment_id)
            SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[]) ORDER BY 1
            ON CONFLICT (id) DO NOTHING RETURNING id, at
        ), given AS (
            SELECT fresh.at, g.* FROM fresh JOIN unnest(
                $4::uuid[], $5::int[], $6::text[], $7::text[], $8::bigint[], $9::uuid[]
            ) AS g (transaction_id, position, currency, account, amount, seller_id)
            ON fresh.id = g.transaction_id
        ), owed AS (
            INSERT INTO seller_balances AS b (seller_id, currency, balance)
            SELECT seller_id, currency, -sum(amount) FROM given WHERE account = 'seller'
            GROUP BY seller_id, currency ORDER BY seller_id, currency
            ON CONFLICT (seller_id, currency) DO UPDATE
                SET balance = b.balance + excluded.balance
        )
        INSERT INTO postings (transaction_id, position, account, seller_id, currency, amount, at)
        SELECT transaction_id, position, account, seller_id, currency, amount, at FROM given
        """,
        [transaction.id for transaction in transactions],
        [transaction.what for transaction in transactions],
        [transaction.payment_id for transaction in transactions],
        *_columns(transactions),
    )


def _columns(transactions: Sequence[Transaction]) -> list[list[Any]]:
    columns: list[list[Any]] = [[], [], [], [], [], []]
    for transaction in transactions:
        for position, posting in enumerate(transaction.postings, 1):
            what = (posting.account, posting.amount, posting.seller_id)
            row = (transaction.id, position, transaction.currency, *what)
            for column, value in zip(columns, row, strict=True):
                column.append(value)
    return columns


async def postings(db: Connection, id: UUID) -> list[Posting]:
    """What a transaction consists of."""
    rows = await db.fetch(
        "SELECT account, amount, seller_id FROM postings WHERE transaction_id = $1"
        " ORDER BY position",
        id,
    )
    return [Posting(**row) for row in rows]


async def balances(db: Connection, seller_id: UUID) -> list[Record]:
    """What a seller is owed, what is contested and what was paid out, by currency."""
    return await db.fetch(
        """
        SELECT b.currency, b.balance,
            (SELECT coalesce(-sum(amount), 0)::bigint FROM postings p WHERE p.seller_id = $1
                AND p.account = 'contested' AND p.currency = b.currency) AS contested,
            (SELECT coalesce(sum(amount), 0)::bigint FROM payouts o WHERE o.seller_id = $1
                AND o.currency = b.currency) AS paid_out
        FROM seller_balances b WHERE b.seller_id = $1 ORDER BY b.currency
        """,
        seller_id,
    )


async def statement(
    db: Connection, seller_id: UUID, before: tuple[datetime, UUID] | None, limit: int
) -> list[Record]:
    """What moved a seller's balance, newest first."""
    return await db.fetch(
        """
        WITH moved AS (
            SELECT transaction_id AS id, at AS created_at, currency, -sum(amount)::bigint AS amount
            FROM postings
            WHERE account = 'seller' AND seller_id = $1
              AND ($2::timestamptz IS NULL OR (at, transaction_id) < ($2, $3))
            GROUP BY at, transaction_id, currency
            ORDER BY at DESC, transaction_id DESC LIMIT $4
        )
        SELECT moved.*, t.what, p.order_id, coalesce(p.order_number, '') AS order_number,
            (SELECT coalesce(-sum(c.amount), 0)::bigint FROM postings c
             WHERE c.transaction_id = moved.id AND c.account = 'commission'
               AND c.seller_id = $1) AS commission
        FROM moved JOIN ledger_transactions t ON t.id = moved.id
        LEFT JOIN payments p ON p.id = t.payment_id
        ORDER BY created_at DESC, id DESC
        """,
        seller_id,
        before[0] if before else None,
        before[1] if before else None,
        limit,
    )


async def start_run(db: Connection, key: UUID) -> Record | None:
    """A run of payouts: the new one, or the one that has this key."""
    await db.execute("INSERT INTO payout_runs (key) VALUES ($1) ON CONFLICT DO NOTHING", key)
    return await db.fetchrow("SELECT * FROM payout_runs WHERE key = $1", key)


async def end_run(db: Connection, key: UUID) -> None:
    """All are paid."""
    await db.execute(
        "UPDATE payout_runs SET finished_at = dvor_now() WHERE key = $1 AND finished_at IS NULL",
        key,
    )


async def due(db: Connection) -> list[Record]:
    """Who is owed something."""
    return await db.fetch(
        "SELECT seller_id, currency FROM seller_balances WHERE balance > 0"
        " ORDER BY seller_id, currency"
    )


async def pay_out(
    db: Connection, id: UUID, run_key: UUID, seller_id: UUID, currency: str
) -> int | None:
    """Pay all that a seller is owed now; None: nothing, or paid in this run already.

    The balance is locked until the caller has posted it.
    """
    return await db.fetchval(
        """
        WITH owed AS (
            SELECT balance FROM seller_balances
            WHERE seller_id = $3 AND currency = $4 AND balance > 0 FOR UPDATE
        )
        INSERT INTO payouts (id, run_key, seller_id, currency, amount)
        SELECT $1, $2, $3, $4, balance FROM owed
        ON CONFLICT DO NOTHING RETURNING amount
        """,
        id,
        run_key,
        seller_id,
        currency,
    )


async def payouts(
    db: Connection, seller_id: UUID | None, before: tuple[datetime, UUID] | None, limit: int
) -> list[Record]:
    """Payouts of a seller or of all, newest first."""
    return await db.fetch(
        """
        SELECT id, run_key, seller_id, currency, amount, created_at FROM payouts
        WHERE ($1::uuid IS NULL OR seller_id = $1)
          AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3))
        ORDER BY created_at DESC, id DESC LIMIT $4
        """,
        seller_id,
        before[0] if before else None,
        before[1] if before else None,
        limit,
    )


async def sums_of_run(db: Connection, key: UUID) -> list[Record]:
    """How much a run has paid to how many, by currency."""
    return await db.fetch(
        "SELECT currency, count(*) AS payouts, sum(amount)::bigint AS amount FROM payouts"
        " WHERE run_key = $1 GROUP BY currency ORDER BY currency",
        key,
    )


async def accounts(db: Connection) -> list[Record]:
    """The books at a glance: the balance of each account, by currency."""
    return await db.fetch(
        "SELECT account, currency, sum(amount)::bigint AS amount FROM postings"
        " GROUP BY account, currency ORDER BY currency, account"
    )
