"""From "I want this" to the order's page."""

import asyncio
from datetime import date
from uuid import uuid4

import pytest

from dvor.contracts.inventory import (
    ClosedDates,
    LimitReached,
    SoldOut,
    TooLate,
    TooLong,
    TooShort,
    WrongWeekday,
)
from dvor.contracts.orders import CartChanged, CartPromo, NotCancellable, OrderStatus, Wish
from dvor.contracts.pricing import Label, PartKind, PricePart
from dvor.kernel.caller import Role
from dvor.kernel.errors import Refusal
from dvor.web import live
from tests.web.browser import SAME_ORIGIN
from tests.web.conftest import Web
from tests.web.fakes import cart_line, order, rub

NOBODY, DAY = uuid4(), date(2027, 6, 5)


class TestCart:
    async def test_a_new_stranger_sees_an_empty_cart_without_a_call(self, web: Web):
        page = await web.browser().open("/cart")
        assert "Nothing chosen yet" in page.text
        assert web.orders.guests == []

    @pytest.mark.parametrize("path", ["/cart", "/checkout"])
    async def test_a_code_is_taken_off_once_below_the_lines(self, web: Web, path: str):
        browser, _ = await web.signed_in()
        off = PricePart(kind=PartKind.PROMO, code="SPRING", amount=-100)
        base = PricePart(kind=PartKind.BASE, units=1, price=1000, amount=2000)
        fee = PricePart(kind=PartKind.FEE, name=Label(en="Packing"), price=50, units=1, amount=50)
        for parts in ((base, off), (base, off, fee)):
            line = cart_line(Wish(offer_id=uuid4(), quantity=2))
            total = rub(sum(part.amount for part in parts))
            web.orders.lines.append(line.model_copy(update={"parts": parts, "total": total}))
        web.orders.promo = CartPromo(code="SPRING", discount=rub(200))
        text = (await browser.open(path)).text
        assert "2 × ₽10 ₽20 " in text and "₽20.50" in text
        assert "How the price comes about 2 × ₽10 ₽20 Packing ₽0.50" in text
        assert text.count("SPRING") == 1 and "Promo code SPRING −₽2" in text
        assert text.count("₽38.50") >= 1  # 20 + 20.50 - 2

    async def test_shows_lines_total_and_the_time_left_in_words(self, web: Web):
        browser, _ = await web.signed_in()
        web.orders.lines = [cart_line(Wish(offer_id=uuid4(), quantity=2))]
        web.orders.held_minutes = 11.2
        page = await browser.open("/cart")
        assert "Lamp" in page.text and "₽20" in page.text
        assert "Held for you for 12 more minutes" in page.text
        assert 'href="/checkout"' in page.html

    async def test_says_it_in_russian(self, web: Web):
        browser, _ = await web.signed_in(language="ru")
        web.orders.lines = [cart_line(Wish(offer_id=uuid4(), quantity=2))]
        page = await browser.open("/cart")
        assert "Корзина" in page.text and "ещё 15 минут" in page.text and "20 ₽" in page.text

    async def test_a_line_that_cannot_be_bought_says_why_and_blocks_the_checkout(self, web: Web):
        browser, _ = await web.signed_in()
        web.orders.lines = [cart_line(Wish(offer_id=uuid4()), problem="Sold out meanwhile.")]
        page = await browser.open("/cart")
        assert "Sold out meanwhile." in page.text
        assert 'href="/checkout"' not in page.html

    async def test_offers_to_hold_again_when_the_hold_has_ended(self, web: Web):
        browser, _ = await web.signed_in()
        web.orders.lines = [cart_line(Wish(offer_id=uuid4()))]
        web.orders.held_minutes = 0
        page = await browser.open("/cart")
        assert "Nothing is held for you now" in page.text
        assert 'href="/checkout"' not in page.html
        page = await browser.submit(page, "/cart/hold")
        assert web.orders.held_again == 1
        assert page.path == "/cart" and "Everything is held for you again." in page.text


