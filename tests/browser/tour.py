"""Every page of Dvor in every state worth looking at."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from playwright.async_api import Browser, Page, Route

from dvor.kernel.caller import Caller, asking
from dvor.web.errors import error_page
from tests.browser.court import BEGINNER, NEWCOMER, Court, week
from tests.browser.visitor import Language, Screen, Theme, Visitor, visiting

Prepare = Callable[[Page], Awaitable[None]]


@dataclass(frozen=True)
class Stop:
    """A page in one state."""

    name: str
    path: str
    who: str = ""
    """A demo account, or an e-mail; empty: a stranger."""
    prepare: Prepare | None = None
    """What is done on the page before it is looked at."""
    status: int = 200
    english: tuple[str, ...] = ()
    """Latin words that are right on the Russian page."""
    drawn: bool = False
    """An error page that is hard to meet: drawn by Dvor's own code and given for this path."""


def _browsing(court: Court) -> list[Stop]:
    day = datetime.now(UTC).date() + timedelta(days=41)
    three, two = (f"?start={day}&end={day + timedelta(days=n)}" for n in (3, 2))
    listing = {kind: f"/listings/{found}" for kind, found in court.listings.items()}
    return [
        Stop("home", "/"),
        Stop("results", "/search"),
        Stop("results-goods", "/search?kind=product&sort=cheapest"),
        Stop("results-free", f"/search?kind=stay&start={day}&end={day + timedelta(days=2)}"),
        Stop("results-none", "/search?text=qwrtzxcv&least=100", english=("qwrtzxcv",)),
        Stop("listing-product", listing["product"]),
        Stop("listing-rental", listing["rental"]),
        Stop("listing-rental-dates", listing["rental"] + three),
        Stop("listing-stay-dates", listing["stay"] + two),
        Stop("listing-wrong-dates", f"{listing['stay']}?start={day}&end={day}"),
        Stop(
            "listing-explained",
            f"{listing['explained']}?start={week()['start']}&end={week()['end']}&quantity=2",
        ),
        Stop("listing-charged", listing["charged"] + two),
        Stop("listing-asking", listing["asking"] + two),
        Stop("listing-event", listing["event"]),
        Stop("listing-seats", listing["hall"], prepare=_three_seats),
        Stop("listing-seats-list", listing["hall"], prepare=_as_list),
        Stop("listing-hours", f"{listing['hours']}?day={day}", prepare=_two_hours),
        Stop("listing-sold-out", listing["sold_out"]),
        Stop("seller", f"/sellers/{court.seller_id}"),
        Stop("cart-empty", "/cart"),
        Stop("cart-ended", "/cart", who="guest"),
        Stop("sign-in", "/sign-in?next=/checkout"),
        Stop("sign-in-refused", "/sign-in", prepare=_refused_sign_in),
        Stop("sign-up", "/sign-up"),
        Stop("sign-up-refused", "/sign-up", prepare=_refused_sign_up),
        Stop("about", "/about"),
        Stop("accessibility", "/accessibility"),
        Stop("offline", "/offline"),
        Stop("mailbox", "/mailbox?to=customer@dvor.example"),
        Stop("mailbox-none", "/mailbox?to=nobody@dvor.example"),
        Stop("mail", f"/mailbox/{court.mail}"),
        Stop("error-404", "/nothing-is-here", status=404),
        *(
            Stop(f"error-{status}", f"/error/{status}", status=status, drawn=True)
            for status in (409, 429, 500)
        ),
    ]


