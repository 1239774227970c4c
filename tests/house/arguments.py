"""What each contract method is called with sensibly: what the matrix asks with."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

from pydantic import SecretStr

from dvor.contracts.availability import AvailabilitySearch
from dvor.contracts.calendars import CalendarSource
from dvor.contracts.catalog import Kind, QuoteLine, Search
from dvor.contracts.deposits import DepositClaim
from dvor.contracts.earnings import PayoutSearch, StatementSearch
from dvor.contracts.identity import (
    AdminAction,
    Credentials,
    ProfileChange,
    Registration,
    UserSearch,
)
from dvor.contracts.inventory import Claim, Rules
from dvor.contracts.orders import OrderSearch, WebhookDelivery, Wish
from dvor.contracts.payments import PaymentSearch, ProviderDelivery
from dvor.kernel.messages import PageRequest
from tests.house import calls, closure_calls, lines, payment_calls, promo_calls, room_calls
from tests.house.call import Build, of, offer_of
from tests.house.calls import registration
from tests.house.world import PASSWORD, Person, World, draft, hall, picture, stay_dates

PERSONAL = {"orders.check_out"}
"""What each person is called with something of their own."""

Arguments = Callable[[World, Person], Awaitable[tuple[Any, ...]]]


def _args(*values: Any) -> Arguments:
    async def give(_w: World, _who: Person) -> tuple[Any, ...]:
        return values

    return give


def _from(build: Build, *more: Any) -> Arguments:
    """The parameters of a route's call, then `more`."""

    async def give(w: World, who: Person) -> tuple[Any, ...]:
        return (*(await build(w, who)).parameters.values(), *more)

    return give


def _read(read: Callable[[World, Person], Any]) -> Arguments:
    async def give(w: World, who: Person) -> tuple[Any, ...]:
        return (read(w, who),)

    return give


def _credentials(w: World, _who: Person) -> Credentials:
    assert w.stranger.user is not None
    return Credentials(email=w.stranger.user.email, password=SecretStr(PASSWORD))


async def _refresh_token(w: World, who: Person) -> tuple[str]:
    return ((await calls.refresh(w, who)).more["body"]["refresh_token"],)


async def _change_arguments(w: World, who: Person) -> tuple[Any, ...]:
    made = await w.listing(w.seller, draft())
    return made.id, made.version, draft()


async def _seat_map_arguments(w: World, _who: Person) -> tuple[Any, ...]:
    made = await w.listing(w.seller, draft(Kind.EVENT), 0)
    return made.id, 0, hall(made.offers[0].id)


async def _wait_arguments(w: World, _who: Person) -> tuple[Any, ...]:
    return (lines.claim(await lines.sold_out(w)),)


# Services-only methods get what they really could change; for the part that may call them it
# makes no difference, so that the books of this world still fit each other at the end.


async def _hold_arguments(w: World, _who: Person) -> tuple[Any, ...]:
    return uuid4(), (Claim(offer_id=offer_of(w.product), quantity=1),)


async def _held(w: World, who: Person) -> tuple[Any, ...]:
    hold_id, claims = await _hold_arguments(w, who)
    await w.house.proxy("inventory", "orders").hold(hold_id, claims)
    return (hold_id,)


async def _held_for_an_hour(w: World, who: Person) -> tuple[Any, ...]:
    return (*(await _held(w, who)), 3600)


async def _hold_of_paid_order(w: World, _who: Person) -> tuple[Any, ...]:
    order = await w.paid_order()
    found = "SELECT hold_id FROM orders WHERE id = $1"
    return (await w.house.db("orders").fetchval(found, order.id),)


async def _claims_of_paid_order(w: World, _who: Person) -> tuple[Any, ...]:
    order = await w.paid_order()
    found = "SELECT hold_id FROM orders WHERE id = $1"
    claims = [Claim(offer_id=line.offer_id, quantity=line.quantity) for line in order.lines]
    return (await w.house.db("orders").fetchval(found, order.id), tuple(claims))