class TestAddingLines:
    async def test_a_guest_gets_a_cookie_that_names_the_cart(self, web: Web):
        browser = web.browser()
        page = await browser.open("/sign-in")
        page = await browser.post(page, "/cart/lines", offer_id=str(uuid4()), quantity="3")
        guest = browser.http.cookies["guest"]
        assert page.path == "/cart" and "It is in your cart" in page.text
        assert len(guest) >= 32 and set(web.orders.guests) == {guest}
        assert web.orders.lines[0].quantity == 3

    async def test_the_notice_is_shown_once(self, web: Web):
        browser = web.browser()
        page = await browser.open("/sign-in")
        await browser.post(page, "/cart/lines", offer_id=str(uuid4()))
        assert "It is in your cart" not in (await browser.open("/cart")).text

    async def test_dates_travel_with_the_line(self, web: Web):
        browser = web.browser()
        page = await browser.open("/sign-in")
        await browser.post(
            page, "/cart/lines", offer_id=str(uuid4()), start="2027-06-01", end="2027-06-04"
        )
        dates = web.orders.lines[0].dates
        assert dates is not None and dates.length == 3

    async def test_an_end_before_the_start_is_refused_where_the_person_was(self, web: Web):
        browser = web.browser()
        page = await browser.open("/sign-in")
        page = await browser.post(
            page,
            "/cart/lines",
            offer_id=str(uuid4()),
            start="2027-06-04",
            end="2027-06-01",
            back="/sign-up",
        )
        assert page.path == "/sign-up" and "The end must be after the start." in page.text
        assert web.orders.lines == []

    async def test_several_tiers_at_once_are_not_one_request(self, web: Web):
        browser = web.browser()
        page = await browser.open("/sign-in")
        first, second, none = uuid4(), uuid4(), uuid4()
        values = {f"quantity-{first}": "2", f"quantity-{second}": "1", f"quantity-{none}": "0"}
        await browser.post(page, "/cart/lines", _key=str(uuid4()), **values)
        assert [(n.offer_id, n.quantity) for n in web.orders.lines] == [(first, 2), (second, 1)]
        assert None not in web.orders.keys and len(set(web.orders.keys)) == 2

    async def test_sold_out_says_what_is_left_on_the_page_the_person_was_on(self, web: Web):
        browser = web.browser()
        page = await browser.open("/sign-in")
        offer = uuid4()
        web.orders.refuse[offer] = SoldOut(offer_id=offer, left=2)
        page = await browser.post(
            page, "/cart/lines", offer_id=str(offer), quantity="5", back="/sign-up"
        )
        assert page.path == "/sign-up" and "Only 2 left. Choose fewer." in page.text

    @pytest.mark.parametrize(
        ("refusal", "said"),
        [
            (TooShort(offer_id=NOBODY, least=3), "too short: 3 at least"),
            (TooLong(offer_id=NOBODY, most=7), "too long: 7 at most"),
            (TooLate(offer_id=NOBODY, hours=48), "48 hours of notice"),
            (WrongWeekday(offer_id=NOBODY, day=DAY), "begin or end on June 5"),
            (ClosedDates(offer_id=NOBODY, day=DAY), "Closed on June 5"),
            (LimitReached(offer_id=NOBODY, limit=2), "can have 2 of it"),
        ],
    )
    async def test_a_rule_that_is_broken_is_said_on_the_page(
        self, web: Web, refusal: Refusal, said: str
    ):
        browser = web.browser()
        page = await browser.open("/sign-in")
        offer = uuid4()
        web.orders.refuse[offer] = refusal
        page = await browser.post(page, "/cart/lines", offer_id=str(offer), back="/sign-up")
        assert page.path == "/sign-up" and said in page.text

    async def test_never_leads_to_another_site(self, web: Web):
        browser = web.browser()
        page = await browser.open("/sign-in")
        for back in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x"):
            page = await browser.open("/sign-in")
            page = await browser.post(page, "/cart/lines", offer_id="nonsense", back=back)
            assert page.path == "/cart"

    async def test_htmx_gets_a_fragment_and_the_new_count(self, web: Web):
        browser = web.browser()
        page = await browser.open("/sign-in")
        token = dict(page.form("/sign-in").values)["_csrf"]
        values = {"_csrf": token, "offer_id": str(uuid4())}
        page = await browser.send("/cart/lines", values, **{"HX-Request": "true"})
        assert "<html" not in page.html and "In your cart" in page.text
        assert page.headers["HX-Trigger"] == '{"cart-count": 1}'

    async def test_a_form_without_our_token_is_refused(self, web: Web):
        page = await web.browser().send("/cart/lines", {"offer_id": str(uuid4())})
        assert page.status == 403 and web.orders.lines == []


