"""A small world in a full house: who meets whom where in the matrix and in the attacks."""

import io
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
from aiohttp import web
from PIL import Image
from pydantic import SecretStr

from dvor.contracts.catalog import Kind, Listing, ListingDraft
from dvor.contracts.identity import Credentials, Registration, User
from dvor.contracts.inventory import Supply
from dvor.contracts.orders import Order, Wish
from dvor.contracts.payments import PaymentRequest
from dvor.contracts.seating import Seat, SeatMap, SeatRow, Section
from dvor.kernel import clock, pages
from dvor.kernel.caller import ANONYMOUS, Caller, Role, asking
from dvor.kernel.config import Settings
from dvor.kernel.messages import PageRequest
from dvor.kernel.money import Money
from dvor.kernel.periods import DateRange
from dvor.services.payments.rules import GOOD_CARD
from tests.conftest import House, houses

PASSWORD = "korova-moloko-82-luna"
SAME_SITE = {"sec-fetch-site": "same-origin"}
_numbers = itertools.count()


def picture(side: int = 8) -> bytes:
    """A small PNG."""
    file = io.BytesIO()
    Image.new("RGB", (side, side), "teal").save(file, "PNG")
    return file.getvalue()


def stay_dates(first_in_days: int = 30, nights: int = 2) -> DateRange:
    """Some nights to come."""
    first = clock.now().date() + timedelta(days=first_in_days)
    return DateRange(start=first, end=first + timedelta(days=nights))


def draft(
    kind: Kind = Kind.PRODUCT, title: str = "A lamp", price: int = 1_000, *, by_hour: bool = False
) -> ListingDraft:
    """A listing with one offer."""
    fields: dict[str, Any] = {
        "kind": kind,
        "category": {
            Kind.STAY: "hotels",
            Kind.EVENT: "concerts",
            Kind.RENTAL: "sport",
        }.get(kind, "home"),
        "title": {"en": title},
        "description": {"en": "For tests."},
        "offers": [{"price": price, "name": {"en": "One"}}],
    }
    if kind is not Kind.PRODUCT:
        fields["place"] = {"city": "Tver", "timezone": "UTC"}
    if by_hour:
        fields["offers"][0]["by_hour"] = True
    if kind is Kind.EVENT:
        fields["starts_at"] = clock.now() + timedelta(days=30)
    return ListingDraft.model_validate(fields)


def hall(offer_id: UUID, rows: int = 1, seats: int = 2) -> SeatMap:
    """A section of rows of seats, all of one tier."""
    numbers = range(1, seats + 1)
    row = tuple(Seat(number=str(n), column=n, offer_id=offer_id) for n in numbers)
    made = tuple(SeatRow(label=str(n), seats=row) for n in range(1, rows + 1))
    return SeatMap(sections=(Section(name="Stalls", rows=made),))


@dataclass
class Person:
    """Somebody with an account, an API token and a browser session; or nobody, without them."""

    user: User | None = None
    token: str = ""
    refresh_token: str = ""
    session: str = ""
    ended: bool = False
    """Whether token and session no longer stand for the account."""
    visit: str = field(default_factory=lambda: f"visit-of-a-test-{uuid4().hex}")

    @property
    def id(self) -> UUID:
        """Of the account."""
        assert self.user is not None
        return self.user.id

    @property
    def caller(self) -> Caller:
        """As services see this person."""
        if self.user is None:
            return ANONYMOUS
        return Caller(user_id=self.user.id, roles=self.user.roles)

    @contextmanager
    def asking(self, **more: Any) -> Iterator[Caller]:
        """Within, this person asks; with a key, as through an unsafe route."""
        with asking(self.caller.model_copy(update={"key": uuid4()} | more)) as caller:
            yield caller


