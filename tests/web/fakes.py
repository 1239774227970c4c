"""Contracts as the pages meet them, faked: what they hold is what a test says."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from dvor.contracts.availability import Explanation
from dvor.contracts.cancellation import CancellationStep, Until
from dvor.contracts.catalog import (
    Card,
    CardPage,
    Categories,
    Category,
    Kind,
    Listing,
    ListingDraft,
    ListingStatus,
    Offer,
    Search,
    Text,
    UnknownListing,
)
from dvor.contracts.deposits import Deposit, DepositClaim, Deposits
from dvor.contracts.earnings import (
    Account,
    Balance,
    Balances,
    Books,
    Entry,
    PayoutRun,
    Payouts,
    PayoutSearch,
    RunTotal,
    Statement,
    StatementSearch,
)
from dvor.contracts.identity import (
    ActiveSession,
    ActiveSessions,
    AdminAction,
    BrowserSession,
    Credentials,
    ProfileChange,
    PublicProfile,
    PublicProfiles,
    Registration,
    SessionEnded,
    User,
    UserPage,
    UserSearch,
    WrongCredentials,
)
from dvor.contracts.inventory import (
    Claim,
    OfferRules,
    OfferRulesList,
    Rules,
    Supplies,
    Supply,
    Unit,
)
from dvor.contracts.notifications import Mail, MailPage, Notification, NotificationPage, Unread
from dvor.contracts.order_changes import Cancellation, LineCut, LineRefund, RefundChanged
from dvor.contracts.orders import (
    Cart,
    CartLine,
    CartPromo,
    NotCancellable,
    Order,
    OrderCard,
    OrderLine,
    OrderPage,
    OrderSearch,
    OrderStatus,
    TimelineEntry,
    UnknownLine,
    UnknownOrder,
    Wish,
)
from dvor.contracts.payments import PaymentPage, PaymentSearch, SentWebhook, SentWebhooks
from dvor.contracts.seating import SeatMap, SeatMapVersion
from dvor.contracts.waiting import WaitingLine, WaitingLines
from dvor.kernel import clock
from dvor.kernel.caller import Caller, Role, current
from dvor.kernel.errors import Refusal, Unavailable
from dvor.kernel.messages import PageRequest
from dvor.kernel.money import Money

PASSWORD = "five quiet words here"


def rub(amount: int) -> Money:
    """Kopecks."""
    return Money(amount=amount, currency="RUB")


def person(name: str, *roles: Role) -> User:
    """Somebody with an account at name@example.com."""
    return User(
        id=uuid4(),
        email=f"{name.lower()}@example.com",
        name=name,
        roles=(Role.CUSTOMER, *roles),
        language="en",
        created_at=clock.now(),
    )


@dataclass
class FakeIdentity:
    """People who all have one password."""

    people: list[User] = field(default_factory=list)
    sessions_open: dict[str, User] = field(default_factory=dict)
    refuse: Refusal | None = None
    administered: list[tuple[UUID, AdminAction]] = field(default_factory=list)
    avatar_sent: bytes | None = None
    ended: list[UUID] = field(default_factory=list)
    changed: ProfileChange | None = None

    def _refuse(self) -> None:
        if self.refuse:
            raise self.refuse

    def _me(self) -> User:
        return next(user for user in self.people if user.id == current().user_id)

    async def register(self, registration: Registration, address: str = "") -> User:
        self._refuse()
        user = person(registration.name, *([Role.SELLER] if registration.seller else []))
        self.people.append(user.model_copy(update={"email": registration.email}))
        return self.people[-1]

    async def sign_in(
        self, credentials: Credentials, client: str = "", address: str = ""
    ) -> BrowserSession:
        self._refuse()
        user = next((u for u in self.people if u.email == credentials.email), None)
        if user is None or credentials.password.get_secret_value() != PASSWORD:
            raise WrongCredentials
        token = uuid4().hex
        self.sessions_open[token] = user
        return BrowserSession(token=token, user=user, expires_at=clock.now() + timedelta(days=1))

    async def session(self, token: str) -> Caller:
        if token not in self.sessions_open:
            raise SessionEnded
        user = self.sessions_open[token]
        return Caller(user_id=user.id, roles=user.roles, language=user.language)

    async def sign_out(self, token: str) -> None:
        self.sessions_open.pop(token, None)

    async def me(self) -> User:
        return self._me()

    async def change_profile(self, change: ProfileChange) -> User:
        self.changed = change
        return self._me()

    async def change_password(self, old: Any, new: Any) -> None:
        self._refuse()

    async def set_avatar(self, image: bytes) -> User:
        self._refuse()
        self.avatar_sent = image
        return self._me()

    async def sessions(self) -> ActiveSessions:
        at = clock.now()
        entries = [
            ActiveSession(id=uuid4(), client=name, current=now, created_at=at, used_at=at)
            for name, now in (("Mozilla/5.0 (Windows NT) Firefox/140", True), ("curl/8", False))
        ]
        return ActiveSessions(items=tuple(entries))

    async def end_session(self, session_id: UUID) -> None:
        self.ended.append(session_id)

    async def profiles(self, user_ids: tuple[UUID, ...]) -> PublicProfiles:
        found = [u for u in self.people if u.id in user_ids]
        return PublicProfiles(
            items=tuple(
                PublicProfile(
                    id=u.id, name=u.name, city="", about="", avatar="", since=u.created_at
                )
                for u in found
            )
        )

    async def users(self, search: UserSearch) -> UserPage:
        found = [u for u in self.people if search.text.lower() in u.name.lower()]
        return UserPage(items=tuple(found))

    async def administer(self, user_id: UUID, action: AdminAction) -> User:
        self._refuse()
        self.administered.append((user_id, action))
        return next(user for user in self.people if user.id == user_id)


def cart_line(wish: Wish, title: str = "Lamp", problem: str = "") -> CartLine:
    """A line of a cart at ten roubles a unit."""
    units = wish.dates.length if wish.dates else 1
    return CartLine(
        id=uuid4(),
        offer_id=wish.offer_id,
        listing_id=uuid4(),
        kind=Kind.STAY if wish.dates else Kind.PRODUCT,
        title=Text(en=title, ru="Лампа"),
        name=Text(),
        picture="/pictures/x.svg",
        quantity=wish.quantity,
        dates=wish.dates,
        seats=wish.seats,
        units=units,
        unit_price=rub(1000),
        total=rub(1000 * wish.quantity * units),
        problem=problem,
    )


@dataclass
class FakeOrders:
    """One cart for everybody, and some orders."""

    lines: list[CartLine] = field(default_factory=list)
    held_minutes: float = 15
    refuse: dict[UUID, Refusal] = field(default_factory=dict)
    refuse_check_out: Refusal | None = None
    refuse_act: Refusal | None = None
    guests: list[str] = field(default_factory=list)
    claimed: list[str] = field(default_factory=list)
    keys: list[UUID | None] = field(default_factory=list)
    held_again: int = 0
    promo: CartPromo | None = None
    version: int = 1
    kept: list[Order] = field(default_factory=list)
    searches: list[OrderSearch] = field(default_factory=list)
    did: list[tuple[str, UUID]] = field(default_factory=list)
    after_yes: OrderStatus = OrderStatus.PAID
    cuts: tuple[LineCut, ...] = ()
    agreed: int | None = None
    """What was confirmed to come back."""
    quiet: asyncio.Event | None = None
    """Set by a test: no order changes until this happens."""

    def _cart(self) -> Cart:
        until = clock.now() + timedelta(minutes=self.held_minutes)
        held = self.lines and self.held_minutes > 0
        sound = self.lines and not any(line.problem for line in self.lines)
        return Cart(
            id=uuid4(),
            lines=tuple(self.lines),
            total=rub(sum(line.total.amount for line in self.lines)) if sound else None,
            held_until=until if held else None,
            version=self.version,
            promo=self.promo,
        )

    async def cart(self, guest: str = "") -> Cart:
        self.guests.append(guest)
        return self._cart()

    async def add_to_cart(self, wish: Wish, guest: str = "") -> Cart:
        self.guests.append(guest)
        self.keys.append(current().key)
        if wish.offer_id in self.refuse:
            raise self.refuse[wish.offer_id]
        self.lines.append(cart_line(wish))
        return self._cart()

    async def change_line(self, line_id: UUID, quantity: int, guest: str = "") -> Cart:
        line = next((line for line in self.lines if line.id == line_id), None)
        if line is None:
            raise UnknownLine
        if line.offer_id in self.refuse:
            raise self.refuse[line.offer_id]
        changed = line.model_copy(update={"quantity": quantity})
        self.lines = [changed if n.id == line_id else n for n in self.lines]
        self.lines = [n for n in self.lines if n.quantity]
        return self._cart()

    async def hold_cart(self, guest: str = "") -> Cart:
        if self.refuse_act:
            raise self.refuse_act
        self.held_again += 1
        self.held_minutes = 15
        return self._cart()

    async def claim_cart(self, guest: str) -> Cart:
        assert current().user_id is not None
        self.claimed.append(guest)
        return self._cart()

    async def check_out(self, cart_version: int) -> Order:
        if self.refuse_check_out:
            raise self.refuse_check_out
        assert cart_version == self.version
        placed = order(current().user_id or uuid4(), pay_path="/pay/secret")
        self.kept.append(placed)
        self.lines = []
        return placed

    async def order(self, order_id: UUID) -> Order:
        found = next((o for o in self.kept if o.id == order_id), None)
        if found is None:
            raise UnknownOrder
        return found

    async def wait(self, order_id: UUID, after_version: int) -> Order:
        if self.quiet:
            await self.quiet.wait()
        return await self.order(order_id)

    async def orders(self, search: OrderSearch) -> OrderPage:
        self.searches.append(search)
        found = [o for o in self.kept if search.status in (None, o.status)]
        found = [o for o in found if o.approvable or not search.to_approve]
        start = int(search.cursor or 0)
        shown = found[start : start + search.limit]
        more = start + search.limit < len(found)
        return OrderPage(
            items=tuple(_card(o) for o in shown),
            next_cursor=str(start + search.limit) if more else None,
        )

    async def preview_cancellation(
        self, order_id: UUID, cuts: tuple[LineCut, ...] = ()
    ) -> Cancellation:
        """Half of everything comes back, by rule 2."""
        order = await self.order(order_id)
        if order.status in (OrderStatus.CANCELLED, OrderStatus.DELIVERED):
            raise NotCancellable
        wanted = {cut.line_id: cut.quantity for cut in cuts}
        step = CancellationStep(until=Until.DAYS_BEFORE, count=3, percent=50)
        lines = []
        for line in order.lines:
            if wanted and line.id not in wanted:
                continue
            quantity = wanted.get(line.id) or line.quantity
            paid = line.unit_price.times(quantity * line.units)
            back = paid.model_copy(update={"amount": paid.amount // 2})
            lines.append(
                LineRefund(
                    line_id=line.id, seller_id=line.seller_id, title=line.title, name=line.name,
                    quantity=quantity, paid=paid, back=back, rule=2, step=step,
                )
            )  # fmt: skip
        total = Money(amount=sum(line.back.amount for line in lines), currency=order.total.currency)
        whole = not wanted or all(wanted.get(n.id) in (None, n.quantity) for n in order.lines)
        paid_for = order.status is OrderStatus.PAID
        return Cancellation(
            lines=tuple(lines), back=total, whole=whole and len(lines) == len(order.lines),
            charged=paid_for,
        )  # fmt: skip

    async def cancel(
        self, order_id: UUID, cuts: tuple[LineCut, ...] = (), back: int | None = None
    ) -> Order:
        self.cuts, self.agreed = cuts, back
        if (
            back is not None
            and (await self.order(order_id)).status is OrderStatus.PAID
            and back != (await self.preview_cancellation(order_id, cuts)).back.amount
        ):
            raise RefundChanged(back=1)
        return await self._act("cancel", order_id, OrderStatus.CANCELLED)

    async def approve(self, order_id: UUID) -> Order:
        return await self._act("approve", order_id, self.after_yes, approvable=False)

    async def decline(self, order_id: UUID) -> Order:
        return await self._act("decline", order_id, OrderStatus.CANCELLED, approvable=False)

    async def deliver(self, order_id: UUID) -> Order:
        return await self._act("deliver", order_id, OrderStatus.DELIVERED)

    async def _act(self, what: str, order_id: UUID, status: OrderStatus, **more: Any) -> Order:
        if self.refuse_act:
            raise self.refuse_act
        self.did.append((what, order_id))
        found = await self.order(order_id)
        changed = found.model_copy(
            update={"status": status, "cancellable": False, "version": found.version + 1} | more
        )
        self.kept = [changed if o.id == order_id else o for o in self.kept]
        return changed


def order(
    customer_id: UUID,
    status: OrderStatus = OrderStatus.PROCESSING,
    *,
    pay_path: str = "",
    title: str = "Lamp",
    told: tuple[tuple[str, dict[str, str]], ...] = (("created", {}),),
    **changes: Any,
) -> Order:
    """An order of one line for 25 roubles."""
    at = clock.now()
    line = OrderLine(
        id=uuid4(),
        offer_id=uuid4(),
        listing_id=uuid4(),
        seller_id=uuid4(),
        kind=Kind.PRODUCT,
        title=Text(en=title),
        name=Text(),
        picture="/pictures/x.svg",
        quantity=1,
        dates=None,
        units=1,
        unit_price=rub(2500),
        total=rub(2500),
    )
    values: dict[str, Any] = {
        "id": uuid4(),
        "number": "ABCD2345",
        "customer_id": customer_id,
        "status": status,
        "lines": (line,),
        "total": rub(2500),
        "refunded": rub(0),
        "pay_path": pay_path,
        "pay_until": at + timedelta(minutes=14) if pay_path else None,
        "cancellable": status not in (OrderStatus.CANCELLED, OrderStatus.DELIVERED),
        "timeline": tuple(
            TimelineEntry(at=at, what=what, status=status, details=details)
            for what, details in told
        ),
        "version": 3,
        "created_at": at,
    }
    return Order(**values | changes)


def _card(found: Order) -> OrderCard:
    return OrderCard(
        id=found.id,
        number=found.number,
        customer_id=found.customer_id,
        status=found.status,
        kinds=tuple(line.kind for line in found.lines),
        title=found.lines[0].title,
        line_count=len(found.lines),
        total=found.total,
        created_at=found.created_at,
        approve_until=found.approve_until,
    )


@dataclass
class FakeCatalog:
    """Listings as they were drafted."""

    listings: dict[UUID, Listing] = field(default_factory=dict)
    drafts: list[ListingDraft] = field(default_factory=list)
    searches: list[Search] = field(default_factory=list)
    refuse: Refusal | None = None

    async def categories(self) -> Categories:
        found = [
            Category(slug=f"{kind}-things", kind=kind, title=Text(en=f"{kind} things"))
            for kind in Kind
        ]
        return Categories(items=tuple(found))

    async def search(self, search: Search) -> CardPage:
        self.searches.append(search)
        found = [n for n in self.listings.values() if search.status in (None, n.status)]
        items = tuple(
            Card(
                id=n.id,
                seller_id=n.seller_id,
                kind=n.kind,
                status=n.status,
                category=n.category,
                title=n.title,
                price_from=n.offers[0].price,
                picture=n.picture,
            )
            for n in found
        )
        return CardPage(items=items, total=len(items))

    async def listing(self, listing_id: UUID) -> Listing:
        if listing_id not in self.listings:
            raise UnknownListing
        return self.listings[listing_id]

    async def create(self, draft: ListingDraft) -> Listing:
        if self.refuse:
            raise self.refuse
        return self._keep(uuid4(), draft, ListingStatus.DRAFT, 1)

    async def change(self, listing_id: UUID, version: int, draft: ListingDraft) -> Listing:
        if self.refuse:
            raise self.refuse
        before = self.listings[listing_id]
        return self._keep(listing_id, draft, before.status, version + 1)

    def _keep(
        self, listing_id: UUID, draft: ListingDraft, status: ListingStatus, version: int
    ) -> Listing:
        self.drafts.append(draft)
        offers = tuple(
            Offer(
                id=o.id or uuid4(),
                name=o.name,
                price=Money(amount=o.price, currency=draft.currency),
                seasons=o.seasons,
                by_hour=o.by_hour,
                pricing=o.pricing,
            )
            for o in draft.offers
        )
        kept = Listing(
            id=listing_id,
            seller_id=current().user_id or uuid4(),
            kind=draft.kind,
            status=status,
            category=draft.category,
            title=draft.title,
            description=draft.description,
            place=draft.place,
            starts_at=draft.starts_at,
            ends_at=draft.ends_at,
            attributes=draft.attributes,
            offers=offers,
            picture="/pictures/x.svg",
            version=version,
            created_at=clock.now(),
            cancellation=draft.cancellation,
        )
        self.listings[listing_id] = kept
        return kept

    async def publish(self, listing_id: UUID) -> Listing:
        return self._status(listing_id, ListingStatus.PUBLISHED)

    async def archive(self, listing_id: UUID) -> Listing:
        return self._status(listing_id, ListingStatus.ARCHIVED)

    def _status(self, listing_id: UUID, status: ListingStatus) -> Listing:
        changed = self.listings[listing_id].model_copy(update={"status": status})
        self.listings[listing_id] = changed
        return changed


@dataclass
class FakeInventory:
    """Supplies and seat maps as they were set."""

    supplied: dict[UUID, int] = field(default_factory=dict)
    ruled: dict[UUID, Rules] = field(default_factory=dict)
    waited: dict[UUID, WaitingLine] = field(default_factory=dict)
    refuse: Refusal | None = None
    explanation: Explanation = field(default_factory=lambda: Explanation(possible=True))
    drawn: SeatMapVersion | None = None

    async def seat_map(self, listing_id: UUID) -> SeatMapVersion:
        empty = SeatMapVersion(listing_id=listing_id, version=0, map=SeatMap(sections=()))
        return self.drawn or empty

    async def set_seat_map(
        self, listing_id: UUID, version: int, seat_map: SeatMap
    ) -> SeatMapVersion:
        if self.refuse:
            raise self.refuse
        self.drawn = SeatMapVersion(listing_id=listing_id, version=version + 1, map=seat_map)
        return self.drawn

    async def set_rules(self, offer_id: UUID, rules: Rules) -> OfferRules:
        self.ruled[offer_id] = rules
        return OfferRules(offer_id=offer_id, unit=Unit.DAY, rules=rules)

    async def rules(self, offer_ids: tuple[UUID, ...]) -> OfferRulesList:
        found = [
            OfferRules(offer_id=i, unit=Unit.DAY, rules=self.ruled[i])
            for i in offer_ids
            if i in self.ruled
        ]
        return OfferRulesList(items=tuple(found))

    async def set_supply(self, offer_id: UUID, quantity: int) -> Supply:
        if self.refuse:
            raise self.refuse
        self.supplied[offer_id] = quantity
        return Supply(offer_id=offer_id, quantity=quantity, free=quantity, open=True)

    async def explain(self, claim: Claim) -> Explanation:
        return self.explanation

    async def supplies(self, offer_ids: tuple[UUID, ...]) -> Supplies:
        found = [
            Supply(offer_id=i, quantity=self.supplied[i], free=0, open=True)
            for i in offer_ids
            if i in self.supplied
        ]
        return Supplies(items=tuple(found))

    async def waiting_lines(self, offer_ids: tuple[UUID, ...]) -> WaitingLines:
        return WaitingLines(items=tuple(self.waited[i] for i in offer_ids if i in self.waited))


@dataclass
class FakeNotifications:
    """What people were told, and mails."""

    items: list[Notification] = field(default_factory=list)
    mails: list[Mail] = field(default_factory=list)
    read: list[tuple[UUID, ...]] = field(default_factory=list)

    async def notifications(self, page: PageRequest) -> NotificationPage:
        return NotificationPage(items=tuple(self.items), unread=len(self.items))

    async def unread(self) -> Unread:
        return Unread(count=len(self.items))

    async def mark_read(self, notification_ids: tuple[UUID, ...] = ()) -> Unread:
        self.read.append(notification_ids)
        return Unread(count=0)

    async def mailbox(self, page: PageRequest, recipient: str = "") -> MailPage:
        return MailPage(items=tuple(m for m in self.mails if recipient in m.recipient))

    async def mail(self, mail_id: UUID) -> Mail:
        return next(mail for mail in self.mails if mail.id == mail_id)


@dataclass
class FakePayments:
    """No payments; a seller who has earned and was paid; one webhook."""

    runs: list[UUID] = field(default_factory=list)
    replayed: list[UUID] = field(default_factory=list)
    entries: tuple[Entry, ...] = ()
    sent: tuple[SentWebhook, ...] = ()
    kept: list[Deposit] = field(default_factory=list)
    """Deposits."""
    decided: list[tuple[str, DepositClaim | None]] = field(default_factory=list)
    refuse: Refusal | None = None
    down: bool = False

    async def balances(self) -> Balances:
        some = Balance(currency="RUB", available=-5_50, contested=10_00, paid_out=900_00)
        return Balances(items=(some,) if self.entries else ())

    async def statement(self, search: StatementSearch) -> Statement:
        return Statement(items=self.entries)

    async def payouts(self, search: PayoutSearch) -> Payouts:
        return Payouts(items=())

    async def books(self) -> Books:
        return Books(accounts=(Account(name="seller", currency="RUB", amount=-900_00),))

    async def run_payouts(self, key: UUID) -> PayoutRun:
        self.runs.append(key)
        total = RunTotal(payouts=3, amount=Money(amount=1, currency="RUB"))
        return PayoutRun(key=key, started_at=clock.now(), totals=(total,))

    async def webhooks(self, page: PageRequest) -> SentWebhooks:
        return SentWebhooks(items=self.sent)

    async def replay_webhook(self, webhook_id: UUID) -> SentWebhook:
        self.replayed.append(webhook_id)
        return self.sent[0]

    async def payments(self, search: PaymentSearch) -> PaymentPage:
        return PaymentPage(items=())

    async def deposits(self, order_id: UUID) -> Deposits:
        if self.down:
            raise Unavailable
        return Deposits(items=tuple(one for one in self.kept if one.order_id == order_id))

    async def claim_deposit(self, deposit_id: UUID, claim: DepositClaim) -> Deposit:
        return self._decided(deposit_id, ("claim", claim))

    async def return_deposit(self, deposit_id: UUID) -> Deposit:
        return self._decided(deposit_id, ("return", None))

    def _decided(self, deposit_id: UUID, did: tuple[str, DepositClaim | None]) -> Deposit:
        if self.refuse:
            raise self.refuse
        self.decided.append(did)
        return next(one for one in self.kept if one.id == deposit_id)