class TestChangingALine:
    async def test_buttons_step_the_quantity_without_scripts(self, web: Web):
        browser, _ = await web.signed_in()
        web.orders.lines = [cart_line(Wish(offer_id=uuid4(), quantity=2))]
        action = f"/cart/lines/{web.orders.lines[0].id}"
        page = await browser.submit(await browser.open("/cart"), action, press="step=more")
        assert web.orders.lines[0].quantity == 3
        await browser.submit(page, action, press="step=less")
        assert web.orders.lines[0].quantity == 2

    async def test_a_number_that_is_none_changes_nothing(self, web: Web):
        browser, _ = await web.signed_in()
        web.orders.lines = [cart_line(Wish(offer_id=uuid4(), quantity=2))]
        action = f"/cart/lines/{web.orders.lines[0].id}"
        for quantity in ("-1", "1.5", "1e3", "٣", "99999999999999999999"):
            page = await browser.submit(await browser.open("/cart"), action, quantity=quantity)
            assert "A whole number from 0 to 1,000." in page.text
        assert web.orders.lines[0].quantity == 2

    async def test_a_removed_line_can_be_put_back(self, web: Web):
        browser, _ = await web.signed_in()
        offer = uuid4()
        web.orders.lines = [cart_line(Wish(offer_id=offer, quantity=2))]
        action = f"/cart/lines/{web.orders.lines[0].id}"
        page = await browser.post(await browser.open("/cart"), action, remove="1")
        assert "Removed: Lamp." in page.text and web.orders.lines == []
        await browser.submit(page, "/cart/lines")
        assert [(n.offer_id, n.quantity) for n in web.orders.lines] == [(offer, 2)]

    async def test_more_than_is_left_says_so_in_the_cart(self, web: Web):
        browser, _ = await web.signed_in()
        offer = uuid4()
        web.orders.lines = [cart_line(Wish(offer_id=offer, quantity=2))]
        web.orders.refuse[offer] = SoldOut(offer_id=offer, left=2)
        action = f"/cart/lines/{web.orders.lines[0].id}"
        page = await browser.submit(await browser.open("/cart"), action, press="step=more")
        assert "Only 2 left. Choose fewer." in page.text


class TestCheckout:
    async def test_strangers_sign_in_first_and_come_back(self, web: Web):
        page = await web.browser().open("/checkout")
        assert page.path == "/sign-in?next=/checkout"

    async def test_an_empty_cart_leads_back_to_the_cart(self, web: Web):
        browser, _ = await web.signed_in()
        assert (await browser.open("/checkout")).path == "/cart"

    async def test_says_what_is_charged_and_what_cancelling_costs_before_the_button(self, web: Web):
        browser, _ = await web.signed_in()
        web.orders.lines = [cart_line(Wish(offer_id=uuid4(), quantity=2))]
        page = await browser.open("/checkout")
        button = page.html.index("Order and pay ₽20")
        for words in (
            "charged once everything is booked",
            "Cancelling: free of charge until it is handed over.",
            "anna@example.com",
        ):
            assert page.html.index(words) < button

    async def test_leads_to_the_page_of_the_payment_service(self, web: Web):
        browser, _ = await web.signed_in()
        web.orders.lines = [cart_line(Wish(offer_id=uuid4()))]
        page = await browser.open("/checkout")
        values = dict(page.form("/checkout").values)
        answer = await browser.http.post("/checkout", data=values, headers=SAME_ORIGIN)
        assert (answer.status_code, answer.headers["location"]) == (303, "/pay/secret")

    async def test_a_changed_cart_is_shown_again_and_nothing_is_ordered(self, web: Web):
        browser, _ = await web.signed_in()
        web.orders.lines = [cart_line(Wish(offer_id=uuid4()))]
        web.orders.refuse_check_out = CartChanged()
        page = await browser.submit(await browser.open("/checkout"), "/checkout")
        assert page.status == 409 and "Your cart has changed" in page.text
        assert "Nothing was charged." in page.text and web.orders.kept == []


