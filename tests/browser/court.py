"""A world in which every page has something to show: orders of every status, drafts, empty rooms."""

import asyncio
import io
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from PIL import Image, ImageDraw

from dvor.demo.accounts import PASSWORD
from dvor.kernel.db import raw_connection
from tests.journeys.conftest import Api, Site
from tests.journeys.test_purchase import DECLINED, SUCCESS, free, pay, period, until

KINDS = ("product", "rental", "stay", "event")
PLENTY = 4
"""So many are left to look at."""
NEWCOMER = "newcomer@dvor.example"
BEGINNER = "beginner@dvor.example"
"""A seller who has not sold anything."""


@dataclass
class Court:
    """What the pages of a tour are about."""

    listings: dict[str, str] = field(default_factory=dict)
    """Kind, `hall`, `hours`, `draft`, `archived`, `sold_out` or `explained` -> listing."""
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Status -> an order of the customer."""
    sales: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Seller -> an order of theirs that is paid."""
    mail: str = ""
    offered: str = ""
    """What the customer waited for and may take now."""
    newcomer_id: str = ""
    seller_id: str = ""
    chart: str = ""
    """A tape chart with guests on it."""
    closed: str = ""
    """An offer with closures, a feed and an imported calendar."""
    open: str = ""
    """An offer without any of them."""
    guest: str = ""
    """Whose cart is held no more."""
    deposits: dict[str, str] = field(default_factory=dict)
    """`back` or `kept` -> the deposit of that order."""


async def furnish(site: Site) -> Court:
    """Make orders, drafts and people beside the demo world."""
    court = Court()
    customer = await site.signed_in("customer@dvor.example")
    seller = await site.signed_in("seller@dvor.example")
    court.seller_id = str(seller.user_id)
    await _people(site, court)
    await _portrait(customer)
    await _listings(seller, court)
    await _orders(customer, seller, court)
    hotelier = await site.signed_in("hotelier@dvor.example")
    await _rooms(hotelier, court)
    await _closures(hotelier, court)
    await _fill_cart(customer)
    await _numbered_and_timed(customer, court)
    await _explained(customer, court)
    await _charges(site, customer, hotelier, court)
    await _requests(customer, seller, court)
    await _deposits(site, customer, seller, court)
    await _forgotten_cart(site, court)
    await _line(customer, seller, court)
    court.mail = await _mail(site)
    return court


async def _line(customer: Api, seller: Api, court: Court) -> None:
    """The customer waits for one thing and is offered another."""
    for name in ("sold_out", "refilled"):
        listing = await customer.get(f"/listings/{court.listings[name]}")
        offer = listing["offers"][0]["id"]
        await _on_sale(customer, offer)
        entry = await customer.post("/waiting", {"offer_id": offer, "quantity": 2})
        if name == "refilled":
            court.offered = entry["id"]
            assert (
                await seller.send("PUT", f"/offers/{offer}/supply", {"quantity": 2})
            ).status_code == 200


async def _on_sale(customer: Api, offer_id: str, **more: Any) -> None:
    """Wait until inventory has heard that an offer is published."""
    claim = {"offer_id": offer_id, "quantity": 2} | more
    for _ in range(240):
        told = await customer.post("/availability/explain", claim)
        if told["code"] != "inventory.closed":
            return
        await asyncio.sleep(0.25)
    raise TimeoutError(f"{offer_id} does not open")


async def _people(site: Site, court: Court) -> None:
    for email, name, sells in (
        (NEWCOMER, "Новенькая", False),
        (BEGINNER, "Начинающая лавка", True),
    ):
        body = {"email": email, "password": PASSWORD, "name": name, "language": "ru"}
        client = site.client()
        response = await client.post("/api/v1/auth/register", json=body | {"seller": sells})
        assert response.status_code == 201, response.text
        if email == NEWCOMER:
            court.newcomer_id = response.json()["id"]


