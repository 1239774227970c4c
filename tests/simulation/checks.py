"""What must be true of an order when all is over, whatever happened on the way."""

from typing import Any
from uuid import UUID

from dvor.contracts.orders import Order, Wish
from dvor.kernel.caller import ANONYMOUS, Caller, asking
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


async def place(stage: Stage, who: Caller, *offers: UUID, key: UUID | None = None) -> Order:
    """An order of one unit of each offer."""
    with asking(who.model_copy(update={"key": key})):
        return await stage.orders.place(tuple(Wish(offer_id=offer) for offer in offers))


async def pay(stage: Stage, order: Order) -> None:
    """The customer pays on the bank's page; its webhook is written, and waits to be sent."""
    with asking(ANONYMOUS):
        await stage.payments.submit_card(order.pay_path.removeprefix("/pay/"), GOOD_CARD)


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
    order = await stage.db("orders").fetchrow("SELECT * FROM orders WHERE id = $1", order_id)
    payment = await stage.db("payments").fetchrow(
        "SELECT status, captured, refunded FROM payments WHERE order_id = $1", order_id
    )
    hold = await stage.db("inventory").fetchval(
        "SELECT status FROM holds WHERE id = $1", order["hold_id"]
    )
    history = await stage.db("orders").fetch(
        "SELECT what FROM order_history WHERE order_id = $1 ORDER BY id", order_id
    )
    events = await stage.db("orders").fetch(
        "SELECT type FROM outbox WHERE aggregate = $1 ORDER BY version", order_id
    )
    return {
        "status": order["status"],
        "pending": order["pending_action"],
        "payment": payment["status"],
        "captured": payment["captured"],
        "refunded": payment["refunded"],
        "given_back": order["refunded_amount"],
        "hold": hold,
        "history": [row["what"] for row in history],
        "events": [row["type"] for row in events],
    }


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
    for what in ("paid", "cancelled", "refunded", "delivered", "booked"):
        if found["history"].count(what) > 1:
            return f"{what} twice: {found['history']}"
    if len(set(found["events"])) != len(found["events"]) - found["events"].count(
        "orders.payment_failed.v1"
    ) + bool(found["events"].count("orders.payment_failed.v1")):
        return f"told twice: {found['events']}"
    return ""
