"""The hotel's books after a replay: what its orders, payments and calendar say."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from dvor.contracts.inventory import Inventory
from dvor.contracts.orders import Orders, OrderSearch, OrderStatus, Viewpoint
from dvor.contracts.payments import Payments, PaymentSearch
from dvor.kernel.caller import Caller, asking
from dvor.kernel.periods import DateRange
from dvor.replay.hotel_file import Booking
from dvor.replay.hotel_plan import RoomType
from dvor.replay.outcome import MonthResult

_CALENDAR_DAYS = 366
"""Days that one look at a calendar shows."""
_PAGE = 100


@dataclass(frozen=True)
class Stay:
    """A booking that Dvor took."""

    booking: Booking
    guest: Caller
    order_id: UUID


@dataclass(frozen=True)
class Books:
    """Reads everything back through the contracts."""

    orders: Orders
    payments: Payments
    inventory: Inventory
    hotelier: Caller
    admin: Caller

    async def statuses(self) -> dict[UUID, OrderStatus]:
        """How every order of the hotel stands."""
        found: dict[UUID, OrderStatus] = {}
        with asking(self.hotelier):
            async for page in _pages(
                lambda cursor: self.orders.orders(
                    OrderSearch(viewpoint=Viewpoint.SELLER, limit=_PAGE, cursor=cursor)
                )
            ):
                found |= {card.id: card.status for card in page}
        return found

    async def months(
        self, stays: Collection[Stay], rooms: Sequence[RoomType], offers: Mapping[str, UUID]
    ) -> tuple[MonthResult, ...]:
        """Nights by the month they are in, money by the month of arrival."""
        nights = await self._nights(stays, rooms, offers)
        arrival = {stay.order_id: stay.booking.arrival.replace(day=1) for stay in stays}
        captured, refunded = await self._money(arrival)
        rooms_in_all = sum(room.rooms for room in rooms)
        return tuple(
            MonthResult(
                first=month,
                nights_sold=nights[month],
                nights_had=rooms_in_all * _length(month),
                captured=captured[month],
                refunded=refunded[month],
            )
            for month in sorted(nights.keys() | captured.keys())
        )

    async def _nights(
        self, stays: Collection[Stay], rooms: Sequence[RoomType], offers: Mapping[str, UUID]
    ) -> Counter[date]:
        """Room nights sold in each month, as the hotel's calendar shows them."""
        found: Counter[date] = Counter()
        first = min((stay.booking.arrival for stay in stays), default=date.max)
        end = max((stay.booking.departure for stay in stays), default=date.min)
        for room in rooms:
            start = first
            while start < end:
                part = DateRange(start=start, end=min(end, start + timedelta(days=_CALENDAR_DAYS)))
                calendar = await self.inventory.calendar(offers[room.name], part)
                for day in calendar.days:
                    found[day.day.replace(day=1)] += room.rooms - day.free
                start = part.end
        return found

    async def _money(self, arrival: Mapping[UUID, date]) -> tuple[Counter[date], Counter[date]]:
        """Cents captured and refunded by month of arrival."""
        captured, refunded = Counter[date](), Counter[date]()
        with asking(self.admin):
            async for page in _pages(
                lambda cursor: self.payments.payments(
                    PaymentSearch(everybody=True, limit=_PAGE, cursor=cursor)
                )
            ):
                for payment in page:
                    captured[arrival[payment.order_id]] += payment.captured
                    refunded[arrival[payment.order_id]] += payment.refunded
        return captured, refunded


def differences(stays: Collection[Stay], statuses: Mapping[UUID, OrderStatus]) -> tuple[str, ...]:
    """Orders that did not end as their booking did, and orders that no booking made."""
    ours = {stay.order_id for stay in stays}
    return (
        *(
            f"line {stay.booking.line}: its order is {statuses.get(stay.order_id, 'missing')}"
            for stay in stays
            if statuses.get(stay.order_id) is not _expected(stay.booking)
        ),
        *(f"order {order_id}: no booking made it" for order_id in statuses.keys() - ours),
    )


def _expected(booking: Booking) -> OrderStatus:
    return OrderStatus.PAID if booking.cancelled is None else OrderStatus.CANCELLED


def _length(month: date) -> int:
    return ((month + timedelta(days=31)).replace(day=1) - month).days


async def _pages(fetch: Callable[[str | None], Awaitable[Any]]) -> AsyncIterator[Sequence[Any]]:
    cursor = None
    while True:
        page = await fetch(cursor)
        yield page.items
        cursor = page.next_cursor
        if cursor is None:
            return