async def _portrait(customer: Api) -> None:
    image = Image.new("RGB", (320, 320), "#c9d8c5")
    draw = ImageDraw.Draw(image)
    draw.ellipse((60, 190, 260, 420), fill="#7a4b2a")
    draw.ellipse((105, 70, 215, 200), fill="#eac7a6")
    draw.pieslice((100, 60, 220, 180), 180, 360, fill="#4a2c18")
    picture = io.BytesIO()
    image.save(picture, "PNG")
    headers = {"content-type": "image/png", "idempotency-key": str(uuid4())}
    response = await customer.http.put(
        "/api/v1/me/avatar", content=picture.getvalue(), headers=headers
    )
    assert response.status_code == 200, response.text


async def _listings(seller: Api, court: Court) -> None:
    categories = (await seller.get("/categories"))["items"]
    goods = next(c["slug"] for c in categories if c["kind"] == "product" and c["parent"])
    for name, ru, en, units in (
        ("draft", "Чайник, ещё без цены", "A teapot, not priced yet", 3),
        ("archived", "Самовар прошлого сезона", "Last season's samovar", 3),
        ("sold_out", "Последняя расписная ваза", "The last painted vase", 0),
        ("refilled", "Пряничная доска с конями", "A gingerbread mould with horses", 0),
    ):
        draft = {
            "kind": "product",
            "category": goods,
            "title": {"ru": ru, "en": en},
            "offers": [{"price": 1_250_000}],
        }
        made = await seller.post("/listings", draft)
        court.listings[name] = made["id"]
        supply = f"/offers/{made['offers'][0]['id']}/supply"
        assert (await seller.send("PUT", supply, {"quantity": units})).status_code == 200
        if name != "draft":
            await seller.post(f"/listings/{made['id']}/publish")
        if name == "archived":
            await seller.post(f"/listings/{made['id']}/archive")


async def _orders(customer: Api, seller: Api, court: Court) -> None:
    wishes = {}
    for kind in KINDS:
        court.listings[kind], wishes[kind] = await _wish(customer, kind)
    placed = {
        "waiting": [wishes["rental"]],
        "declined": [wishes["product"]],
        "delivered": [wishes["product"], wishes["rental"]],
        "cancelled": [wishes["event"]],
        "paid": list(wishes.values()),
        "rental": [wishes["rental"], wishes["product"]],
        "stay": [wishes["stay"]],
    }
    for name, lines in placed.items():
        court.orders[name] = await customer.post("/orders", {"lines": lines})
    await pay(customer, court.orders["declined"]["pay_path"], DECLINED)
    for name in ("delivered", "cancelled", "paid", "rental", "stay"):
        await pay(customer, court.orders[name]["pay_path"], SUCCESS)
        court.orders[name] = await until(customer, court.orders[name]["id"], "paid")
    await seller.post(f"/orders/{court.orders['delivered']['id']}/deliver")
    await customer.post(f"/orders/{court.orders['cancelled']['id']}/cancel")
    court.sales = {"seller": court.orders["rental"], "hotelier": court.orders["stay"]}


async def _rooms(hotelier: Api, court: Court) -> None:
    """Rooms with names; one of them is closed, some guests know theirs."""
    offer = (await hotelier.get(f"/listings/{court.listings['stay']}"))["offers"][0]["id"]
    names = {"names": ["101", "102", "103", "Мансарда"]}
    made = await hotelier.send("PUT", f"/offers/{offer}/rooms", names)
    assert made.status_code == 200, made.text
    dates = period("stay")
    assert dates is not None
    arranged = await hotelier.send("POST", f"/offers/{offer}/room-arrangements", dates)
    assert arranged.status_code == 200, arranged.text
    await hotelier.post("/orders", {"lines": [(await _wish(hotelier, "stay"))[1]]})
    body = {"dates": dates, "note": "Ремонт"}
    room = made.json()["items"][3]["id"]
    closed = await hotelier.send("POST", f"/rooms/{room}/closures", body)
    assert closed.status_code == 204, closed.text
    court.chart = f"/selling/rooms/{court.listings['stay']}?first={dates['start']}"


