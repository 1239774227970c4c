"""How the bank's question, webhooks, statements and payouts are called sensibly."""

from dvor.services.payments.rules import CARDS, Verdict
from tests.house.call import Build, Call
from tests.house.world import Person, World


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


async def _everybodys_payouts(_w: World, _who: Person) -> Call:
    return Call(more={"params": {"everybody": "true"}})


async def _providers_webhook(_w: World, _who: Person) -> Call:
    return Call(more={"content": b"{}"})


async def _sellers_statement(w: World, _who: Person) -> Call:
    return Call(more={"params": {"seller_id": str(w.seller.id)}})


ROUTES: dict[str, Build] = {
    "GET /pay/{pay_token}/confirm": confirmed,
    "POST /pay/{pay_token}/confirm": confirmed,
    "POST /api/v1/payments/webhooks/{webhook_id}/replay": sent_webhook,
    "POST /admin/webhooks/{webhook_id}/replay": sent_webhook,
    "GET /api/v1/payments/payouts @everybody": _everybodys_payouts,
    "GET /api/v1/payments/statement @anothers": _sellers_statement,
    "POST /api/v1/payments/provider-webhooks": _providers_webhook,
}
