"""What must be true of an order when all is over, whatever happened on the way."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from dvor.contracts.orders import Order, Wish
from dvor.kernel.caller import ANONYMOUS, Caller, asking
from dvor.kernel.periods import DateRange
from dvor.services.payments.rules import GOOD_CARD
from tests.simulation.stage import Stage

MONEY = {
    "paid": ("captured",),
    "delivered": ("captured",),
    "cancelled": ("voided", "refunded"),
}
HOLDS = {
    "paid": ("confirmed",),
    "delivered": ("confirmed",),
    "cancelled": ("released", "expired"),
}


DEPOSITS = {
    "paid": {"held", "resting", "captured", "released", "lost"},
    "delivered": {"held", "resting", "captured", "released", "lost"},
    "cancelled": {"declined", "captured", "released", "lost"},
}


async def place(
    stage: Stage,
    who: Caller,
    *offers: UUID,
    key: UUID | None = None,
    dates: DateRange | None = None,
    quantity: int = 1,
) -> Order:
    """An order of one unit of each offer."""
    with asking(who.model_copy(update={"key": key})):
        return await stage.orders.place(
            tuple(Wish(offer_id=offer, dates=dates, quantity=quantity) for offer in offers)
        )


async def pay(stage: Stage, order: Order, card: str = GOOD_CARD) -> None:
    """The customer pays on the bank's page; its webhook is written, and waits to be sent."""
    with asking(ANONYMOUS):
        await stage.payments.submit_card(order.pay_path.removeprefix("/pay/"), card)


async def cancel(stage: Stage, order: Order, who: Caller) -> Order:
    """Somebody cancels."""
    with asking(who):
        return await stage.orders.cancel(order.id)


async def wind_up(stage: Stage) -> None:
    """Nothing more happens from outside: leases lapse, deadlines pass, the house does its work."""
    await stage.forget_the_dead()
    for seconds in (11, 130, 1000):
        await stage.advance(seconds)
        await stage.settle(mails=seconds == 1000)


async def facts(stage: Stage, order_id: UUID) -> dict[str, Any]:
    """An order, its money and its booking, from the tables of three services."""
    return (await facts_of(stage, (order_id,)))[order_id]


async def facts_of(stage: Stage, order_ids: Collection[UUID]) -> dict[UUID, dict[str, Any]]:
    """The same of many orders, in the order of their ids."""
    ours, holds, money = sorted(order_ids), stage.db("inventory"), stage.db("payments")
    orders = await stage.db("orders").fetch(
        "SELECT id, status, pending_action, refunded_amount, hold_id,"
        " (SELECT array_agg(what ORDER BY id) FROM order_history WHERE order_id = orders.id)"
        " AS history, (SELECT array_agg(type ORDER BY version) FROM outbox"
        " WHERE aggregate = orders.id) AS events"
        " FROM orders WHERE id = ANY($1::uuid[]) ORDER BY id",
        ours,
    )
    paid = await money.fetch("SELECT * FROM payments WHERE order_id = ANY($1::uuid[])", ours)
    payments = {row["order_id"]: row for row in paid}
    deposits = await money.fetch(_DEPOSITS, ours)
    held = await holds.fetch(
        "SELECT id, status FROM holds WHERE id = ANY($1::uuid[])",
        [row["hold_id"] for row in orders],
    )
    statuses = {row["id"]: row["status"] for row in held}
    return {
        row["id"]: {
            "status": row["status"],
            "pending": row["pending_action"],
            "payment": payments[row["id"]]["status"],
            "captured": payments[row["id"]]["captured"],
            "refunded": payments[row["id"]]["refunded"],
            "given_back": row["refunded_amount"],
            "hold": statuses.get(row["hold_id"]),
            "history": row["history"] or [],
            "events": row["events"] or [],
            "deposits": [
                {name: one[name] for name in ("status", "amount", "captured", "at_bank", "aside")}
                for one in deposits
                if one["order_id"] == row["id"]
            ],
        }
        for row in orders
    }


_DEPOSITS = """
    SELECT order_id, d.status, d.amount, d.captured,
        (SELECT coalesce(sum(b.captured), 0)::bigint FROM deposit_authorisations a
            JOIN bank_payments b ON b.reference = a.reference WHERE deposit_id = d.id) AS at_bank,
        (SELECT count(*) FROM deposit_authorisations a
            JOIN bank_payments b ON b.reference = a.reference
            WHERE deposit_id = d.id AND b.state = 'authorised' AND b.ends_at > dvor_now()) AS aside
    FROM deposits d JOIN payments p ON p.id = payment_id
    WHERE order_id = ANY($1::uuid[]) ORDER BY order_id, d.id
"""


def _wrong_deposit(order: str, deposit: dict[str, Any]) -> str:
    """What is wrong with a deposit of an order in this status; empty: nothing."""
    status = deposit["status"]
    if status not in DEPOSITS[order]:
        return f"{order}, but a deposit is {status}"
    if deposit["at_bank"] != deposit["captured"]:
        return f"the bank took {deposit['at_bank']} of a deposit: {deposit}"
    if deposit["aside"] != (status == "held"):
        return f"a deposit is {status}, the bank keeps {deposit['aside']} aside"
    return ""


def wrong(found: dict[str, Any]) -> str:
    """What is wrong with an order that should be decided; empty: nothing."""
    status = found["status"]
    if status not in MONEY or found["pending"]:
        return f"not decided: {found}"
    if found["payment"] not in MONEY[status]:
        return f"{status}, but its money is {found['payment']}"
    if found["hold"] not in HOLDS[status]:
        return f"{status}, but its hold is {found['hold']}"
    if found["given_back"] != found["refunded"]:
        return f"gave back {found['given_back']}, the bank says {found['refunded']}"
    for deposit in found["deposits"]:
        if problem := _wrong_deposit(status, deposit):
            return problem
    parts = found["history"].count("lines_cancelled")
    for what in ("paid", "cancelled", "refunded", "delivered", "booked"):
        if found["history"].count(what) > 1 + parts * (what == "refunded"):
            return f"{what} twice: {found['history']}"
    if len(set(found["events"])) != len(found["events"]) - found["events"].count(
        "orders.payment_failed.v1"
    ) + bool(found["events"].count("orders.payment_failed.v1")):
        return f"told twice: {found['events']}"
    return ""
