"""Cancelling of what is paid, line by line: planned at once, done step by step, each repeatable.

What is asked for is written first, with every refund and its key, while the order is locked
(`order_changes`, `order_refunds`); from then on it only goes forward. The rest is as for the other
steps of an order: other services by keys that follow from what is written, then one transaction.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from dvor.contracts.catalog import Text
from dvor.contracts.deposits import DepositPart, DepositParts
from dvor.contracts.inventory import Inventory
from dvor.contracts.order_changes import (
    Cancellation,
    Cuts,
    CutsTooMuch,
    LineCut,
    LineRefund,
    RefundChanged,
)
from dvor.contracts.orders import OrderLinesCancelled, UnknownLine
from dvor.contracts.payments import (
    Payment,
    Payments,
    RefundFailed,
    RefundTooLarge,
    Share,
    Shares,
)
from dvor.kernel import ids
from dvor.kernel.db import Database, Record, Tx
from dvor.kernel.money import Money
from dvor.services.orders import change_queries, queries, refunds, rules, saga_queries
from dvor.services.orders.rules import StoredLine

REFUSED_REFUNDS = (RefundFailed, RefundTooLarge)
"""The bank gives nothing back now; it may later, as when a dispute about the payment is over."""


@dataclass(frozen=True)
class Cut:
    """What is cancelled of a line."""

    quantity: int
    seats: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What a cancellation would do."""

    lines: tuple[LineRefund, ...]
    fees: Mapping[UUID, int]
    cuts: Mapping[UUID, Cut]
    whole: bool
    currency: str

    @property
    def back(self) -> int:
        """Minor units that come back."""
        return sum(line.back.amount for line in self.lines)

    def shown(self, *, charged: bool) -> Cancellation:
        """As the caller is told."""
        back = Money(amount=self.back, currency=self.currency)
        return Cancellation(lines=self.lines, back=back, whole=self.whole, charged=charged)

    def stored(self) -> list[dict[str, Any]]:
        """As it is written down."""
        return [
            line.model_dump(mode="json")
            | {"fee": self.fees[line.line_id], "seats": list(self.cuts[line.line_id].seats)}
            for line in self.lines
        ]


def plan(rows: Sequence[Record], cuts: Cuts, who: str, now: datetime) -> Plan:
    """What comes back for these cuts; for everything that is left where there are none.

    `who` cancels: customer, seller, admin. Raises UnknownLine, CutsTooMuch.
    """
    by_id = {row["id"]: row for row in rows}
    wanted: dict[UUID, Cut] = {}
    for cut in cuts or tuple(LineCut(line_id=row["id"]) for row in rows if live(row)):
        row = by_id.get(cut.line_id)
        if row is None or cut.line_id in wanted:
            raise UnknownLine
        wanted[cut.line_id] = _cut(row, cut)
    lines = [change_queries.bought(row) for row in rows]
    quantities = {line_id: cut.quantity for line_id, cut in wanted.items()}
    in_full = who != "customer"
    found = (
        refunds.in_full(lines, quantities) if in_full else refunds.by_policy(lines, quantities, now)
    )
    left = sum(live(row) for row in rows) - sum(quantities.values())
    shown = tuple(_shown(by_id[refund.line_id], refund, in_full=in_full) for refund in found)
    fees = {refund.line_id: refund.fee for refund in found}
    return Plan(shown, fees, wanted, not left, rows[0]["currency"])


def live(row: Record | Mapping[str, Any]) -> int:
    """How much of a line is not cancelled."""
    return row["quantity"] - row["cancelled"]


def _cut(row: Record, cut: LineCut) -> Cut:
    seats = [seat for seat in row["seats"] if seat not in row["cancelled_seats"]]
    quantity = cut.quantity or len(cut.seats) or live(row)
    if quantity > live(row) or not live(row) or len(cut.seats) not in (0, quantity):
        raise CutsTooMuch
    if not set(cut.seats) <= set(seats) or len(set(cut.seats)) != len(cut.seats):
        raise CutsTooMuch
    return Cut(quantity, cut.seats or tuple(seats[len(seats) - quantity :] if seats else ()))


def _shown(row: Record, refund: refunds.Refund, *, in_full: bool) -> LineRefund:
    currency = row["currency"]
    return LineRefund(
        line_id=refund.line_id,
        seller_id=row["seller_id"],
        title=Text.model_validate(row["title"]),
        name=Text.model_validate(row["name"]),
        quantity=refund.quantity,
        paid=Money(amount=refund.paid, currency=currency),
        back=Money(amount=refund.back, currency=currency),
        rule=refund.rule,
        step=refund.step,
        in_full=in_full,
    )


def remaining(rows: Sequence[Record], cuts: Mapping[UUID, Cut]) -> list[StoredLine]:
    """What an order's lines still claim after these cuts."""
    left = []
    for row in rows:
        cut = cuts.get(row["id"], Cut(0))
        quantity = live(row) - cut.quantity
        gone = {*row["cancelled_seats"], *cut.seats}
        seats = tuple(seat for seat in row["seats"] if seat not in gone)
        if quantity:
            left.append(queries.stored(row).of(quantity, seats))
    return left


def deposits_needed(rows: Sequence[Record], cuts: Mapping[UUID, Cut]) -> DepositParts:
    """How much of the deposits of the lines that are cut is still needed after these cuts."""
    return tuple(
        DepositPart(
            line_id=row["id"],
            needed=row["deposit"] // row["quantity"] * max(live(row) - cuts[row["id"]].quantity, 0),
        )
        for row in rows
        if row["id"] in cuts and row["deposit"]
    )