def _buying(court: Court) -> list[Stop]:
    order = {name: f"/orders/{found['id']}" for name, found in court.orders.items()}
    return [
        Stop("cart", "/cart", "customer"),
        Stop("cart-explained", "/cart", "customer", prepare=_unfolded),
        Stop("wait", f"/listings/{court.listings['sold_out']}/wait?quantity=2", "customer"),
        Stop("wait-refused", f"/listings/{court.listings['stay']}/wait", "customer", _refused_wait),
        Stop("waiting", "/waiting", "customer"),
        Stop("waiting-none", "/waiting", NEWCOMER),
        Stop("waiting-decline", f"/waiting/{court.offered}/decline", "customer"),
        Stop("cart-short", "/cart", "customer", prepare=_two_minutes_left),
        Stop("checkout", "/checkout", "customer"),
        Stop("pay", court.orders["waiting"]["pay_path"], "customer"),
        Stop("pay-deposit", court.orders["pledged"]["pay_path"], "customer"),
        Stop("pay-declined", court.orders["declined"]["pay_path"] + "?said=declined", "customer"),
        Stop("orders", "/orders", "customer"),
        Stop("orders-none", "/orders", NEWCOMER),
        Stop("order-waiting", order["waiting"], "customer"),
        Stop("order-declined", order["declined"], "customer"),
        Stop("order-paid", order["paid"], "customer"),
        Stop("order-seats", order["seats"], "customer"),
        Stop("order-delivered", order["delivered"], "customer"),
        Stop("order-cancelled", order["cancelled"], "customer"),
        Stop("order-cancel", f"{order['paid']}/cancel", "customer"),
        Stop("order-asked", order["asked"], "customer"),
        Stop("order-asked-cancel", f"{order['asked']}/cancel", "customer"),
        Stop("order-unasked", order["unasked"], "customer"),
        Stop("order-lent", order["lent"], "customer"),
        Stop("order-deposit-kept", order["kept"], "customer"),
        Stop("order-deposit-freed", order["freed"], "customer"),
        Stop("error-403", "/admin/users", "customer", status=403),
    ]


def _account(_court: Court) -> list[Stop]:
    return [
        Stop("account", "/account", "customer"),
        Stop("account-refused", "/account", "customer", prepare=_refused_profile),
        Stop("security", "/account/security", "customer", english=("Chrome", "Linux", "Python")),
        Stop("notifications", "/notifications", "customer"),
        Stop("notifications-few", "/notifications", NEWCOMER),
        Stop("payments", "/account/payments", "customer"),
        Stop("payments-none", "/account/payments", NEWCOMER),
    ]


async def _first_stay(page: Page) -> None:
    await page.locator("[data-stay]").first.click()
    await page.wait_for_selector("#stay")


async def _refused_claim(page: Page) -> None:
    await page.fill("#f-amount", "99999")
    await page.fill("#f-reason", "?")
    await page.locator("button.is-danger").click()
    await page.wait_for_selector(".alert.is-bad")


