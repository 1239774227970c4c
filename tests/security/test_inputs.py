"""Attacks on services: more than was asked for, impossible amounts, forged messages, hostile files."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from dvor.contracts.orders import OrderStatus
from dvor.kernel import clock, webhooks
from dvor.kernel.caller import ANONYMOUS, asking
from dvor.services.payments.rules import GOOD_CARD
from tests.house.calls import ROUTES
from tests.house.test_authorization import MATRIX, named
from tests.house.world import Person, World

BODILESS = (
    "/publish", "/archive", "/deliver", "/claim", "/avatar", "/payment-webhooks", "{action}", "{waiting_id}",
    "/provider-webhooks", "/replay", "/approve", "/decline", "/return",
)  # fmt: skip
WRITES = sorted(
    key
    for key in MATRIX["routes"]
    if key.startswith(("POST /api/", "PUT /api/", "PATCH /api/"))
    and key in ROUTES
    and not named(key).endswith(BODILESS)
)
FOREIGN_FIELDS = {
    "role": "admin", "roles": ["admin"], "blocked": False, "id": str(uuid4()), "user_id": str(uuid4()),
    "seller_id": str(uuid4()), "customer_id": str(uuid4()), "owner_id": str(uuid4()), "price": 1,
    "unit_price": {"amount": 1, "currency": "RUB"}, "total": 1, "amount": 1, "status": "paid",
    "state": "paid", "verified": True, "version": 1, "created_at": "2020-01-01T00:00:00Z",
    "is_admin": True, "__proto__": {"admin": True}, "constructor": 1,
}  # fmt: skip
IMPOSSIBLE = (
    "-1", "1.5", "0.9999999999999999999", str(2**31), str(2**63), str(-(2**63)), "1e308", "1e309",
    "NaN", "Infinity", "-0.5", '"1"', "true", "null", "[1]", "{}", '""', "9" * 400,
)  # fmt: skip


async def told(world: World) -> dict[str, int]:
    """How many facts each service has told: what was stored is told."""
    return {
        service.name: await world.house.db(service.name).fetchval("SELECT count(*) FROM outbox")
        for service in world.house.process.here
    }


async def stored(world: World) -> dict[str, Any]:
    """What people have bought, are about to buy and could buy."""
    orders, inventory = world.house.db("orders"), world.house.db("inventory")
    return {
        "orders": await orders.fetchval("SELECT count(*) FROM orders"),
        "lines": await orders.fetch("SELECT * FROM cart_lines ORDER BY id"),
        "cells": await inventory.fetch("SELECT * FROM cells ORDER BY 1, 2"),
    }


class TestMoreThanWasAskedFor:
    @pytest.mark.parametrize("key", WRITES)
    async def test_no_write_takes_a_foreign_field(self, world: World, key: str) -> None:
        method, path = named(key).split(" ")
        call = await ROUTES[key](world, world.seller)
        body = call.more["body"]
        await world.house.settle()
        before = await told(world)
        for spoilt in spoilings(body):
            answer = await world.api(
                world.seller, method, call.path(path), **(call.more | {"body": spoilt})
            )
            assert answer.status_code == 422, spoilt
        assert await told(world) == before

    async def test_forms_know_no_more_fields_than_they_show(self, world: World) -> None:
        more = {n: str(v) for n, v in FOREIGN_FIELDS.items()} | {"roles": "admin", "seller_id": "x"}
        person = await world.person("Mia Modest")
        form = {"name": "Mia", "language": "en"} | more
        assert (await world.page(person, "POST", "/account", form)).status_code == 303
        with person.asking():
            me = await world.house.identity.me()
        assert (me.roles, me.blocked) == (("customer",), False)
        email = f"{uuid4().hex}@example.org"
        form = {"email": email, "password": "korova-moloko-82-luna", "name": "New"} | more
        assert (await world.page(Person(), "POST", "/sign-up", form)).status_code == 303
        row = await world.house.db("identity").fetchrow(
            "SELECT roles, blocked FROM users WHERE email = $1", email
        )
        assert row is not None
        assert (row["roles"], row["blocked"]) == (["customer"], False)

    async def test_the_price_is_the_servers(self, world: World) -> None:
        buyer = await world.person("Hank Haggler")
        offer = str(world.product.offers[0].id)
        form = {"offer_id": offer, "quantity": "2", "price": "1", "unit_price": "1", "total": "1"}
        await world.page(buyer, "POST", "/cart/lines", form)
        with buyer.asking():
            cart = await world.house.orders.cart()
        form = {"cart_version": str(cart.version), "total": "1", "amount": "1", "currency": "USD"}
        answer = await world.page(buyer, "POST", "/checkout", form)
        row = await world.house.db("payments").fetchrow(
            "SELECT amount, currency FROM payments WHERE payer_id = $1", buyer.id
        )
        assert answer.status_code == 303
        assert row is not None
        assert (row["amount"], row["currency"]) == (2_000, "RUB")

    async def test_roles_of_a_token_are_those_of_now(self, world: World) -> None:
        person = await world.person("Una")
        path = f"/api/v1/users/{person.id}/actions/make_admin"
        assert (await world.api(world.admin, "POST", path)).status_code == 200
        assert (await world.api(person, "GET", "/api/v1/users")).status_code == 200
        path = f"/api/v1/users/{person.id}/actions/make_customer"
        assert (await world.api(world.admin, "POST", path)).status_code == 200
        assert (await world.api(person, "GET", "/api/v1/users")).status_code == 403


def spoilings(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The body with one field too many, at its top and in its first line or offer."""
    found = [body | {name: value} for name, value in FOREIGN_FIELDS.items() if name not in body]
    for name, value in body.items():
        if isinstance(value, list | tuple) and value and isinstance(value[0], dict):
            first = value[0]
            found += [
                body | {name: [first | {extra: given}]}
                for extra, given in FOREIGN_FIELDS.items()
                if extra not in first and extra not in ("id", "price")
            ]
    return found