@dataclass
class World:
    """A house, people and things in it."""

    house: House
    http: httpx2.AsyncClient
    nobody: Person = field(default_factory=Person)
    customer: Person = field(default_factory=Person)
    stranger: Person = field(default_factory=Person)
    seller: Person = field(default_factory=Person)
    rival: Person = field(default_factory=Person)
    admin: Person = field(default_factory=Person)
    product: Any = None
    stay: Any = None
    hidden: Any = None
    """A draft of the seller's."""
    nobody_else: UUID = field(default_factory=uuid4)
    """The id of no account."""
    others_product: Any = None
    """The rival's."""
    lent: Any = None
    """The seller's, against a deposit; made when it is first wanted."""

    # People

    async def person(self, name: str = "Vera", *, role: Role | None = None) -> Person:
        """A new account, signed in as API client and browser."""
        email = f"p{next(_numbers)}@example.org"
        registration = Registration(
            email=email, password=SecretStr(PASSWORD), name=name, seller=role is Role.SELLER
        )
        if role is Role.ADMIN:
            with asking(ANONYMOUS):
                setup = self.house.proxy("identity", "setup")
                user = await setup.ensure_user(registration, (Role.ADMIN,))
        else:
            user = await self.house.identity.register(registration)
        return await self.signed_in(user)

    async def signed_in(self, user: User) -> Person:
        """Fresh tokens and a fresh browser session of this account."""
        credentials = Credentials(email=user.email, password=SecretStr(PASSWORD))
        tokens = await self.house.identity.issue_tokens(credentials, "tests")
        session = await self.house.identity.sign_in(credentials, "tests")
        return Person(tokens.user, tokens.access_token, tokens.refresh_token, session.token)

    # Requests

    async def api(
        self, who: Person, method: str, path: str, body: Any = None, **more: Any
    ) -> httpx2.Response:
        """REST as this person; unsafe methods carry a fresh idempotency key."""
        headers = {"authorization": f"Bearer {who.token}"} if who.token else {}
        if method != "GET":
            headers["idempotency-key"] = str(uuid4())
        headers |= more.pop("headers", {})
        if body is not None:
            more["json"] = body
        self.http.cookies.clear()
        return await self.http.request(method, path, headers=headers, **more)

    async def page(
        self, who: Person, method: str, path: str, form: dict[str, str] | None = None, **more: Any
    ) -> httpx2.Response:
        """A page as this person's browser asks for it, with the fields of our own form."""
        cookies = {"visit": who.visit}
        if who.session:
            cookies[self.house.settings.session_cookie] = who.session
        cookies |= more.pop("cookies", {})
        headers = {"cookie": "; ".join(f"{n}={v}" for n, v in cookies.items())}
        if method != "GET":
            headers |= SAME_SITE
            more["data"] = {"_csrf": self.csrf(who), "_key": str(uuid4())} | (form or {})
        headers |= more.pop("headers", {})
        self.http.cookies.clear()
        return await self.http.request(method, path, headers=headers, **more)

    def csrf(self, who: Person) -> str:
        """The token that forms of this person's pages carry."""
        settings = self.house.settings
        context = pages.PageContext(binding=who.session or who.visit, secret=settings.secret)
        return pages.csrf_token(context)

    # Things

    async def listing(
        self, seller: Person, draft: ListingDraft, units: int = 100_000, *, publish: bool = True
    ) -> Listing:
        """A listing with so many units of each offer."""
        with seller.asking():
            made: Listing = await self.house.catalog.create(draft)
            for offer in made.offers:
                await self.supply(seller, offer.id, units)
        if publish:
            with seller.asking():
                made = await self.house.catalog.publish(made.id)
        return made

    async def supply(self, seller: Person, offer_id: UUID, units: int) -> Supply:
        """Say how many units there are."""
        with seller.asking():
            return await self.house.inventory.set_supply(offer_id, units)

    async def order(self, who: Person | None = None, listing: Any = None) -> Order:
        """A new order of the customer's for the seller's product, to be paid."""
        offer_id = (listing or self.product).offers[0].id
        with (who or self.customer).asking():
            return await self.house.orders.place((Wish(offer_id=offer_id),))

    async def paid_order(self, who: Person | None = None) -> Order:
        """The same, paid."""
        who = who or self.customer
        order = await self.order(who)
        with asking(ANONYMOUS):
            token = order.pay_path.removeprefix("/pay/")
            await self.house.payments.submit_card(token, GOOD_CARD)
        await self.house.settle()
        with who.asking():
            return await self.house.orders.order(order.id)

    async def shared_order(self) -> Order:
        """A new order of things of both sellers."""
        both = (self.product, self.others_product)
        with self.customer.asking():
            wishes = tuple(Wish(offer_id=listing.offers[0].id) for listing in both)
            return await self.house.orders.place(wishes)

    async def filled_cart(self, who: Person) -> int:
        """The version of a person's cart with a line in it."""
        with who.asking():
            wish = Wish(offer_id=self.product.offers[0].id)
            return (await self.house.orders.add_to_cart(wish)).version

    async def other_session(self, who: Person) -> UUID:
        """A session of this account's somewhere else."""
        assert who.user is not None
        other = await self.signed_in(who.user)
        with asking(ANONYMOUS):
            session_id = (await self.house.identity.session(other.session)).session_id
        assert session_id is not None
        return session_id

    async def mail_id(self) -> UUID:
        """A caught mail; its address is where mails are read."""
        await self.order()
        await self.house.settle()
        found = await self.house.proxy("notifications", "web").mailbox(PageRequest(limit=1))
        return found.items[0].id

    async def cart_line(self, who: Person, guest: str = "") -> UUID:
        """The id of a line in a person's cart."""
        with who.asking():
            wish = Wish(offer_id=self.product.offers[0].id)
            cart = await self.house.orders.add_to_cart(wish, guest)
        return cart.lines[0].id

    async def payment_id(self, order: Order) -> UUID:
        """The payment of an order."""
        found = await self.house.db("payments").fetchval(
            "SELECT id FROM payments WHERE order_id = $1", order.id
        )
        assert found is not None
        return found

    def payment_request(self, who: Person, order: Order, amount: int = 100) -> PaymentRequest:
        """Money to be asked for an order."""
        return PaymentRequest(
            order_id=order.id,
            order_number=order.number,
            payer_id=who.id,
            amount=Money(amount=amount, currency="RUB"),
            return_path=f"/orders/{order.id}",
            expires_at=clock.now() + timedelta(minutes=10),
        )


