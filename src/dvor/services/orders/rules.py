"""Pure decisions about carts and orders."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import islice
from uuid import UUID

from dvor.contracts.catalog import Quote, QuoteLine
from dvor.contracts.inventory import Claim, LimitReached
from dvor.contracts.orders import (
    CartFull,
    NotCancellable,
    OrderedLine,
    OrderedLines,
    OrderStatus,
    Wish,
)
from dvor.contracts.payments import PaymentStatus
from dvor.contracts.pricing import PartKind, PricePart
from dvor.kernel.periods import DateRange, HourRange

CART_LINES_MAX = 50
QUANTITY_MAX = 1000
SEATS_MAX = 50
SECURED = frozenset({PaymentStatus.AUTHORISED, PaymentStatus.CAPTURED})
"""The money is certain, so that things can be booked."""
ANSWER_SECONDS_MIN = 900
"""So long sellers may think even about what begins at once."""
_CHARGES = (PartKind.PROMO, PartKind.FEE, PartKind.TAX)
CANCELLABLE = frozenset({OrderStatus.CREATED, OrderStatus.PROCESSING, OrderStatus.PAID})


@dataclass(frozen=True)
class StoredLine:
    """A line of a cart as it is stored."""

    id: UUID
    offer_id: UUID
    quantity: int
    start: date | None
    end: date | None
    seats: tuple[str, ...] = ()
    """Chosen ones; fewer than `quantity` until the rest is held."""
    hours: HourRange | None = None

    @property
    def dates(self) -> DateRange | None:
        """The period, where there is one."""
        if self.start is None or self.end is None:
            return None
        return DateRange(start=self.start, end=self.end)

    def wish(self) -> Wish:
        """What the customer wants by this line."""
        return Wish(
            offer_id=self.offer_id,
            quantity=self.quantity,
            dates=self.dates,
            hours=self.hours,
            seats=self.seats,
        )

    def plus(self, other: "StoredLine") -> "StoredLine":
        """This line with another one for the same joined in; a seat in both counts once."""
        new = tuple(seat for seat in other.seats if seat not in self.seats)
        more = other.quantity - (len(other.seats) - len(new))
        quantity = min(self.quantity + more, QUANTITY_MAX)
        return replace(self, quantity=quantity, seats=self.seats + new)

    def of(self, quantity: int, seats: tuple[str, ...] | None = None) -> "StoredLine":
        """This line with another quantity; of too many seats the first ones stay, or `seats`."""
        kept = self.seats[:quantity] if seats is None else seats
        return replace(self, quantity=quantity, seats=kept)


def joined(lines: Sequence[StoredLine], extra: Iterable[StoredLine]) -> list[StoredLine]:
    """The lines with more added: equal ones (same offer, same dates or hours) become one.

    Raises CartFull beyond 50 lines, LimitReached beyond 50 seats of one tier.
    """
    found = {(line.offer_id, line.start, line.end, line.hours): line for line in lines}
    for line in extra:
        key = (line.offer_id, line.start, line.end, line.hours)
        old = found.get(key)
        found[key] = old.plus(line) if old else line
        if len(found[key].seats) > SEATS_MAX:
            raise LimitReached(offer_id=line.offer_id, limit=SEATS_MAX)
    if len(found) > CART_LINES_MAX:
        raise CartFull
    return list(found.values())


def quote_lines(wishes: Iterable[Wish]) -> tuple[QuoteLine, ...]:
    """Wishes as the catalogue wants to price them."""
    return tuple(
        QuoteLine(
            offer_id=wish.offer_id, quantity=wish.quantity, dates=wish.dates, hours=wish.hours
        )
        for wish in wishes
    )


def claims(wishes: Iterable[Wish], promo_id: UUID | None = None) -> tuple[Claim, ...]:
    """Wishes as the inventory wants to hold them, and at the end the use of a promo code."""
    found = [claim for wish in wishes for claim in _claims(wish)]
    if promo_id is not None:
        found.append(Claim(offer_id=promo_id, quantity=1))
    return tuple(found)


def _claims(wish: Wish) -> Iterator[Claim]:
    """Chosen seats are a claim of their own; the rest is another one."""
    chosen = len(wish.seats)
    if chosen:
        yield Claim(offer_id=wish.offer_id, quantity=chosen, seats=wish.seats)
    if wish.quantity > chosen:
        yield Claim(
            offer_id=wish.offer_id,
            quantity=wish.quantity - chosen,
            dates=wish.dates,
            hours=wish.hours,
        )


def seats_held(wishes: Iterable[Wish], held: Iterable[Claim]) -> list[tuple[str, ...]]:
    """The seats of each wish in the hold that was made of their claims."""
    left = iter(held)
    found = [tuple(islice(left, len(tuple(_claims(wish))))) for wish in wishes]
    return [tuple(seat for claim in claims for seat in claim.seats) for claims in found]


def check_cancellable(status: str, pending: str | None, *, whole: bool) -> None:
    """Refuse with NotCancellable what is over or under way, and parts of what is not paid."""
    known = OrderStatus(status)
    if pending or known not in CANCELLABLE or not (whole or known is OrderStatus.PAID):
        raise NotCancellable


def sellers(quote: Quote) -> tuple[UUID, ...]:
    """Who sells what is quoted, each once."""
    return tuple(sorted({line.offer.seller_id for line in quote.lines}))


def told(quote: Quote, seats: Sequence[tuple[str, ...]]) -> OrderedLines:
    """What is quoted, with the seats of each line, as news about its order name it."""
    return tuple(
        OrderedLine(
            seller_id=line.offer.seller_id,
            kind=line.offer.kind,
            title=line.offer.title,
            name=line.offer.name,
            quantity=line.quantity,
            dates=line.dates,
            hours=line.hours,
            seats=chosen,
            starts_at=line.offer.starts_at,
            timezone=line.offer.timezone,
            total=line.total,
        )
        for line, chosen in zip(quote.lines, seats, strict=True)
    )


def charges(quote: Quote) -> tuple[PricePart, ...]:
    """What was taken off for a promo code, fees and taxes, each summed over all lines."""
    found: dict[tuple[object, ...], PricePart] = {}
    for part in (part for line in quote.lines for part in line.parts if part.kind in _CHARGES):
        key = (part.kind, part.name, part.rate, part.code, bool(part.included))
        same = found.get(key)
        found[key] = PricePart(
            kind=part.kind,
            name=part.name,
            rate=part.rate,
            code=part.code,
            amount=part.amount + (same.amount if same else 0),
            included=part.included + (same.included if same else 0),
        )
    return tuple(sorted(found.values(), key=lambda part: _CHARGES.index(part.kind)))


def answerable(
    status: str, approval: str | None, reason: str | None, *, waits: bool, yes: bool
) -> bool:
    """Whether a seller's answer counts, or repeats what was answered before.

    `waits`: nothing is under way, and the time to answer is not over. `reason`: of a cancellation.
    """
    if approval == "asked" and status == OrderStatus.PROCESSING:
        return waits
    if yes:
        return approval == "given" and status != OrderStatus.CANCELLED
    return status == OrderStatus.CANCELLED and reason == "declined"


def after_deposits(approval: str | None) -> str:
    """What is done with an order when its deposits are set aside, or it has none."""
    return "ask" if approval == "needed" else "settle"


def answer_seconds(too_late: Iterable[datetime], now: datetime, most: int) -> int:
    """How long sellers may think about a request: `most`, not past what it is for, but a while."""
    left = min((int((at - now).total_seconds()) for at in too_late), default=most)
    return min(max(left, ANSWER_SECONDS_MIN), most)


def pay_by(held_until: datetime, margin_seconds: int) -> datetime:
    """When the payment page closes: a little before the hold ends."""
    return held_until - timedelta(seconds=margin_seconds)