async def _closures(hotelier: Api, court: Court) -> None:
    """Closed by hand and by a calendar; a night of it is promised all the same."""
    offers = (await hotelier.get(f"/listings/{court.listings['stay']}"))["offers"]
    court.closed, court.open = offers[0]["id"], offers[1]["id"]
    first = datetime.now(UTC).date() + timedelta(days=2)
    promised = {"start": str(first), "end": str(first + timedelta(days=1))}
    await hotelier.post("/orders", {"lines": [{"offer_id": court.closed, "dates": promised}]})
    dates = {"start": str(first), "end": str(first + timedelta(days=3))}
    draft = {"dates": dates, "units": 6, "note": "Красят полы"}
    await hotelier.post(f"/offers/{court.closed}/closures", draft)
    shared = await hotelier.send("PUT", f"/offers/{court.closed}/feed", {"shared": True})
    assert shared.status_code == 200, shared.text
    events = (
        ("family", f"DTSTART;VALUE=DATE:{first + timedelta(days=5):%Y%m%d}\r\nDURATION:P2D"),
        ("often", f"DTSTART;VALUE=DATE:{first:%Y%m%d}\r\nRRULE:FREQ=DAILY"),
    )
    text = "".join(
        f"BEGIN:VEVENT\r\nUID:{name}@partner\r\n{when}\r\nEND:VEVENT\r\n" for name, when in events
    )
    whole = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\n{text}END:VCALENDAR\r\n"
    source = {"name": "Суточно", "text": whole}
    await hotelier.post(f"/offers/{court.closed}/calendar-imports", source)


async def _numbered_and_timed(customer: Api, court: Court) -> None:
    """Numbered seats and hours: in an order that is paid, and in the cart."""
    hall = (await customer.get("/listings", text="Метель", kind="event"))["items"][0]["id"]
    timed = (await customer.get("/listings", text="Теннисный корт", kind="rental"))["items"][0][
        "id"
    ]
    court.listings |= {"hall": hall, "hours": timed}
    tickets = (await customer.get(f"/listings/{hall}"))["offers"][1]["id"]
    place = (await customer.get(f"/listings/{timed}"))["offers"][0]["id"]
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)

    def lines(row: int, days: int) -> list[dict[str, Any]]:
        begin = noon + timedelta(days=days)
        hours = {"start": begin.isoformat(), "end": (begin + timedelta(hours=2)).isoformat()}
        seats = [f"Партер {row}-6", f"Партер {row}-7"]
        return [
            {"offer_id": tickets, "quantity": 2, "seats": seats},
            {"offer_id": place, "quantity": 1, "hours": hours},
        ]

    order = await customer.post("/orders", {"lines": lines(5, 11)})
    await pay(customer, order["pay_path"], SUCCESS)
    court.orders["seats"] = await until(customer, order["id"], "paid")
    for line in lines(6, 12):
        await customer.post("/cart/lines", line)


async def _wish(api: Api, kind: str) -> tuple[str, dict[str, Any]]:
    """A listing with several offers, and what a customer wants of it."""
    dates = period(kind)
    for card in (await api.get("/listings", kind=kind, limit=50))["items"]:
        offers = (await api.get(f"/listings/{card['id']}"))["offers"]
        if len(offers) > 1 and await free(api, offers[0]["id"], **(dates or {})) > PLENTY:
            quantity = 2 if kind == "event" else 1
            wish = {"offer_id": offers[0]["id"], "quantity": quantity, "dates": dates}
            return card["id"], wish
    raise AssertionError(f"there is little of {kind}")


async def _fill_cart(api: Api, *kinds: str) -> None:
    for kind in kinds or KINDS:
        _, wish = await _wish(api, kind)
        await api.post("/cart/lines", wish)


async def _explained(customer: Api, court: Court) -> None:
    """A thing whose price has many parts, also in the cart."""
    found = (await customer.get("/listings", text="Каяк", kind="rental"))["items"][0]["id"]
    court.listings["explained"] = found
    offer = (await customer.get(f"/listings/{found}"))["offers"][0]["id"]
    wish = {"offer_id": offer, "quantity": 1, "dates": week()}
    await customer.post("/cart/lines", wish)


