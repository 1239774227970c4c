"""What sellers are owed and are paid."""

from uuid import UUID

from dvor.contracts.earnings import (
    Account,
    Balance,
    Balances,
    Books,
    Entry,
    Payout,
    PayoutRun,
    Payouts,
    PayoutSearch,
    RunTotal,
    Statement,
    StatementSearch,
)
from dvor.kernel.caller import Role, require_role
from dvor.kernel.db import Database, Record
from dvor.kernel.errors import Unavailable
from dvor.kernel.ids import derived
from dvor.kernel.money import Money
from dvor.services.payments import ledger, views
from dvor.services.payments import ledger_queries as queries


class Earnings:
    """Balances, statements and payouts."""

    def __init__(self, db: Database) -> None:
        self.db = db

    async def balances(self) -> Balances:
        """What the caller is owed."""
        rows = await queries.balances(self.db, require_role(Role.SELLER))
        return Balances(items=tuple(_balance(row) for row in rows))

    async def statement(self, search: StatementSearch) -> Statement:
        """What moved a seller's balance."""
        seller = require_role(Role.SELLER)
        if search.seller_id not in (None, seller):
            require_role(Role.ADMIN)
            seller = search.seller_id
        after = views.moment(search.cursor)
        rows = await queries.statement(self.db, seller, after, search.limit + 1)
        items, more = views.cut(rows, search.limit)
        return Statement(items=tuple(_entry(row) for row in items), next_cursor=more)

    async def payouts(self, search: PayoutSearch) -> Payouts:
        """The caller's payouts, or everybody's."""
        seller = require_role(Role.ADMIN if search.everybody else Role.SELLER)
        after = views.moment(search.cursor)
        whose = None if search.everybody else seller
        rows = await queries.payouts(self.db, whose, after, search.limit + 1)
        items, more = views.cut(rows, search.limit)
        return Payouts(items=tuple(_payout(row) for row in items), next_cursor=more)

    async def books(self) -> Books:
        """The balance of each account."""
        require_role(Role.ADMIN)
        rows = await queries.accounts(self.db)
        accounts = (
            Account(name=row["account"], currency=row["currency"], amount=row["amount"])
            for row in rows
        )
        return Books(accounts=tuple(accounts))

    async def ask_for_run(self, key: UUID) -> PayoutRun:
        """A run, as an admin."""
        require_role(Role.ADMIN)
        return await self.run(key)

    async def run(self, key: UUID) -> PayoutRun:
        """Pay everybody who is owed something, each in a transaction of their own.

        A run that was interrupted goes on when it is asked for again; one that ended pays nobody.
        """
        run = await queries.start_run(self.db, key)
        if run is None:
            raise Unavailable
        if run["finished_at"] is None:
            for row in await queries.due(self.db):
                await self._pay(key, row["seller_id"], row["currency"])
            await queries.end_run(self.db, key)
        totals = tuple(
            RunTotal(
                payouts=row["payouts"],
                amount=Money(amount=row["amount"], currency=row["currency"]),
            )
            for row in await queries.sums_of_run(self.db, key)
        )
        return PayoutRun(key=key, started_at=run["started_at"], totals=totals)

    async def _pay(self, key: UUID, seller: UUID, currency: str) -> None:
        payout = derived(key, seller, currency)
        async with self.db.tx("payments.paid_out") as tx:
            amount = await queries.pay_out(tx, payout, key, seller, currency)
            if amount is not None:
                postings = ledger.paid_out(seller, amount)
                paid = ledger.Transaction(payout, "paid_out", None, currency, postings)
                await queries.post(tx, [paid])


def _balance(row: Record) -> Balance:
    return Balance(
        currency=row["currency"],
        available=row["balance"],
        contested=row["contested"],
        paid_out=row["paid_out"],
    )


def _entry(row: Record) -> Entry:
    return Entry(
        id=row["id"],
        at=row["created_at"],
        what=row["what"],
        order_id=row["order_id"],
        order_number=row["order_number"],
        currency=row["currency"],
        gross=row["amount"] + row["commission"],
        commission=row["commission"],
        amount=row["amount"],
    )


def _payout(row: Record) -> Payout:
    return Payout(
        id=row["id"],
        run_key=row["run_key"],
        seller_id=row["seller_id"],
        amount=views.money(row),
        at=row["created_at"],
    )