def _selling(court: Court) -> list[Stop]:
    edit = {kind: f"/selling/listings/{found}" for kind, found in court.listings.items()}
    sale = f"/selling/orders/{court.sales['seller']['id']}"
    asked = f"/selling/orders/{court.orders['asked']['id']}"
    back = f"/selling/orders/{court.orders['back']['id']}"
    return [
        Stop("selling", "/selling", "seller"),
        Stop("selling-begin", "/selling", BEGINNER),
        Stop("selling-listings", "/selling/listings", "seller"),
        Stop("selling-listings-none", "/selling/listings", BEGINNER),
        Stop("selling-kinds", "/selling/listings/new", "seller"),
        Stop("selling-new-stay", "/selling/listings/new?kind=stay", "hotelier"),
        Stop("selling-refused", "/selling/listings/new?kind=event", "organiser", _refused_listing),
        Stop("selling-draft", edit["draft"], "seller"),
        Stop("selling-product", edit["product"], "seller"),
        Stop("selling-rental", edit["rental"], "seller"),
        Stop("selling-stay", edit["stay"], "hotelier"),
        Stop("selling-prices", edit["explained"], "seller", prepare=_unfolded),
        Stop("selling-prices-refused", edit["explained"], "seller", prepare=_refused_prices),
        Stop("selling-rooms", court.chart, "hotelier"),
        Stop("selling-rooms-choose", court.chart, "hotelier", _first_stay),
        Stop(
            "selling-closures",
            f"/selling/closures/{court.closed}",
            "hotelier",
            _unfolded,
            english=("https",),
        ),
        Stop(
            "selling-closures-none",
            f"/selling/closures/{court.open}",
            "hotelier",
            english=("https",),
        ),
        Stop("selling-charged", edit["charged"], "hotelier"),
        Stop("selling-codes", "/selling/codes", "hotelier"),
        Stop("selling-codes-none", "/selling/codes", BEGINNER),
        Stop("selling-codes-refused", "/selling/codes", BEGINNER, prepare=_refused_code),
        Stop("selling-tax", "/selling/tax", "hotelier"),
        Stop("selling-event", edit["event"], "organiser"),
        Stop("selling-seats", f"{edit['hall']}/seats", "organiser", _selected_seats),
        Stop("selling-seats-none", f"{edit['event']}/seats", "organiser"),
        Stop("selling-waited", f"/selling/listings/{court.listings['sold_out']}", "seller"),
        Stop("selling-archived", edit["archived"], "seller"),
        Stop("selling-orders", "/selling/orders", "seller"),
        Stop("selling-money", "/selling/money", "seller", english=("CSV",)),
        Stop("selling-money-none", "/selling/money", BEGINNER),
        Stop("selling-orders-none", "/selling/orders", BEGINNER),
        Stop("selling-order", sale, "seller"),
        Stop("selling-order-cancel", f"{sale}/cancel", "seller"),
        Stop("selling-approvals", "/selling/approvals", "seller"),
        Stop("selling-approvals-none", "/selling/approvals", BEGINNER),
        Stop("selling-deposit", back, "seller"),
        Stop("selling-deposit-claim", f"{back}/deposits/{court.deposits['back']}", "seller"),
        Stop(
            "selling-deposit-refused",
            f"{back}/deposits/{court.deposits['back']}",
            "seller",
            prepare=_refused_claim,
        ),
        Stop("selling-asked", asked, "seller"),
        Stop("selling-asked-decline", f"{asked}/decline", "seller"),
        Stop("listing-own-draft", f"/listings/{court.listings['draft']}", "seller"),
    ]


def _admin(court: Court) -> list[Stop]:
    order = f"/admin/orders/{court.orders['paid']['id']}"
    return [
        Stop("admin", "/admin", "admin"),
        Stop("admin-users", "/admin/users", "admin"),
        Stop("admin-users-change", "/admin/users", "admin", prepare=_opened_menu),
        Stop("admin-block", f"/admin/users/{court.newcomer_id}/block", "admin"),
        Stop("admin-listings", "/admin/listings", "admin"),
        Stop("admin-orders", "/admin/orders", "admin"),
        Stop("admin-order", order, "admin"),
        Stop("admin-order-cancel", f"{order}/cancel", "admin"),
        Stop("admin-codes", "/admin/codes", "admin"),
        Stop("admin-payments", "/admin/payments", "admin"),
        Stop("admin-money", "/admin/money", "admin"),
        # Their types are named as programs know them.
        Stop(
            "admin-webhooks",
            "/admin/webhooks",
            "admin",
            english=("payment", "authorised", "declined"),
        ),
        Stop(
            "admin-audit",
            "/admin/audit",
            "admin",
            # What is examined is named as operators know it: databases, a header of mails.
            english=(
                *("catalog", "identity", "inventory", "notifications", "orders", "payments"),
                *("ID", "Message"),
            ),
        ),
    ]


PARTS: dict[str, Callable[[Court], list[Stop]]] = {
    "browsing": _browsing,
    "buying": _buying,
    "account": _account,
    "selling": _selling,
    "admin": _admin,
}


def stops(court: Court) -> list[Stop]:
    """The whole tour."""
    return [stop for part in PARTS.values() for stop in part(court)]


async def _submit(page: Page, form: str) -> None:
    async with page.expect_navigation():
        await page.locator(form).evaluate("form => form.requestSubmit()")


async def _refused_sign_in(page: Page) -> None:
    await page.fill("main [name=email]", "nobody@dvor.example")
    await page.fill("main [name=password]", "not the password")
    await _submit(page, "main form[action='/sign-in']")


async def _refused_sign_up(page: Page) -> None:
    await page.fill("main [name=email]", "somebody")
    await page.fill("main [name=password]", "short")
    await _submit(page, "main form[action='/sign-up']")


async def _refused_profile(page: Page) -> None:
    await page.fill("main [name=name]", "")
    await _submit(page, "main form[action='/account']")