class Changes:
    """Does what was planned."""

    def __init__(self, db: Database, inventory: Inventory, payments: Payments) -> None:
        self.db = db
        self.inventory = inventory
        self.payments = payments

    async def begin(
        self, tx: Tx, order: Record, change_id: UUID, who: str, planned: Plan, back: int | None
    ) -> None:
        """Write a cancellation down. The order is paid and locked. Raises RefundChanged."""
        if back is not None and back != planned.back:
            raise RefundChanged(back=planned.back)
        await change_queries.write_change(tx, change_id, order["id"], who, planned.stored())
        given = await change_queries.given_back(tx, order["id"])
        payment_id = order["payment_id"]
        left = {payment_id: order["total_amount"] - given.get(payment_id, 0)}
        keys = [
            (ids.derived(change_id, payment), payment, amount)
            for payment, amount in refunds.split(planned.back, left).items()
        ]
        await change_queries.write_refunds(tx, order["id"], change_id, keys)

    async def give_back(self, order: Record, change: Record) -> int:
        """Give back what a change says; answers how much in all. Raises as `refund` does."""
        total = 0
        shares = sold_by(explained(change))
        for refund in await change_queries.refunds(self.db, change["id"]):
            # Of a part of the change (another payment has the rest) all bear in proportion.
            borne = shares if sum(s.amount for s in shares) == refund["amount"] else ()
            await self.refund(
                order,
                refund["payment_id"],
                refund["amount"],
                refund["key"],
                reason=change["asked_by"],
                shares=borne,
            )
            total += refund["amount"]
        return total

    async def refund(
        self,
        order: Record,
        payment_id: UUID,
        amount: int,
        key: UUID,
        *,
        reason: str,
        shares: Shares = (),
    ) -> Payment:
        """Give money back. Raises REFUSED_REFUNDS, which is written down: it is tried again."""
        refused, key_now = await change_queries.last_refusal(self.db, key)
        try:
            return await self.payments.refund(payment_id, amount, key_now, reason, shares)
        except REFUSED_REFUNDS:
            async with self.db.tx("orders.refund_refused") as tx:
                next_key = ids.derived(key, "try", refused + 2)
                new = await change_queries.note_refusal(tx, key, refused + 1, next_key, order["id"])
                if new and not refused:  # people are told once
                    details = {"amount": str(amount), "currency": order["currency"]}
                    await queries.note(tx, order["id"], "refund_refused", **details)
                    await queries.touch(tx, order["id"])
            raise

    async def asked(self, change_id: UUID) -> Record:
        """What was asked for."""
        change = await change_queries.change(self.db, change_id)
        assert change is not None
        return change

    async def cut(self, order: Record) -> None:
        """Do the cancellation of some lines: money back, units free, lines marked."""
        change = await self.asked(order["change_id"])
        back = await self.give_back(order, change)
        rows = await change_queries.lines(self.db, order["id"])
        left = remaining(rows, _cuts(change))
        if left:  # a rival who got here first may have left nothing to do
            claims = rules.claims([line.wish() for line in left], order["promo_id"])
            await self.inventory.restate(order["hold_id"], claims)
        parts = deposits_needed(rows, _cuts(change)) if order["deposit"] else ()
        if parts:  # none would mean all
            await self.payments.release_deposits(order["payment_id"], parts)
        async with self.db.tx("orders.lines_cancelled") as tx:
            if not await saga_queries.changed(tx, order, back):
                return
            await self.mark(tx, order, change)
            if back:
                await queries.note(
                    tx, order["id"], "refunded", amount=str(back), currency=order["currency"]
                )
            tx.emit(
                OrderLinesCancelled(
                    order_id=order["id"],
                    change_id=change["id"],
                    number=order["number"],
                    customer_id=order["customer_id"],
                    reason=change["asked_by"],
                    refunded=Money(amount=back, currency=order["currency"]),
                    refunds=explained(change),
                )
            )

    async def mark(self, tx: Tx, order: Record, change: Record) -> None:
        """Mark what is cancelled of the lines, and tell each refund with its rule."""
        await change_queries.cut_lines(tx, change["lines"])
        if order["pending_action"] == "change":
            await queries.note(tx, order["id"], "lines_cancelled", reason=change["asked_by"])
        for line in explained(change):
            details = {
                "line": str(line.line_id),
                "title_ru": line.title.of("ru"),
                "title_en": line.title.of("en"),
                "quantity": str(line.quantity),
                "paid": str(line.paid.amount),
                "amount": str(line.back.amount),
                "currency": line.back.currency,
                "rule": str(line.rule),
                "step": line.step.model_dump_json() if line.step else "",
                "in_full": "yes" if line.in_full else "",
                "by": change["asked_by"],
            }
            await queries.note(tx, order["id"], "line_cancelled", **details)


def explained(change: Record) -> tuple[LineRefund, ...]:
    """What comes back for each line of a change."""
    return tuple(
        LineRefund.model_validate({k: v for k, v in line.items() if k not in ("fee", "seats")})
        for line in change["lines"]
    )


def sold_by(lines: Iterable[LineRefund]) -> Shares:
    """Whose sales it is that comes back."""
    sums: dict[UUID, int] = {}
    for line in lines:
        if line.back.amount:
            sums[line.seller_id] = sums.get(line.seller_id, 0) + line.back.amount
    return tuple(Share(seller_id=seller, amount=amount) for seller, amount in sums.items())


def _cuts(change: Record) -> dict[UUID, Cut]:
    return {
        UUID(line["line_id"]): Cut(line["quantity"], tuple(line["seats"]))
        for line in change["lines"]
    }
