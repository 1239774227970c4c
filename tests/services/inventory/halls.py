"""An event with tiers, and maps of its seats."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from dvor.contracts.catalog import Kind, Listing, ListingStatus, Offer, Text
from dvor.contracts.seating import Seat, SeatMap, SeatMapVersion, SeatRow, Section
from dvor.kernel import clock, ids
from dvor.kernel.caller import Caller
from dvor.kernel.money import Money
from tests.services.inventory.conftest import Scene


@dataclass
class Event:
    """A published event and its tiers."""

    scene: Scene
    id: UUID
    tiers: tuple[UUID, ...]

    async def draw(
        self, seat_map: SeatMap, version: int = 0, by: Caller | None = None
    ) -> SeatMapVersion:
        """Set its map."""
        with self.scene.house.calling(by or self.scene.seller):
            drawn: SeatMapVersion = await self.scene.inventory.set_seat_map(
                self.id, version, seat_map
            )
        return drawn

    async def taken(self) -> set[str]:
        """Names of taken seats."""
        return set((await self.scene.inventory.seat_states(self.id)).taken)


async def event(scene: Scene, tiers: int = 1, kind: Kind = Kind.EVENT) -> Event:
    """An event on sale, its tiers without a supply."""
    made = [await scene.offer(kind, None) for _ in range(tiers)]
    seller, listing_id = scene.seller.user_id, ids.new()
    assert seller is not None
    for tier in made:
        facts = scene.catalog.facts[tier]
        scene.catalog.facts[tier] = facts.model_copy(update={"listing_id": listing_id})
    price = Money(amount=100, currency="RUB")
    scene.catalog.listings[listing_id] = Listing(
        id=listing_id,
        seller_id=seller,
        kind=kind,
        status=ListingStatus.PUBLISHED,
        category="concerts",
        title=Text(en="Concert"),
        description=Text(),
        offers=tuple(Offer(id=tier, name=Text(en="Tier"), price=price) for tier in made),
        picture="",
        version=1,
        created_at=clock.now(),
    )
    await scene.publish(*made)
    return Event(scene, listing_id, tuple(made))


def hall(*rows: Sequence[UUID | None], name: str = "") -> SeatMap:
    """A map of one section: each row lists the tiers of its columns, None is an aisle."""
    made = tuple(
        SeatRow(
            label=str(number),
            seats=tuple(
                Seat(number=str(column), column=column, offer_id=tier)
                for column, tier in enumerate(row, 1)
                if tier is not None
            ),
        )
        for number, row in enumerate(rows, 1)
    )
    return SeatMap(sections=(Section(name=name, rows=made),))