class TestImpossibleAmounts:
    @pytest.mark.parametrize("amount", ["0", *IMPOSSIBLE])
    async def test_nothing_is_stored(self, world: World, amount: str) -> None:
        offer = world.product.offers[0].id
        line = await world.cart_line(world.customer)
        before = await stored(world)
        wish = f'{{"offer_id": "{offer}", "quantity": {amount}}}'
        sent = [
            ("POST", "/api/v1/cart/lines", wish),
            ("POST", "/api/v1/orders", f'{{"lines": [{wish}]}}'),
            ("POST", "/api/v1/quotes", f'{{"lines": [{wish}]}}'),
        ]
        if amount != "0":  # removes a line, and ends a supply
            sent += [
                ("PATCH", f"/api/v1/cart/lines/{line}", f'{{"quantity": {amount}}}'),
                ("PUT", f"/api/v1/offers/{offer}/supply", f'{{"quantity": {amount}}}'),
            ]
        for method, path, body in sent:
            who = world.seller if path.endswith("/supply") else world.customer
            answer = await world.api(
                who, method, path, content=body, headers={"content-type": "application/json"}
            )
            assert answer.status_code == 422, (method, path, answer.text)
        assert await stored(world) == before

    @pytest.mark.parametrize(
        "amount", ["-1", "1.5", str(2**31), str(2**63), "1e308", "NaN", "½", "٣"]
    )
    async def test_nor_by_a_form(self, world: World, amount: str) -> None:
        line = await world.cart_line(world.customer)
        before = await stored(world)
        offer = str(world.product.offers[0].id)
        for path, form in (
            ("/cart/lines", {"offer_id": offer, "quantity": amount}),
            ("/cart/lines", {f"quantity-{offer}": amount}),
            (f"/cart/lines/{line}", {"quantity": amount}),
        ):
            assert (await world.page(world.customer, "POST", path, form)).status_code == 303
        assert await stored(world) == before

    @pytest.mark.parametrize("price", [*IMPOSSIBLE])
    async def test_no_listing_has_an_impossible_price(self, world: World, price: str) -> None:
        body = (await ROUTES["POST /api/v1/listings"](world, world.seller)).more["body"]
        text = json.dumps(body).replace('"price": 1000', f'"price": {price}')
        assert text != json.dumps(body)
        before = await told(world)
        answer = await world.api(
            world.seller, "POST", "/api/v1/listings", content=text,
            headers={"content-type": "application/json"},
        )  # fmt: skip
        expected = {201} if price == str(2**31) else {422}  # two milliard kopecks are a price
        assert answer.status_code in expected
        assert await told(world) == before


Forge = Callable[[dict[str, str], bytes, bytes], tuple[dict[str, str], bytes]]


def _at(seconds: int) -> Forge:
    def forge(headers: dict[str, str], body: bytes, secret: bytes) -> tuple[dict[str, str], bytes]:
        moment = clock.now() + timedelta(seconds=seconds)
        return webhooks.sign(secret, headers["webhook-id"], moment, body), body

    return forge


def _with(**changed: str) -> Forge:
    def forge(headers: dict[str, str], body: bytes, _secret: bytes) -> tuple[dict[str, str], bytes]:
        return headers | {n.replace("_", "-"): v for n, v in changed.items()}, body

    return forge


def _signed_by(secret: bytes) -> Forge:
    def forge(headers: dict[str, str], body: bytes, _secret: bytes) -> tuple[dict[str, str], bytes]:
        return webhooks.sign(secret, headers["webhook-id"], clock.now(), body), body

    return forge