async def _charges(site: Site, customer: Api, hotelier: Api, court: Court) -> None:
    """A house with fees, codes in every state, one of them in the cart."""
    place = {"city": "Суздаль", "address": "Заречная, 4", "timezone": "Europe/Moscow"}
    draft = {
        "kind": "stay",
        "category": (await hotelier.get(f"/listings/{court.listings['stay']}"))["category"],
        "title": {"ru": "Дом с баней у реки", "en": "A house with a sauna by the river"},
        "place": place,
        "offers": [{"price": 740_000, "name": {"ru": "Весь дом", "en": "The whole house"}}],
        "fees": [
            {"name": {"ru": "Уборка", "en": "Cleaning"}, "price": 250_000, "per": "order"},
            {"name": {"ru": "Бельё", "en": "Linen"}, "price": 40_000, "per": "unit"},
        ],
    }
    made = await hotelier.post("/listings", draft)
    court.listings["charged"] = made["id"]
    supply = f"/offers/{made['offers'][0]['id']}/supply"
    assert (await hotelier.send("PUT", supply, {"quantity": 1})).status_code == 200
    await hotelier.post(f"/listings/{made['id']}/publish")
    now = datetime.now(UTC)
    for code in (
        {"code": "ВЕСНА", "percent": 15, "uses": 500, "kinds": ["stay"]},
        {"code": "СВОИМ", "amount": 300_000, "minimum": 1_000_000, "uses": 3, "per_customer": 0},
        {"code": "ЗИМА", "percent": 30, "uses": 20, "valid_from": _later(now, 30)},
        {"code": "ОШИБКА", "percent": 90, "uses": 1000, "listing_ids": [made["id"]]},
    ):
        last = await hotelier.post("/promos", code)
    stopped = await hotelier.send("PATCH", f"/promos/{last['id']}", {"active": False})
    assert stopped.status_code == 200, stopped.text
    admin = await site.signed_in("admin@dvor.example")
    code = {"code": "ДВОР10", "percent": 10, "uses": 10_000, "platform": True}
    await admin.post("/promos", code | {"valid_until": _later(now, 60)})
    typed = await customer.send("PUT", "/cart/promo", {"code": "двор10"})
    assert typed.status_code == 200, typed.text


async def _requests(customer: Api, seller: Api, court: Court) -> None:
    """Something whose owner answers first: one request waits for that, one for its payment."""
    rental = await seller.get(f"/listings/{court.listings['rental']}")
    draft = {
        "kind": "rental",
        "category": rental["category"],
        "title": {"ru": "Катер «Ласточка» с причалом", "en": "The Swallow, a boat with a berth"},
        "place": {"city": "Суздаль", "address": "Набережная, 2", "timezone": "Europe/Moscow"},
        "offers": [{"price": 900_000}],
        "approval": True,
    }
    made = await seller.post("/listings", draft)
    court.listings["asking"] = made["id"]
    offer = made["offers"][0]["id"]
    assert (await seller.send("PUT", f"/offers/{offer}/supply", {"quantity": 5})).status_code == 200
    await seller.post(f"/listings/{made['id']}/publish")
    wish = {"offer_id": offer, "quantity": 1, "dates": period("rental")}
    await _on_sale(customer, offer, dates=wish["dates"])
    product = (await customer.get(f"/listings/{court.listings['product']}"))["offers"][0]["id"]
    for name, lines in (
        ("asked", [wish, {"offer_id": product, "quantity": 1}]),
        ("asked_too", [wish | {"quantity": 2}]),
        ("unasked", [wish]),
    ):
        court.orders[name] = await customer.post("/orders", {"lines": lines})
        if name != "unasked":
            await pay(customer, court.orders[name]["pay_path"], SUCCESS)
            await until_asked(customer, court.orders[name]["id"])