async def _beyond_paid_order(w: World, who: Person) -> tuple[Any, ...]:
    hold_id, claims = await _claims_of_paid_order(w, who)
    return (uuid4(), claims, hold_id)


async def _payment_of_order(w: World, _who: Person) -> tuple[Any, ...]:
    return (await w.payment_id(await w.order()),)


async def _captured_payment(w: World, _who: Person) -> tuple[Any, ...]:
    return (await w.payment_id(await w.paid_order()),)


async def _too_large_refund(w: World, who: Person) -> tuple[Any, ...]:
    return (*(await _captured_payment(w, who)), 10**9, uuid4())


async def _other_request(w: World, _who: Person) -> tuple[Any, ...]:
    return (w.payment_request(w.customer, await w.order()),)


async def _cart_version(w: World, who: Person) -> tuple[Any, ...]:
    return (await w.filled_cart(who) if who.user else 1,)


METHODS: dict[str, Arguments] = {
    **promo_calls.METHODS,
    **room_calls.METHODS,
    "identity.register": _read(lambda w, who: Registration(**registration())),
    "identity.sign_in": _read(_credentials),
    "identity.session": _read(lambda w, who: w.stranger.session),
    "identity.sign_out": _args("a" * 64),
    "identity.issue_tokens": _read(_credentials),
    "identity.refresh_tokens": _refresh_token,
    "identity.revoke_tokens": _refresh_token,
    "identity.authenticate": _read(lambda w, who: w.stranger.token),
    "identity.change_profile": _args(ProfileChange(city="Tver")),
    "identity.change_password": _args(SecretStr(PASSWORD), SecretStr("password")),
    "identity.set_avatar": _args(picture()),
    "identity.avatar": _from(calls.with_avatar),
    "identity.end_session": _from(calls.customers_session),
    "identity.profiles": _read(lambda w, who: (w.seller.id,)),
    "identity.contacts": _read(lambda w, who: (w.seller.id,)),
    "identity.users": _args(UserSearch()),
    "identity.administer": lambda w, who: _first(calls.guinea_pig, w, who, AdminAction.MAKE_SELLER),
    "identity.ensure_user": _args(Registration(**registration()), ()),
    "catalog.search": _args(Search()),
    "catalog.listing": _from(calls.product),
    "catalog.listing @draft": _from(calls.hidden),
    "catalog.create": _args(draft()),
    "catalog.change": _change_arguments,
    "catalog.publish": _from(calls.published),
    "catalog.archive": _from(calls.published),
    "catalog.by_external_ids": _args(("1",)),
    "catalog.offers": _read(lambda w, who: (offer_of(w.product),)),
    "catalog.quote": _read(lambda w, who: (QuoteLine(offer_id=offer_of(w.product), quantity=1),)),
    "inventory.set_supply": _from(of(offer_id=lambda w: offer_of(w.product)), 100_000),
    "inventory.supplies": _read(lambda w, who: (offer_of(w.product),)),
    "inventory.set_rules": _from(of(offer_id=lambda w: offer_of(w.product)), Rules()),
    "inventory.reserve": _read(lambda w, who: (Claim(offer_id=offer_of(w.product), quantity=1),)),
    "inventory.let_go": _args(uuid4()),
    "inventory.rules": _read(lambda w, who: (offer_of(w.product),)),
    "inventory.calendar": _from(of(offer_id=lambda w: offer_of(w.stay)), stay_dates()),
    "inventory.hours": _from(closure_calls.hours),
    "inventory.close_dates": _from(of(offer_id=lambda w: offer_of(w.stay)), stay_dates()),
    "inventory.reopen": _from(closure_calls.closure),
    "inventory.closures": _from(of(offer_id=lambda w: offer_of(w.stay)), stay_dates()),
    "inventory.occupancy": _from(of(offer_id=lambda w: offer_of(w.stay)), stay_dates()),
    "inventory.bookings": _from(of(offer_id=lambda w: offer_of(w.stay)), stay_dates()),
    "inventory.calendars": _from(of(offer_id=lambda w: offer_of(w.stay))),
    "inventory.set_feed": _from(of(offer_id=lambda w: offer_of(w.stay)), True),
    "inventory.calendar_file": _from(closure_calls.feed_token),
    "inventory.import_calendar": _from(
        of(offer_id=lambda w: offer_of(w.stay)), CalendarSource(text=closure_calls.CALENDAR)
    ),
    "inventory.remove_import": _from(closure_calls.imported),
    "inventory.free": _read(lambda w, who: (offer_of(w.product),)),
    "inventory.set_seat_map": _seat_map_arguments,
    "inventory.seat_map": _from(calls.event),
    "inventory.seat_states": _from(calls.event),
    "inventory.best_seats": _from(calls.seated_offer, 1),
    "inventory.explain": _read(lambda w, who: Claim(offer_id=offer_of(w.product), quantity=1)),
    "inventory.available": _args(AvailabilitySearch(kind=Kind.PRODUCT)),
    "inventory.wait": _wait_arguments,
    "inventory.waiting_entry": _from(lines.waiting),
    "inventory.stop_waiting": _from(lines.waiting),
    "inventory.waiting_lines": _read(lambda w, who: (offer_of(w.product),)),
    "inventory.hold": _hold_arguments,
    "inventory.get_hold": _held,
    "inventory.confirm": _hold_of_paid_order,
    "inventory.restate": _claims_of_paid_order,
    "inventory.hold_beyond": _beyond_paid_order,
    "inventory.extend": _held_for_an_hour,
    "inventory.release": _held,
    "payments.request": _other_request,
    "payments.payment": _payment_of_order,
    "payments.payments": _args(PaymentSearch()),
    "payments.open_page": _from(calls.pay),
    "payments.submit_card": _from(calls.pay, "4242424242424242"),
    "payments.confirm_card": _from(payment_calls.confirmed, True),
    "payments.receive_webhook": _args(ProviderDelivery(headers={}, body=b"{}")),
    "payments.webhooks": _args(PageRequest()),
    "payments.replay_webhook": _from(payment_calls.sent_webhook),
    "payments.statement": _args(StatementSearch()),
    "payments.payouts": _args(PayoutSearch()),
    "payments.run_payouts": _args(uuid4()),
    "payments.capture": _captured_payment,
    "payments.void": _captured_payment,
    "payments.refund": _too_large_refund,
    "payments.secure_deposits": _captured_payment,
    "payments.release_deposits": _captured_payment,
    "payments.deposits": _from(calls.fresh_order),
    "payments.claim_deposit": _from(
        payment_calls.deposit, DepositClaim(amount=100, reason="A bent wheel")
    ),
    "payments.return_deposit": _from(payment_calls.deposit),
    "orders.add_to_cart": _read(lambda w, who: Wish(offer_id=offer_of(w.product))),
    "orders.change_line": _from(calls.line_change, 3),
    "orders.take_waiting": _from(lines.offered),
    "orders.claim_cart": _args("guest-of-a-test"),
    "orders.check_out": _cart_version,
    "orders.place": _read(lambda w, who: (Wish(offer_id=offer_of(w.product)),)),
    "orders.order": _from(calls.fresh_order),
    "orders.wait": _from(calls.fresh_order, 0),
    "orders.orders": _args(OrderSearch()),
    "orders.preview_cancellation": _from(calls.fresh_order),
    "orders.cancel": _from(calls.fresh_order),
    "orders.deliver": _from(calls.paid_order),
    "orders.receive_webhook": _args(
        WebhookDelivery(webhook_id="w1", timestamp="1", signature="v1,x", body=b"{}")
    ),
    "notifications.notifications": _args(PageRequest()),
    "notifications.mailbox": _args(PageRequest()),
    "notifications.mail": _from(calls.mail),
}
"""Methods that take arguments."""


async def _first(build: Build, w: World, who: Person, *more: Any) -> tuple[Any, ...]:
    return (next(iter((await build(w, who)).parameters.values())), *more)
