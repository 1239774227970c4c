"""The orders service with the contracts it calls faked: what they do is what a test decides."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from dvor.contracts.cancellation import ANYTIME, Policy
from dvor.contracts.catalog import (
    Kind,
    ListingStatus,
    NotOnSale,
    OfferFacts,
    OfferFactsList,
    PricedLine,
    Quote,
    QuoteLine,
    Text,
)
from dvor.contracts.deposits import DepositDeclined, DepositParts, Deposits, DepositTerms
from dvor.contracts.inventory import Claim, Hold, HoldEnded, HoldStatus, SoldOut
from dvor.contracts.payments import (
    NotAuthorised,
    Payment,
    PaymentHistory,
    PaymentRequest,
    PaymentStatus,
    RefundFailed,
    Shares,
    UnknownPayment,
)
from dvor.contracts.pricing import PartKind, PricePart
from dvor.contracts.waiting import UnknownWaiting, Waiting
from dvor.kernel import clock, ids
from dvor.kernel.caller import Caller, Role
from dvor.kernel.errors import Conflict, Unavailable
from dvor.kernel.money import Money
from tests.conftest import House, MakeHouse

PRICE = 1_000
DEPOSIT = 300


def explained(quantity: int) -> tuple[PricePart, ...]:
    """How the price of so many comes about."""
    return (
        PricePart(
            kind=PartKind.WEEKDAY, units=1, price=PRICE, weekdays=(4,), amount=PRICE * quantity
        ),
    )


@dataclass
class FakeCatalog:
    """Sells every offer it was told of, at one price."""

    sellers: dict[UUID, UUID] = field(default_factory=dict)
    withdrawn: set[UUID] = field(default_factory=set)
    policies: dict[UUID, Policy] = field(default_factory=dict)
    starts: dict[UUID, datetime] = field(default_factory=dict)
    lent: set[UUID] = field(default_factory=set)
    """Against a deposit."""
    lends: bool = False
    """Everything is."""
    asking: set[UUID] = field(default_factory=set)
    """Of these the seller answers each request."""

    def offer(self, seller: UUID) -> UUID:
        """A new offer of this seller."""
        found = uuid4()
        self.sellers[found] = seller
        return found

    def _facts(self, offer_id: UUID) -> OfferFacts:
        return OfferFacts(
            id=offer_id,
            listing_id=offer_id,
            seller_id=self.sellers[offer_id],
            kind=Kind.PRODUCT,
            status=ListingStatus.PUBLISHED,
            title=Text(en="A lamp"),
            name=Text(),
            price=Money(amount=PRICE, currency="RUB"),
            timezone="UTC",
            picture="/pictures/x.svg",
            cancellation=self.policies.get(offer_id, ANYTIME),
            starts_at=self.starts.get(offer_id),
            approval=offer_id in self.asking,
        )

    async def offers(self, offer_ids: tuple[UUID, ...]) -> OfferFactsList:
        """Facts."""
        return OfferFactsList(items=tuple(self._facts(i) for i in offer_ids))

    async def quote(self, lines: tuple[QuoteLine, ...], promo: str = "") -> Quote:
        """Prices."""
        for line in lines:
            if line.offer_id in self.withdrawn:
                raise NotOnSale(offer_id=line.offer_id)
        priced = tuple(
            PricedLine(
                offer=self._facts(line.offer_id),
                quantity=line.quantity,
                dates=line.dates,
                hours=line.hours,
                units=1,
                unit_price=Money(amount=PRICE, currency="RUB"),
                total=Money(amount=PRICE * line.quantity, currency="RUB"),
                day_prices=(PRICE,),
                parts=explained(line.quantity),
                deposit=Money(amount=DEPOSIT * line.quantity, currency="RUB")
                if self.lends or line.offer_id in self.lent
                else None,
            )
            for line in lines
        )
        total = sum(line.total.amount for line in priced)
        return Quote(lines=priced, total=Money(amount=total, currency="RUB"))


@dataclass
class FakeInventory:
    """Holds whatever is asked for, unless told that it is sold out."""

    holds: dict[UUID, Hold] = field(default_factory=dict)
    sold_out: set[UUID] = field(default_factory=set)
    seated: set[UUID] = field(default_factory=set)
    """Of these, who names no seats gets `A`, `B`, ..."""
    waiting: dict[UUID, Waiting] = field(default_factory=dict)
    """Of whoever asks."""
    given_back: list[UUID] = field(default_factory=list)
    """Holds that were given for others."""
    minutes: int = 15
    down: bool = False

    async def waiting_entry(self, waiting_id: UUID, token: str = "") -> Waiting:
        """A place in a line."""
        if waiting_id not in self.waiting:
            raise UnknownWaiting
        return self.waiting[waiting_id]

    async def hold(
        self,
        hold_id: UUID,
        claims: tuple[Claim, ...],
        customer_id: UUID | None = None,
        instead_of: UUID | None = None,
    ) -> Hold:
        """Hold."""
        for claim in claims:
            if claim.offer_id in self.sold_out:
                raise SoldOut(offer_id=claim.offer_id, left=0)
        old = self.holds.get(hold_id)
        if old and old.status is HoldStatus.RELEASED:
            raise HoldEnded
        claims = tuple(self._with_seats(claim) for claim in claims)
        if instead_of:
            self.given_back.append(instead_of)
        until = clock.now() + timedelta(minutes=self.minutes)
        self.holds[hold_id] = Hold(
            id=hold_id, status=HoldStatus.HELD, claims=claims, expires_at=until
        )
        return self.holds[hold_id]

    def _with_seats(self, claim: Claim) -> Claim:
        if claim.seats or claim.offer_id not in self.seated:
            return claim
        return claim.model_copy(update={"seats": tuple("ABCDEFGH"[: claim.quantity])})

    async def confirm(self, hold_id: UUID) -> Hold:
        """Confirm."""
        if self.down:
            raise Unavailable
        hold = self.holds[hold_id]
        late = hold.status is HoldStatus.HELD and hold.expires_at <= clock.now()
        if late or hold.status in (HoldStatus.RELEASED, HoldStatus.EXPIRED):
            raise HoldEnded
        return self._become(hold_id, HoldStatus.CONFIRMED)

    async def extend(self, hold_id: UUID, seconds: int) -> Hold:
        """Let it live longer."""
        hold = self.holds[hold_id]
        if hold.status is not HoldStatus.HELD or hold.expires_at <= clock.now():
            raise HoldEnded
        until = max(hold.expires_at, clock.now() + timedelta(seconds=seconds))
        self.holds[hold_id] = hold.model_copy(update={"expires_at": until})
        return self.holds[hold_id]

    def lapse(self) -> None:
        """All holds reach their deadline at once."""
        for hold_id, hold in self.holds.items():
            self.holds[hold_id] = hold.model_copy(update={"expires_at": clock.now()})

    async def release(self, hold_id: UUID) -> Hold:
        """Release."""
        return self._become(hold_id, HoldStatus.RELEASED)

    async def restate(
        self, hold_id: UUID, claims: tuple[Claim, ...], instead_of: UUID | None = None
    ) -> Hold:
        """Make what is booked consist of these."""
        if self.down:
            raise Unavailable
        assert self.holds[hold_id].status is HoldStatus.CONFIRMED
        self.holds[hold_id] = self.holds[hold_id].model_copy(update={"claims": claims})
        return self.holds[hold_id]

    def _become(self, hold_id: UUID, status: HoldStatus) -> Hold:
        self.holds[hold_id] = self.holds[hold_id].model_copy(update={"status": status})
        return self.holds[hold_id]


@dataclass
class FakePayments:
    """Remembers one payment per order."""

    payments: dict[UUID, Payment] = field(default_factory=dict)
    refunds: dict[UUID, int] = field(default_factory=dict)
    refunded_of: dict[UUID, UUID] = field(default_factory=dict)
    borne: dict[UUID, dict[UUID, int]] = field(default_factory=dict)
    """Of each refund, from whose sales it was taken."""
    refusing: int = 0
    """How many more refunds the bank refuses."""
    refused: set[UUID] = field(default_factory=set)
    """Keys: each stands for ever for what became of it."""
    deposits: dict[UUID, tuple[DepositTerms, ...]] = field(default_factory=dict)
    """What was asked to be set aside with each payment."""
    secured: set[UUID] = field(default_factory=set)
    """Payments whose deposits are set aside."""
    released: list[tuple[UUID, dict[UUID, int]]] = field(default_factory=list)
    """What was let go: payment, and what of each line is still needed."""
    declining: bool = False
    """The bank does not set deposits aside."""
    down: bool = False

    async def request(self, request: PaymentRequest) -> Payment:
        """Ask for money."""
        if self.down:
            raise Unavailable
        for payment in self.payments.values():
            if payment.order_id == request.order_id:
                return payment
        made = Payment(
            id=uuid4(),
            order_id=request.order_id,
            order_number=request.order_number,
            payer_id=request.payer_id,
            amount=request.amount,
            status=PaymentStatus.REQUESTED,
            captured=0,
            refunded=0,
            declines=0,
            pay_path="/pay/x",
            expires_at=request.expires_at,
            created_at=clock.now(),
        )
        self.payments[made.id] = made
        self.deposits[made.id] = request.deposits
        return made

    async def secure_deposits(self, payment_id: UUID) -> Deposits:
        """Set them aside."""
        if self.down:
            raise Unavailable
        if self.payments[payment_id].status is not PaymentStatus.AUTHORISED:
            raise NotAuthorised
        if self.declining:
            raise DepositDeclined
        self.secured.add(payment_id)
        return Deposits(items=())

    async def release_deposits(self, payment_id: UUID, parts: DepositParts = ()) -> Deposits:
        """Let them go."""
        self.released.append((payment_id, {part.line_id: part.needed for part in parts}))
        return Deposits(items=())

    async def payment(self, payment_id: UUID) -> PaymentHistory:
        """One payment."""
        if payment_id not in self.payments:
            raise UnknownPayment
        return PaymentHistory(payment=self.payments[payment_id], steps=())

    def become(self, payment_id: UUID, status: PaymentStatus, **more: int) -> Payment:
        """Change a payment from outside."""
        changed = self.payments[payment_id].model_copy(update={"status": status, **more})
        self.payments[payment_id] = changed
        return changed

    async def capture(self, payment_id: UUID) -> Payment:
        """Take the money."""
        payment = self.payments[payment_id]
        if payment.status not in (PaymentStatus.AUTHORISED, PaymentStatus.CAPTURED):
            raise NotAuthorised
        return self.become(payment_id, PaymentStatus.CAPTURED, captured=payment.amount.amount)

    async def void(self, payment_id: UUID) -> Payment:
        """Close it."""
        if self.payments[payment_id].status in (PaymentStatus.CAPTURED, PaymentStatus.REFUNDED):
            raise Conflict
        return self.become(payment_id, PaymentStatus.VOIDED)

    async def refund(
        self, payment_id: UUID, amount: int, key: UUID, reason: str = "", shares: Shares = ()
    ) -> Payment:
        """Give money back, once per key."""
        assert amount > 0
        if self.refusing and key not in self.refused:
            self.refusing -= 1
            self.refused.add(key)
        if key in self.refused:
            raise RefundFailed
        self.borne[key] = {share.seller_id: share.amount for share in shares}
        assert self.refunds.setdefault(key, amount) == amount
        self.refunded_of[key] = payment_id
        total = sum(n for k, n in self.refunds.items() if self.refunded_of[k] == payment_id)
        captured = self.payments[payment_id].captured
        assert total <= captured
        status = PaymentStatus.REFUNDED if total == captured else PaymentStatus.CAPTURED
        return self.become(payment_id, status, refunded=total)


@dataclass
class Scene:
    """A house with orders, its fakes and its people."""

    house: House
    catalog: FakeCatalog
    inventory: FakeInventory
    payments: FakePayments
    customer: Caller
    stranger: Caller
    seller: Caller
    admin: Caller

    def payment_of(self, order_id: UUID) -> Payment:
        """The payment of an order."""
        return next(p for p in self.payments.payments.values() if p.order_id == order_id)


OpenScene = Callable[[], Awaitable[Scene]]


def person(*roles: Role) -> Caller:
    """Somebody with these roles."""
    return Caller(user_id=ids.new(), roles=roles or (Role.CUSTOMER,))


@pytest.fixture
async def scene(make_house: MakeHouse) -> Scene:
    """The orders service among fakes."""
    catalog, inventory, payments = FakeCatalog(), FakeInventory(), FakePayments()
    fakes = {"catalog": catalog, "inventory": inventory, "payments": payments}
    house = await make_house("orders", fakes=fakes, wait_seconds=2.0)
    return Scene(
        house,
        catalog,
        inventory,
        payments,
        person(),
        person(),
        person(Role.SELLER),
        person(Role.ADMIN),
    )