async def _deposits(site: Site, customer: Api, seller: Api, court: Court) -> None:
    """Something lent against a deposit: to come, back, back with some of it kept, and let go."""
    rental = await seller.get(f"/listings/{court.listings['rental']}")
    draft = {
        "kind": "rental",
        "category": rental["category"],
        "title": {"ru": "Велосипед «Странник»", "en": "The Wanderer, a touring bicycle"},
        "place": {"city": "Суздаль", "address": "Набережная, 2", "timezone": "Europe/Moscow"},
        "offers": [{"price": 120_000, "pricing": {"deposit": 800_000}}],
    }
    made = await seller.post("/listings", draft)
    court.listings["lent"] = made["id"]
    offer = made["offers"][0]["id"]
    assert (await seller.send("PUT", f"/offers/{offer}/supply", {"quantity": 9})).status_code == 200
    await seller.post(f"/listings/{made['id']}/publish")
    wish = {"offer_id": offer, "quantity": 1, "dates": period("rental")}
    await _on_sale(customer, offer, dates=wish["dates"])
    for name in ("lent", "back", "kept", "freed"):
        order = await customer.post("/orders", {"lines": [wish]})
        await pay(customer, order["pay_path"], SUCCESS)
        court.orders[name] = await until(customer, order["id"], "paid")
    court.orders["pledged"] = await customer.post("/orders", {"lines": [wish]})
    for name in ("back", "kept"):
        court.deposits[name] = await _brought_back(site, court.orders[name]["id"])
    claim = {
        "amount": 250_000,
        "reason": "Погнуто заднее колесо",
        "evidence": "Ремонт по чеку мастерской: 2 500 ₽.\nДо поездки колесо было ровным.",
    }
    await seller.post(f"/payments/deposits/{court.deposits['kept']}/claim", claim)
    freed = await seller.get("/payments/deposits", order_id=court.orders["freed"]["id"])
    await seller.post(f"/payments/deposits/{freed['items'][0]['id']}/return")


async def _brought_back(site: Site, order_id: str) -> str:
    """An order's deposit, of something that is back since yesterday."""
    async with raw_connection(site.database_urls["payments"]) as connection:
        return str(
            await connection.fetchval(
                "UPDATE deposits SET begins_at = dvor_now() - interval '3 days',"
                " ends_at = dvor_now() - interval '1 day' WHERE payment_id ="
                " (SELECT id FROM payments WHERE order_id = $1) RETURNING id",
                UUID(order_id),
            )
        )


async def until_asked(customer: Api, order_id: str) -> None:
    """Wait until the owner of what is ordered is asked."""
    for _ in range(240):
        if (await customer.get(f"/orders/{order_id}"))["approve_until"]:
            return
        await asyncio.sleep(0.25)
    raise TimeoutError(f"nobody is asked about {order_id}")


def _later(now: datetime, days: int) -> str:
    return (now + timedelta(days=days)).replace(microsecond=0).isoformat()


def week() -> dict[str, str]:
    """Seven days, two of them a weekend."""
    first = datetime.now(UTC).date() + timedelta(days=21)
    return {"start": str(first), "end": str(first + timedelta(days=7))}


async def _forgotten_cart(site: Site, court: Court) -> None:
    """A guest's cart whose time has run out."""
    court.guest = secrets.token_urlsafe(24)
    guest = site.client(**{"Dvor-Guest": court.guest})
    person = Api(guest, UUID(court.newcomer_id))
    await _fill_cart(person, "product", "stay")
    cart = await person.get("/cart")
    past = datetime.now(UTC) - timedelta(minutes=1)
    async with raw_connection(site.database_urls["orders"]) as orders:
        hold = await orders.fetchval(
            "UPDATE carts SET held_until = $2 WHERE id = $1::uuid RETURNING hold_id",
            cart["id"],
            past,
        )
    async with raw_connection(site.database_urls["inventory"]) as inventory:
        await inventory.execute("UPDATE holds SET expires_at = $2 WHERE id = $1", hold, past)


async def _mail(site: Site) -> str:
    """The newest mail about a paid order, once it has come."""
    async with raw_connection(site.database_urls["notifications"]) as notifications:
        for _ in range(100):
            found = await notifications.fetchval(
                "SELECT id FROM mails WHERE recipient = 'customer@dvor.example'"
                " ORDER BY sent_at DESC LIMIT 1"
            )
            if found:
                return str(found)
            await asyncio.sleep(0.1)
    raise AssertionError("no mail came")