FORGERIES: dict[str, Forge] = {
    "without a signature": lambda h, b, _: (
        {n: v for n, v in h.items() if n != "webhook-signature"}, b,
    ),
    "without an id": lambda h, b, _: ({n: v for n, v in h.items() if n != "webhook-id"}, b),
    "without a time": lambda h, b, _: ({n: v for n, v in h.items() if n != "webhook-timestamp"}, b),
    "with a wrong signature": _with(webhook_signature="v1," + "A" * 43 + "="),
    "with an empty signature": _with(webhook_signature="v1,"),
    "of another version": lambda h, b, _: (
        h | {"webhook-signature": h["webhook-signature"].replace("v1,", "v1a,")}, b,
    ),
    "with a truncated signature": lambda h, b, _: (
        h | {"webhook-signature": h["webhook-signature"][:-4]}, b,
    ),
    "with a truncated body": lambda h, b, _: (h, b[:-2]),
    "with the JSON written anew": lambda h, b, _: (h, json.dumps(json.loads(b), indent=1).encode()),
    "with another id": _with(webhook_id="00000000-0000-0000-0000-000000000000"),
    "with a dot in its id": _with(webhook_id="a.b"),
    "with a line break in its body": lambda h, b, _: (h, b + b"\n"),
    "with another time": _with(webhook_timestamp="1"),
    "with a fraction of a time": _with(webhook_timestamp="1.5"),
    "too old": _at(-302),
    "too new": _at(302),
    "signed with the master secret": _signed_by(b"s" * 32),
    "signed with another sender's secret": _signed_by(webhooks.secrets_of("stripe", b"s" * 32)[0]),
    "signed with an empty secret": _signed_by(webhooks.secrets_of("payments", b"")[0]),
    "with a thousand signatures": lambda h, b, _: (
        h | {"webhook-signature": "v1,AAAA " * 1000 + h["webhook-signature"]}, b,
    ),
    "with a body that is no text": lambda h, b, _: (h, b"\xff\xfe" + b),
}  # fmt: skip


class TestForgedWebhooks:
    PATH = "/api/v1/orders/payment-webhooks"

    async def hook(self, world: World, order: Any) -> tuple[dict[str, str], bytes, bytes]:
        """A genuine webhook about an order: headers, body, the secret it is signed with."""
        secret = webhooks.secrets_of("payments", world.house.settings.secret)[0]
        payment = await world.payment_id(order)
        body = json.dumps(
            {"type": "payment.authorised", "payment_id": str(payment), "order_id": str(order.id)}
        ).encode()
        return webhooks.sign(secret, str(uuid4()), clock.now(), body), body, secret

    async def send(self, world: World, headers: dict[str, str], body: bytes) -> int:
        """The answer's status."""
        more = headers | {"content-type": "application/json"}
        return (await world.http.post(self.PATH, content=body, headers=more)).status_code

    async def status(self, world: World, order: Any) -> OrderStatus:
        """Of the order, once everything has settled."""
        await world.house.settle()
        with world.customer.asking():
            return (await world.house.orders.order(order.id)).status

    async def test_forged_ones_are_refused(self, world: World) -> None:
        order = await world.order()
        for name, forge in FORGERIES.items():
            headers, body, secret = await self.hook(world, order)
            expected = 422 if "thousand" in name else 401
            assert await self.send(world, *forge(headers, body, secret)) == expected, name
        assert await self.status(world, order) is OrderStatus.PROCESSING

    async def test_a_genuine_one_is_a_hint_only(self, world: World) -> None:
        order = await world.order()
        headers, body, _ = await self.hook(world, order)
        assert await self.send(world, headers, body) == 204
        assert await self.status(world, order) is OrderStatus.PROCESSING  # nobody has paid

    async def test_a_replayed_one_changes_nothing(self, world: World) -> None:
        order = await world.paid_order()
        headers, body, _ = await self.hook(world, order)
        before = await told(world)
        assert [await self.send(world, headers, body) for _ in range(3)] == [204] * 3
        assert await self.status(world, order) is OrderStatus.PAID
        assert await told(world) == before

    async def test_a_payment_pays_its_own_order_only(self, world: World) -> None:
        paid, other = await world.paid_order(), await world.order()
        _, body, secret = await self.hook(world, paid)
        mixed = json.dumps(json.loads(body) | {"order_id": str(other.id)}).encode()
        headers = webhooks.sign(secret, str(uuid4()), clock.now(), mixed)
        assert await self.send(world, headers, mixed) == 404
        assert await self.status(world, other) is OrderStatus.PROCESSING

    async def test_an_unknown_payment_is_asked_for_again(self, world: World) -> None:
        order = await world.order()
        _, body, secret = await self.hook(world, order)
        lost = json.dumps(json.loads(body) | {"payment_id": str(uuid4())}).encode()
        headers = webhooks.sign(secret, str(uuid4()), clock.now(), lost)
        assert await self.send(world, headers, lost) >= 400

    async def test_one_too_large_is_not_read(self, world: World) -> None:
        order = await world.order()
        headers, body, _ = await self.hook(world, order)
        assert await self.send(world, headers, body + b" " * 70_000) == 413

    async def test_a_paid_page_takes_no_second_payment(self, world: World) -> None:
        order = await world.order()
        token = order.pay_path.removeprefix("/pay/")
        with asking(ANONYMOUS):
            for _ in range(3):
                await world.house.payments.submit_card(token, GOOD_CARD)
        await world.house.settle()
        captured = await world.house.db("payments").fetchval(
            "SELECT captured FROM payments WHERE order_id = $1", order.id
        )
        assert captured == order.total.amount