class TestOrders:
    async def test_strangers_sign_in_first(self, web: Web):
        assert (await web.browser().open("/orders")).path == "/sign-in?next=%2Forders"

    async def test_nobody_is_left_before_an_empty_page(self, web: Web):
        browser, _ = await web.signed_in()
        assert "You have no orders yet" in (await browser.open("/orders")).text

    async def test_one_status_stands_in_the_address(self, web: Web):
        browser, me = await web.signed_in()
        web.orders.kept = [
            order(me.id, OrderStatus.PAID, title="Bowl"),
            order(me.id, OrderStatus.CANCELLED, title="Spoon"),
        ]
        page = await browser.open("/orders?status=paid")
        assert "Bowl" in page.text and "Spoon" not in page.text
        assert (await browser.open("/orders?status=nonsense")).status == 404

    async def test_the_rest_of_a_long_list_is_one_link_away(self, web: Web):
        browser, me = await web.signed_in()
        web.orders.kept = [order(me.id, title=f"Thing {n}.") for n in range(23)]
        page = await browser.open("/orders")
        assert "Thing 19." in page.text and "Thing 20." not in page.text
        assert "/orders?cursor=20" in page.html
        assert "Thing 22." in (await browser.open("/orders?cursor=20")).text


class TestOrderPage:
    async def test_tells_the_story_in_sentences(self, web: Web):
        browser, me = await web.signed_in()
        told = (
            ("created", {}),
            ("paid", {}),
            ("cancelled", {"reason": "customer"}),
            ("refunded", {"amount": "2500"}),
            ("something_new", {}),
        )
        web.orders.kept = [order(me.id, OrderStatus.CANCELLED, told=told)]
        page = await browser.open(f"/orders/{web.orders.kept[0].id}")
        for sentence in (
            "You placed the order.",
            "The order is paid.",
            "You cancelled the order.",
            "₽25 went back to the card.",
            "Something new",
        ):
            assert sentence in page.text

    async def test_leads_to_the_payment_while_it_can_be_paid(self, web: Web):
        browser, me = await web.signed_in()
        web.orders.kept = [order(me.id, pay_path="/pay/secret")]
        page = await browser.open(f"/orders/{web.orders.kept[0].id}")
        assert 'href="/pay/secret"' in page.html
        assert '<noscript><meta http-equiv="refresh"' in page.html

    async def test_sellers_and_admins_are_led_to_their_own_view(self, web: Web):
        web.orders.kept = [order(uuid4(), OrderStatus.PAID)]
        path = f"/orders/{web.orders.kept[0].id}"
        seller, _ = await web.signed_in("Sam", Role.SELLER)
        assert (await seller.open(path)).path == f"/selling{path}"
        admin, _ = await web.signed_in("Olga", Role.ADMIN)
        assert (await admin.open(path)).path == f"/admin{path}"

    async def test_an_order_of_nobody_is_not_found(self, web: Web):
        browser, _ = await web.signed_in()
        assert (await browser.open(f"/orders/{uuid4()}")).status == 404

    async def test_cancelling_says_what_happens_to_the_money_first(self, web: Web):
        browser, me = await web.signed_in()
        web.orders.kept = [order(me.id, OrderStatus.PAID, told=(("paid", {}),))]
        path = f"/orders/{web.orders.kept[0].id}"
        page = await browser.open(f"{path}/cancel")
        assert "You will get back ₽12.50" in page.text and web.orders.did == []
        page = await browser.submit(page, f"{path}/cancel")
        assert page.path == path and "The order is cancelled." in page.text
        assert web.orders.did == [("cancel", web.orders.kept[0].id)]

    async def test_what_can_no_longer_be_cancelled_says_so(self, web: Web):
        browser, me = await web.signed_in()
        web.orders.kept = [order(me.id, OrderStatus.PAID)]
        web.orders.refuse_act = NotCancellable()
        path = f"/orders/{web.orders.kept[0].id}"
        page = await browser.submit(await browser.open(f"{path}/cancel"), f"{path}/cancel")
        assert page.path == path and "can no longer be cancelled" in page.text


