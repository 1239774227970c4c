"""A court by the hour: booked, refused to others, freed again; the night that clocks are set back."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.journeys.conftest import Api, Site
from tests.journeys.test_purchase import SUCCESS, pay, until


async def court(api: Api) -> dict[str, Any]:
    """The first offer by the hour."""
    page = await api.get("/listings", kind="rental", text="tennis", limit=5)
    listing = await api.get(f"/listings/{page['items'][0]['id']}")
    found: dict[str, Any] = listing["offers"][0]
    assert found["by_hour"]
    return found


async def hours(api: Api, offer_id: str, day: str) -> list[dict[str, Any]]:
    """The hours of a day."""
    return (await api.get(f"/offers/{offer_id}/hours", day=day))["hours"]  # type: ignore[no-any-return]


async def free_again(api: Api, wish: dict[str, Any]) -> dict[str, Any]:
    """The cart with what somebody gave back: another process may say for a second that it is gone."""
    answer = await api.send("POST", "/cart/lines", wish)
    for _ in range(50):
        if answer.status_code != 409:
            break
        await asyncio.sleep(0.2)
        answer = await api.send("POST", "/cart/lines", wish)
    assert answer.status_code == 201, answer.text
    cart: dict[str, Any] = answer.json()
    return cart


class TestHours:
    async def test_are_booked_refused_to_others_and_freed(self, site: Site, customer: Api) -> None:
        rival = await site.signed_in("hotelier@dvor.example")
        offer = await court(customer)
        day = (datetime.now(UTC).date() + timedelta(days=20)).isoformat()
        before = await hours(customer, offer["id"], day)
        period = {"start": before[10]["start"], "end": before[12]["start"]}
        wish = {"offer_id": offer["id"], "hours": period}

        cart = await customer.post("/cart/lines", wish)
        line = cart["lines"][-1]
        assert line["hours"] == period
        assert line["units"] == 2
        refused = await rival.send("POST", "/cart/lines", wish)
        assert refused.status_code == 409
        assert refused.json()["hour"] == period["start"]
        order = await customer.post("/cart/checkout", {"cart_version": cart["version"]})
        await pay(customer, order["pay_path"], SUCCESS)
        paid = await until(customer, order["id"], "paid")
        assert paid["lines"][0]["hours"] == period

        taken = await hours(customer, offer["id"], day)
        lost = [n for n, (a, b) in enumerate(zip(before, taken, strict=True)) if a != b]
        assert lost == [10, 11]
        assert (await rival.send("POST", "/cart/lines", wish)).status_code == 409

        await customer.post(f"/orders/{order['id']}/cancel")
        assert await hours(customer, offer["id"], day) == before
        cart = await free_again(rival, wish)
        await rival.send("PATCH", "/cart/lines/" + cart["lines"][0]["id"], {"quantity": 0})
