"""How the bank's question, webhooks, statements and payouts are called sensibly."""

from datetime import timedelta

from dvor.contracts.catalog import Kind
from dvor.contracts.orders import Wish
from dvor.contracts.pricing import Pricing
from dvor.kernel.caller import ANONYMOUS, asking
from dvor.kernel.periods import DateRange
from dvor.services.payments.rules import CARDS, Verdict
from tests.house.call import Build, Call, offer_of
from tests.house.world import Person, World, draft, today


async def confirmed(w: World, _who: Person) -> Call:
    """A payment that its payer has to confirm."""
    order = await w.order()
    token = order.pay_path.removeprefix("/pay/")
    await w.house.payments.submit_card(token, CARDS[Verdict.THREE_STEP])
    return Call({"pay_token": token}, {"form": {"answer": "yes"}})


async def sent_webhook(w: World, _who: Person) -> Call:
    """A webhook that the bank has sent."""
    await w.paid_order()
    found = await w.house.db("payments").fetchval("SELECT id FROM bank_webhooks LIMIT 1")
    return Call({"webhook_id": found})


CLAIM = {"amount": 100, "reason": "A bent wheel", "evidence": "It was straight before."}


async def deposit(w: World, _who: Person) -> Call:
    """A deposit of something that was lent and is back."""
    if w.lent is None:
        lent = draft(Kind.RENTAL, "A bicycle")
        (offer,) = lent.offers
        priced = offer.model_copy(update={"pricing": Pricing(deposit=500)})
        w.lent = await w.listing(w.seller, lent.model_copy(update={"offers": (priced,)}))
        await w.house.settle()
    day = today() + timedelta(days=1)
    dates = DateRange(start=day, end=day + timedelta(days=1))
    with w.customer.asking():
        order = await w.house.orders.place((Wish(offer_id=offer_of(w.lent), dates=dates),))
    with asking(ANONYMOUS):
        token = order.pay_path.removeprefix("/pay/")
        await w.house.payments.submit_card(token, CARDS[Verdict.APPROVED])
    await w.house.settle()
    found = await w.house.db("payments").fetchval(
        "UPDATE deposits SET begins_at = dvor_now() - interval '2 days',"
        " ends_at = dvor_now() - interval '1 day' WHERE line_id = $1 RETURNING id",
        order.lines[0].id,
    )
    return Call({"deposit_id": found}, {"body": CLAIM})


async def deposit_page(w: World, who: Person) -> Call:
    """The same, as forms have it."""
    deposit_id = (await deposit(w, who)).parameters["deposit_id"]
    order_id = await w.house.db("payments").fetchval(
        "SELECT order_id FROM deposits d JOIN payments p ON p.id = payment_id WHERE d.id = $1",
        deposit_id,
    )
    form = {"amount": "1", "reason": "A bent wheel"}
    return Call({"order_id": order_id, "deposit_id": deposit_id}, {"form": form})


async def _orders_deposits(w: World, _who: Person) -> Call:
    return Call(more={"params": {"order_id": str((await w.order()).id)}})


async def _everybodys_payouts(_w: World, _who: Person) -> Call:
    return Call(more={"params": {"everybody": "true"}})


async def _providers_webhook(_w: World, _who: Person) -> Call:
    return Call(more={"content": b"{}"})


async def _sellers_statement(w: World, _who: Person) -> Call:
    return Call(more={"params": {"seller_id": str(w.seller.id)}})


ROUTES: dict[str, Build] = {
    "GET /api/v1/payments/deposits": _orders_deposits,
    "POST /api/v1/payments/deposits/{deposit_id}/claim": deposit,
    "POST /api/v1/payments/deposits/{deposit_id}/return": deposit,
    "GET /selling/orders/{order_id}/deposits/{deposit_id}": deposit_page,
    "POST /selling/orders/{order_id}/deposits/{deposit_id}": deposit_page,
    "POST /selling/orders/{order_id}/deposits/{deposit_id}/return": deposit_page,
    "GET /pay/{pay_token}/confirm": confirmed,
    "POST /pay/{pay_token}/confirm": confirmed,
    "POST /api/v1/payments/webhooks/{webhook_id}/replay": sent_webhook,
    "POST /admin/webhooks/{webhook_id}/replay": sent_webhook,
    "GET /api/v1/payments/payouts @everybody": _everybodys_payouts,
    "GET /api/v1/payments/statement @anothers": _sellers_statement,
    "POST /api/v1/payments/provider-webhooks": _providers_webhook,
}