async def _refused_wait(page: Page) -> None:
    await _submit(page, "#wait")


async def _refused_listing(page: Page) -> None:
    await page.fill("#f-offer-0-price", "?")
    await _submit(page, "#listing-form")


async def _refused_prices(page: Page) -> None:
    await _unfolded(page)
    await page.fill("#f-offer-0-deposit", "?")
    await page.fill("#f-offer-0-rule-notice_hours", "?")
    await _submit(page, "#listing-form")


async def _refused_code(page: Page) -> None:
    await page.fill("#f-code", "?")
    await _submit(page, "main form[action='/selling/codes']")


async def _unfolded(page: Page) -> None:
    folds = page.locator("main :is(.fold, .line-price)")
    await folds.evaluate_all("folds => folds.forEach(fold => { fold.open = true })")


async def _two_minutes_left(page: Page) -> None:
    await page.clock.install()
    await page.reload()
    left = await page.locator(".hold").first.get_attribute("data-hold-minutes")
    await page.clock.fast_forward((int(left or 0) * 60 - 150) * 1000)


async def _three_seats(page: Page) -> None:
    for seat in ("Партер 4-6", "Партер 4-7", "Партер 8-1"):
        await page.locator(f"[data-plan] [data-cell='{seat}']").click()
    await page.evaluate("scrollTo(0, 0)")  # what the head of the page covers cannot be judged


async def _as_list(page: Page) -> None:
    await page.locator("[data-view=list]").click()
    await page.locator("[data-seat='Партер 4-6']").check()


async def _two_hours(page: Page) -> None:
    for name, number in (("from_hour", 5), ("to_hour", 2)):
        async with page.expect_response(lambda answer: "from_hour" in answer.url):
            await page.select_option(f"#f-{name}", index=number)
    await page.wait_for_selector("#book button.is-main")


async def _selected_seats(page: Page) -> None:
    await page.locator("[data-at='2 3']").first.click()
    await page.keyboard.press("Shift+ArrowRight")


async def _opened_menu(page: Page) -> None:
    await page.locator("details.drop summary").first.click()


class Tour:
    """Visits stops; people stay signed in between them."""

    def __init__(self, browser: Browser, url: str, court: Court) -> None:
        self._browser = browser
        self._url = url
        self._court = court
        self._sessions: dict[str, list[Any]] = {}

    async def _cookies(self, who: str) -> list[Any]:
        if who == "guest":
            return [{"name": "guest", "value": self._court.guest, "url": self._url}]
        if who and who not in self._sessions:
            async with visiting(self._browser, self._url) as visitor:
                await visitor.sign_in(who)
                self._sessions[who] = await visitor.context.cookies()
        return self._sessions.get(who, [])

    @asynccontextmanager
    async def visit(
        self, who: str, screen: Screen, language: Language, theme: Theme
    ) -> AsyncIterator[Visitor]:
        """A visitor who may open the stops of `who`."""
        chosen = {"name": "lang", "value": language, "url": self._url}
        cookies = [*await self._cookies(who), chosen]
        async with visiting(
            self._browser, self._url, screen=screen, language=language, theme=theme
        ) as visitor:
            await visitor.context.add_cookies(cookies)
            yield visitor

    async def stand(self, visitor: Visitor, stop: Stop) -> None:
        """Bring the visitor's page to the stop."""
        if stop.drawn:
            await self._draw(visitor, stop)
        response = await visitor.page.goto(self._url + stop.path)
        assert response is not None
        assert response.status == stop.status, f"{stop.name}: {response.status} for {stop.path}"
        if stop.prepare:
            await stop.prepare(visitor.page)
        await visitor.page.evaluate("document.fonts.ready.then(() => null)")

    async def _draw(self, visitor: Visitor, stop: Stop) -> None:
        with asking(Caller(language=visitor.language)):
            body = error_page(stop.status, None)
        visitor.expected.add(self._url + stop.path)

        async def give(route: Route) -> None:
            await route.fulfill(status=stop.status, body=body, content_type="text/html")

        await visitor.context.route(self._url + stop.path, give)
