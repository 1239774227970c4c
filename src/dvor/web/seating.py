"""Seat maps on pages: where each seat stands, what it costs, and whose it is now."""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from uuid import UUID

from dvor.contracts.catalog import Listing, Offer
from dvor.contracts.inventory import Inventory, NoSeats, SoldOut, UnknownSupply
from dvor.contracts.orders import Cart, Orders
from dvor.contracts.seating import Section
from dvor.contracts.seating import seat_name as name_of
from dvor.kernel import caller
from dvor.kernel.errors import NotFound, Refusal, Unauthenticated, Unavailable
from dvor.kernel.texts import refusal as said
from dvor.web.forms import Form, attempt

SHAPES = ("arch", "square", "round", "leaf", "drop", "tag")
"""Outlines of tiers, so that colour is never the only difference; more tiers begin again."""
TOGETHER_MAX = 20


@dataclass(frozen=True)
class Tier:
    """An offer with seats, as the legend shows it."""

    offer: Offer
    shape: str
    free: int


@dataclass(frozen=True)
class Place:
    """A seat as the page shows it."""

    name: str
    number: str
    column: int
    tier: Tier
    accessible: bool
    state: str
    """`free`, `taken`, `mine` (in one's cart) or `chosen`."""

    @property
    def value(self) -> str:
        """What its box sends."""
        return f"{self.tier.offer.id} {self.name}"


@dataclass(frozen=True)
class Row:
    """A row of a section; without places a passage."""

    label: str
    places: tuple[Place, ...]

    @property
    def tiers(self) -> tuple[Tier, ...]:
        """Those of its places, from left to right."""
        return tuple({place.tier.offer.id: place.tier for place in self.places}.values())


@dataclass(frozen=True)
class Hall:
    """A seat map with what is free in it."""

    version: int
    form: Form
    """What was asked for together, and what is wrong with it."""
    tiers: tuple[Tier, ...]
    sections: tuple[tuple[str, tuple[Row, ...]], ...]
    chosen: tuple[Place, ...] = field(default=())

    @property
    def wanted(self) -> dict[UUID, int]:
        """How many of each tier are chosen."""
        return dict(Counter(place.tier.offer.id for place in self.chosen))

    @property
    def free(self) -> int:
        """Seats that can be had."""
        return sum(tier.free for tier in self.tiers)


async def hall(
    listing: Listing, form: Form, inventory: Inventory, mine: Collection[str]
) -> Hall | None:
    """The seats of an event; None where its tickets have no numbers.

    `best` and `offer` of the address ask for so many together.
    """
    drawn, states = await asyncio.gather(
        attempt(inventory.seat_map(listing.id), Unavailable),
        attempt(inventory.seat_states(listing.id), Unavailable),
    )
    if isinstance(drawn, Refusal) or isinstance(states, Refusal) or not drawn.version:
        return None
    offers = {offer.id: offer for offer in listing.offers}
    seats = [placed for placed in drawn.map.placed() if placed.seat.offer_id in offers]
    if not seats:
        return None
    taken = set(states.taken)
    tiers = {
        offer.id: Tier(
            offer,
            SHAPES[number % len(SHAPES)],
            sum(s.seat.offer_id == offer.id and s.name not in taken for s in seats),
        )
        for number, offer in enumerate(
            o for o in listing.offers if any(s.seat.offer_id == o.id for s in seats)
        )
    }
    asked = Form(dict(form.values))
    chosen = await _together(asked, tiers, inventory)
    sections = tuple(
        (section.name, tuple(_rows(section, tiers, taken, mine, chosen)))
        for section in drawn.map.sections
    )
    places = [p for _, rows in sections for row in rows for p in row.places if p.state == "chosen"]
    return Hall(drawn.version, asked, tuple(tiers.values()), sections, tuple(places))


async def _together(form: Form, tiers: dict[UUID, Tier], inventory: Inventory) -> frozenset[str]:
    """The best seats that the address asks for."""
    tier = form.identifier("offer")
    if not form["best"] or tier is None or tier not in tiers:
        return frozenset()
    quantity = form.whole("best", 1, TOGETHER_MAX)
    if form.refused:
        return frozenset()
    accessible = bool(form["accessible"])
    best = await attempt(
        inventory.best_seats(tier, quantity, accessible),
        SoldOut, NoSeats, UnknownSupply, Unavailable,
    )  # fmt: skip
    if isinstance(best, Refusal):
        form.refuse("best", said(best))
        return frozenset()
    return frozenset(best.seats)


def _rows(
    section: Section,
    tiers: dict[UUID, Tier],
    taken: Collection[str],
    mine: Collection[str],
    chosen: Collection[str],
) -> Iterable[Row]:
    for row in section.rows:
        places = []
        for seat in row.seats:
            if seat.offer_id not in tiers:
                continue
            name = name_of(section.name, row.label, seat.number)
            state = (
                "mine" if name in mine
                else "taken" if name in taken
                else "chosen" if name in chosen
                else "free"
            )  # fmt: skip
            places.append(
                Place(name, seat.number, seat.column, tiers[seat.offer_id], seat.accessible, state)
            )
        yield Row(row.label, tuple(places))


async def own_seats(listing: Listing, orders: Orders, guest: str) -> frozenset[str]:
    """Seats of an event that are in one's cart."""
    if caller.current().user_id is None and not guest:
        return frozenset()
    cart = await attempt(orders.cart(guest), Unavailable, Unauthenticated, NotFound)
    if not isinstance(cart, Cart) or cart.held_until is None:
        return frozenset()
    return frozenset(
        seat for line in cart.lines if line.listing_id == listing.id for seat in line.seats
    )