def today() -> date:
    """The day it is in a house."""
    return clock.now().date()


@asynccontextmanager
async def _webhooks_to(world: list[World]) -> AsyncIterator[str]:
    """An address that hands the bank's webhooks to the world's own route."""

    async def take(request: web.Request) -> web.Response:
        names = ("webhook-id", "webhook-timestamp", "webhook-signature", "content-type")
        async with world[0].house.client() as client:
            answer = await client.post(
                "/api/v1/orders/payment-webhooks",
                content=await request.read(),
                headers={name: request.headers[name] for name in names},
            )
        return web.Response(status=answer.status_code)

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def open_world(template: Settings, **options: Any) -> AsyncIterator[World]:
    """A full house with five people, two shops and a webhook line between bank and orders."""
    worlds: list[World] = []
    async with _webhooks_to(worlds) as url, houses(template) as make:
        # One world serves hundreds of tests: a slow machine needs longer than a token usually lives.
        patient: dict[str, Any] = {"wait_seconds": 0.2, "access_token_seconds": 3600}
        house = await make(payments_webhook_url=url, **(patient | options))
        world = World(house, house.http)
        worlds.append(world)
        world.customer = await world.person("Carla Customer")
        world.stranger = await world.person("Stan Stranger")
        world.seller = await world.person("Sol Seller", role=Role.SELLER)
        world.rival = await world.person("Rick Rival", role=Role.SELLER)
        world.admin = await world.person("Ada Admin", role=Role.ADMIN)
        world.product = await world.listing(world.seller, draft())
        world.stay = await world.listing(world.seller, draft(Kind.STAY, "A room"), 500)
        world.hidden = await world.listing(world.seller, draft(title="A secret"), publish=False)
        world.others_product = await world.listing(world.rival, draft(title="A vase"))
        await house.settle()
        yield world