class TestOrderEvents:
    async def test_sends_what_changed_and_ends_with_the_order(self, web: Web):
        browser, me = await web.signed_in()
        web.orders.kept = [order(me.id, OrderStatus.DELIVERED)]
        path = f"/orders/{web.orders.kept[0].id}/events"
        answer = await browser.http.get(path + "?after=1")
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "id: 3\nevent: order\ndata: " in answer.text and "Handed over" in answer.text
        assert live.streams_open() == 0

    async def test_ends_at_once_when_the_process_closes(self, web: Web):
        browser, me = await web.signed_in()
        web.orders.kept = [order(me.id)]
        web.orders.quiet = asyncio.Event()
        path = f"/orders/{web.orders.kept[0].id}/events?after=3"
        reading = asyncio.create_task(browser.http.get(path))
        while not live.streams_open():
            await asyncio.sleep(0)
        with live.streams_ended():
            answer = await reading
        assert answer.status_code == 200 and "event:" not in answer.text
        assert live.streams_open() == 0

    async def test_a_reader_who_knows_the_end_is_told_not_to_come_back(self, web: Web):
        browser, me = await web.signed_in()
        web.orders.kept = [order(me.id, OrderStatus.CANCELLED)]
        path = f"/orders/{web.orders.kept[0].id}/events"
        answer = await browser.http.get(path, headers={"Last-Event-ID": "3"})
        assert answer.status_code == 204

    async def test_the_orders_of_others_are_not_followed(self, web: Web):
        browser, _ = await web.signed_in()
        assert (await browser.http.get(f"/orders/{uuid4()}/events")).status_code == 404

    async def test_a_person_has_three_streams_and_gets_them_back(self):
        person = uuid4()

        async def nothing():
            await asyncio.Event().wait()
            yield ""

        async def serve(statuses: list[int]) -> None:
            async def receive() -> dict[str, str]:
                await asyncio.Event().wait()
                return {}

            async def send(message):
                if message["type"] == "http.response.start":
                    statuses.append(message["status"])

            scope = {"type": "http", "asgi": {"spec_version": "2.4"}}
            await live.EventStream(person, nothing())(scope, receive, send)

        statuses: list[int] = []
        open_streams = [asyncio.create_task(serve(statuses)) for _ in range(4)]
        while len(statuses) < 4:
            await asyncio.sleep(0)
        assert sorted(statuses) == [200, 200, 200, 429] and live.streams_open() == 3
        for stream in open_streams:
            stream.cancel()
        await asyncio.gather(*open_streams, return_exceptions=True)
        assert live.streams_open() == 0


class TestAddingSeats:
    async def test_ticked_seats_of_a_tier_are_one_wish(self, web: Web):
        browser = web.browser()
        tier, other = uuid4(), uuid4()
        page = await browser.open("/sign-in")
        sent = {"seat-0-a": f"{tier} A 1", "seat-0-b": f"{tier} A 2", "seat-1-a": f"{other} B 1"}
        await browser.post(page, "/cart/lines", **sent)
        assert [(n.offer_id, n.quantity, n.seats) for n in web.orders.lines] == [
            (tier, 2, ("A 1", "A 2")),
            (other, 1, ("B 1",)),
        ]

    async def test_more_than_fifty_are_refused_in_words(self, web: Web):
        browser = web.browser()
        tier = uuid4()
        page = await browser.open("/sign-in")
        page = await browser.post(
            page, "/cart/lines", **{f"seat-{n}": f"{tier} A {n}" for n in range(51)}
        )
        assert "Up to 50 seats at once" in page.text
        assert not web.orders.lines
