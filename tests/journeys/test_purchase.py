"""The main job: four kinds in one cart, paid and booked, then cancelled and free."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from tests.journeys.conftest import Api, Site

SUCCESS, DECLINED = "4242424242424242", "4000000000000002"


async def offer(api: Api, kind: str) -> dict[str, Any]:
    """The first offer of the first listing of a kind that has at least two units free."""
    dates = period(kind) or {}
    page = await api.get("/listings", kind=kind, limit=20)
    for card in page["items"]:
        listing = await api.get(f"/listings/{card['id']}")
        for found in listing["offers"]:
            if await free(api, found["id"], **dates) >= 2:
                return found
    raise AssertionError(f"nothing of {kind} is free")


def period(kind: str) -> dict[str, str] | None:
    """Dates for what needs them: three days of a rental, two nights of a stay."""
    length = {"rental": 3, "stay": 2}.get(kind)
    if length is None:
        return None
    first = datetime.now(UTC).date() + timedelta(days=40)
    return {"start": first.isoformat(), "end": (first + timedelta(days=length)).isoformat()}


async def free(api: Api, offer_id: str, **dates: str) -> int:
    """How many units are free."""
    found = await api.get("/availability", offer_id=offer_id, **dates)
    return found["items"][0]["free"]


async def fill_cart(api: Api) -> list[dict[str, Any]]:
    """One product, a rental for three days, a room for two nights, two tickets."""
    wishes = []
    for kind, quantity in (("product", 1), ("rental", 1), ("stay", 1), ("event", 2)):
        found = await offer(api, kind)
        wish = {"offer_id": found["id"], "quantity": quantity, "dates": period(kind)}
        await api.post("/cart/lines", wish)
        wishes.append(wish)
    return wishes


async def pay(api: Api, pay_path: str, card: str) -> None:
    """Submit the hosted page's form as a browser would."""
    page = await api.http.get(pay_path)
    assert page.status_code == 200, page.text
    hidden = dict(re.findall(r'name="(_csrf|_key)" value="([^"]+)"', page.text))
    response = await api.http.post(
        pay_path, data=hidden | {"card_number": card}, headers={"sec-fetch-site": "same-origin"}
    )
    assert response.status_code == 303, response.text


async def until(api: Api, order_id: str, status: str) -> dict[str, Any]:
    """The order once it has this status."""
    order = await api.get(f"/orders/{order_id}")
    for _ in range(20):
        if order["status"] == status:
            return order
        order = await api.get(f"/orders/{order_id}/changes", after=order["version"])
    raise AssertionError(f"the order stayed {order['status']}")


def names(order: dict[str, Any]) -> list[str]:
    """What happened to an order."""
    return [entry["what"] for entry in order["timeline"]]


class TestPurchase:
    async def test_four_kinds_are_bought_and_cancelled_together(
        self, site: Site, customer: Api
    ) -> None:
        wishes = await fill_cart(customer)
        before = [await free(customer, w["offer_id"], **(w["dates"] or {})) for w in wishes]
        cart = await customer.get("/cart")
        assert len(cart["lines"]) == 4
        assert cart["held_until"]
        assert cart["total"]["amount"] == sum(line["total"]["amount"] for line in cart["lines"])

        order = await customer.post("/cart/checkout", {"cart_version": cart["version"]})
        assert order["status"] == "processing"
        assert order["total"] == cart["total"]
        assert (await customer.get("/cart"))["lines"] == []

        await pay(customer, order["pay_path"], SUCCESS)
        paid = await until(customer, order["id"], "paid")
        assert names(paid) == [
            "created",
            "hold_taken",
            "payment_requested",
            "payment_authorised",
            "booked",
            "paid",
        ]
        await self.told(customer, "order_paid")

        cancelled = await customer.post(f"/orders/{order['id']}/cancel")
        assert cancelled["status"] == "cancelled"
        assert cancelled["refunded"] == order["total"]
        after = [await free(customer, w["offer_id"], **(w["dates"] or {})) for w in wishes]
        assert after == [n + w["quantity"] for n, w in zip(before, wishes, strict=True)]
        await self.told(customer, "order_cancelled")

    async def told(self, customer: Api, topic: str) -> None:
        """The customer finds it among their notifications within ten seconds."""
        for _ in range(100):
            items = (await customer.get("/notifications"))["items"]
            if any(item["topic"] == topic for item in items):
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"nobody told of {topic}")

    async def test_a_declined_card_can_be_replaced(self, site: Site, customer: Api) -> None:
        found = await offer(customer, "product")
        order = await customer.post("/orders", {"lines": [{"offer_id": found["id"]}]})
        await pay(customer, order["pay_path"], DECLINED)
        shown = await customer.get(f"/orders/{order['id']}")
        while "payment_declined" not in names(shown):
            shown = await customer.get(f"/orders/{order['id']}/changes", after=shown["version"])
        assert shown["status"] == "processing"
        assert "payment_declined" in names(shown)
        await pay(customer, order["pay_path"], SUCCESS)
        await until(customer, order["id"], "paid")

    async def test_the_same_key_places_one_order(self, site: Site, customer: Api) -> None:
        found = await offer(customer, "product")
        key = uuid4()
        body = {"lines": [{"offer_id": found["id"]}]}
        first = await customer.post("/orders", body, key)
        second = await customer.post("/orders", body, key)
        assert first["id"] == second["id"]
        await customer.post(f"/orders/{first['id']}/cancel")
