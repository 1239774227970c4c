"""Pure decisions about carts and orders."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from dvor.contracts.catalog import Quote, QuoteLine
from dvor.contracts.inventory import Claim
from dvor.contracts.orders import CartFull, OrderStatus, Wish
from dvor.contracts.payments import PaymentStatus
from dvor.kernel.periods import DateRange

CART_LINES_MAX = 50
QUANTITY_MAX = 1000
CANCELLABLE = frozenset({OrderStatus.CREATED, OrderStatus.PROCESSING, OrderStatus.PAID})


@dataclass(frozen=True)
class StoredLine:
    """A line of a cart as it is stored."""

    id: UUID
    offer_id: UUID
    quantity: int
    start: date | None
    end: date | None

    @property
    def dates(self) -> DateRange | None:
        """The period, where there is one."""
        if self.start is None or self.end is None:
            return None
        return DateRange(start=self.start, end=self.end)

    def wish(self) -> Wish:
        """What the customer wants by this line."""
        return Wish(offer_id=self.offer_id, quantity=self.quantity, dates=self.dates)


def joined(lines: Sequence[StoredLine], extra: Iterable[StoredLine]) -> list[StoredLine]:
    """The lines with more added: equal ones (same offer, same dates) become one.

    Raises CartFull beyond 50 lines.
    """
    found = {(line.offer_id, line.start, line.end): line for line in lines}
    for line in extra:
        key = (line.offer_id, line.start, line.end)
        old = found.get(key)
        quantity = min(line.quantity + (old.quantity if old else 0), QUANTITY_MAX)
        identifier = old.id if old else line.id
        found[key] = StoredLine(identifier, line.offer_id, quantity, line.start, line.end)
    if len(found) > CART_LINES_MAX:
        raise CartFull
    return list(found.values())


def quote_lines(wishes: Iterable[Wish]) -> tuple[QuoteLine, ...]:
    """Wishes as the catalogue wants to price them."""
    return tuple(
        QuoteLine(offer_id=wish.offer_id, quantity=wish.quantity, dates=wish.dates)
        for wish in wishes
    )


def claims(wishes: Iterable[Wish]) -> tuple[Claim, ...]:
    """Wishes as the inventory wants to hold them."""
    return tuple(
        Claim(
            offer_id=wish.offer_id,
            quantity=wish.quantity,
            dates=wish.dates,
            hours=wish.hours,
            seats=wish.seats,
        )
        for wish in wishes
    )


def sellers(quote: Quote) -> tuple[UUID, ...]:
    """Who sells what is quoted, each once."""
    return tuple(sorted({line.offer.seller_id for line in quote.lines}))


def refundable(status: PaymentStatus) -> bool:
    """Whether money was taken, so that it must be given back and not just let go."""
    return status in (PaymentStatus.CAPTURED, PaymentStatus.REFUNDED)


def pay_by(held_until: datetime, margin_seconds: int) -> datetime:
    """When the payment page closes: a little before the hold ends."""
    return held_until - timedelta(seconds=margin_seconds)
