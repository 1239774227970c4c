"""Rooms over the bookings of a real inventory: assign, change places, arrange, close."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from dvor.contracts.catalog import Kind
from dvor.contracts.inventory import UnknownSupply
from dvor.contracts.rooms import (
    Chart,
    GuestsAhead,
    NoRooms,
    NotConfirmed,
    RoomClosed,
    RoomTaken,
    UnknownRoom,
    UnknownStay,
)
from dvor.kernel import ids
from dvor.kernel.caller import ANONYMOUS, Caller, Role
from dvor.kernel.errors import Forbidden, Unauthenticated
from dvor.kernel.periods import DateRange
from dvor.services.rooms import rules
from tests.services.inventory.conftest import FakeCatalog, Nobody, Scene, nights, units

FORTNIGHT = (0, 14)


@dataclass
class Hotel(Scene):
    """A scene with a room type and three rooms."""

    offer_id: UUID = field(default_factory=ids.new)

    @property
    def rooms(self) -> Any:
        return self.house.rooms

    async def named(self, *names: str) -> list[str]:
        with self.house.calling(self.seller):
            found = await self.rooms.set_rooms(self.offer_id, names)
        return [room.name for room in found.items]

    async def chart(self) -> Chart:
        with self.house.calling(self.seller):
            return await self.rooms.chart(self.offer_id, nights(*FORTNIGHT))

    async def booked(self, start: int, end: int, quantity: int = 1) -> UUID:
        held = await self.hold(units(self.offer_id, quantity, nights(start, end)))
        return (await self.confirm(held.id)).id

    async def stay(self, hold_id: UUID) -> UUID:
        return next(s.id for s in (await self.chart()).stays if s.hold_id == hold_id)

    async def put(self, hold_id: UUID, name: str | None) -> None:
        chart = await self.chart()
        room_id = next((room.id for room in chart.rooms if room.name == name), None)
        stay_id = await self.stay(hold_id)
        with self.house.calling(self.seller):
            await self.rooms.assign(self.offer_id, nights(*FORTNIGHT), stay_id, room_id)

    async def where(self) -> dict[UUID, str | None]:
        """Hold -> name of its room."""
        chart = await self.chart()
        names = {room.id: room.name for room in chart.rooms}
        return {s.hold_id: names.get(s.room_id) if s.room_id else None for s in chart.stays}

    async def arrange(self) -> tuple[int, int, int]:
        with self.house.calling(self.seller):
            done = await self.rooms.arrange(self.offer_id, nights(*FORTNIGHT))
        return done.placed, done.moved, done.left

    async def close(self, name: str, dates: DateRange) -> None:
        room = next(room for room in (await self.chart()).rooms if room.name == name)
        with self.house.calling(self.seller):
            await self.rooms.close_room(room.id, dates, "Paint")


@pytest.fixture
async def hotel(make_house: Any) -> Hotel:
    catalog = FakeCatalog()
    fakes = {"catalog": catalog, "identity": Nobody()}
    made = Hotel(await make_house("inventory", "rooms", fakes=fakes), catalog)
    made.offer_id = await made.offer(Kind.STAY, 3)
    await made.named("101", "102", "103")
    return made


class TestSetRooms:
    async def test_rooms_come_in_the_order_of_their_numbers(self, hotel: Hotel) -> None:
        assert await hotel.named("10", "9", "Suite", "9") == ["9", "10", "Suite"]

    async def test_a_room_that_comes_back_is_the_same(self, hotel: Hotel) -> None:
        before = (await hotel.chart()).rooms
        await hotel.named("101")
        await hotel.named("101", "102", "103")
        assert (await hotel.chart()).rooms == before

    async def test_a_room_with_guests_ahead_stays(self, hotel: Hotel) -> None:
        await hotel.put(await hotel.booked(1, 3), "102")
        with pytest.raises(GuestsAhead) as refused:
            await hotel.named("101", "103")
        assert refused.value.details == {"name": "102"}

    async def test_refuses_others_and_other_kinds(self, hotel: Hotel) -> None:
        goods = await hotel.offer()
        with hotel.house.calling(hotel.seller):
            with pytest.raises(NoRooms):
                await hotel.rooms.set_rooms(goods, ("1",))
            with pytest.raises(UnknownSupply):
                await hotel.rooms.set_rooms(ids.new(), ("1",))
        room = (await hotel.chart()).rooms[0].id
        other = Caller(user_id=ids.new(), roles=(Role.SELLER,))
        for caller, refusal, unknown in (
            (ANONYMOUS, Unauthenticated, Unauthenticated),
            (other, Forbidden, UnknownRoom),
        ):
            with hotel.house.calling(caller):
                with pytest.raises(refusal):
                    await hotel.rooms.set_rooms(hotel.offer_id, ("1",))
                with pytest.raises(refusal):
                    await hotel.rooms.chart(hotel.offer_id, nights(0, 2))
                with pytest.raises(refusal):
                    await hotel.rooms.arrange(hotel.offer_id, nights(0, 2))
                with pytest.raises(refusal):
                    await hotel.rooms.assign(hotel.offer_id, nights(0, 2), ids.new(), None)
                with pytest.raises(unknown):
                    await hotel.rooms.close_room(room, nights(0, 2))


class TestChart:
    async def test_a_booking_of_two_rooms_is_two_stays(self, hotel: Hotel) -> None:
        await hotel.booked(0, 2, 2)
        chart = await hotel.chart()
        assert len({stay.id for stay in chart.stays}) == 2
        assert (chart.quantity, len(chart.rooms)) == (3, 3)
        assert chart.stays == (await hotel.chart()).stays

    async def test_a_released_booking_vanishes_and_its_bed_is_free(self, hotel: Hotel) -> None:
        gone = await hotel.booked(0, 2)
        await hotel.put(gone, "101")
        await hotel.release(gone)
        assert (await hotel.chart()).stays == ()
        await hotel.put(await hotel.booked(1, 3), "101")


class TestAssign:
    async def test_gives_a_room_and_takes_it_back(self, hotel: Hotel) -> None:
        hold = await hotel.booked(0, 2)
        await hotel.put(hold, "102")
        assert await hotel.where() == {hold: "102"}
        await hotel.put(hold, "103")
        assert await hotel.where() == {hold: "103"}
        await hotel.put(hold, None)
        assert await hotel.where() == {hold: None}

    async def test_refuses_a_room_that_somebody_has(self, hotel: Hotel) -> None:
        first, second = await hotel.booked(0, 3), await hotel.booked(2, 4)
        await hotel.put(first, "101")
        with pytest.raises(RoomTaken):
            await hotel.put(second, "101")
        third = await hotel.booked(3, 5)
        await hotel.put(third, "101")

    async def test_the_database_refuses_two_in_one_bed(
        self, hotel: Hotel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The last wall: with the rule off, the primary key holds."""
        first, second = await hotel.booked(0, 3), await hotel.booked(2, 4)
        await hotel.put(first, "101")
        monkeypatch.setattr(rules, "changing_places", lambda *_: [])
        with pytest.raises(RoomTaken):
            await hotel.put(second, "101")
        assert await hotel.where() == {first: "101", second: None}

    async def test_changes_places_with_who_is_there(self, hotel: Hotel) -> None:
        first, second = await hotel.booked(1, 3), await hotel.booked(1, 4)
        await hotel.put(first, "101")
        await hotel.put(second, "102")
        await hotel.put(first, "102")
        assert await hotel.where() == {first: "102", second: "101"}

    async def test_refuses_closed_and_unknown_rooms_and_stays(self, hotel: Hotel) -> None:
        hold = await hotel.booked(0, 2)
        await hotel.close("101", nights(1, 3))
        with pytest.raises(RoomClosed):
            await hotel.put(hold, "101")
        stay_id = await hotel.stay(hold)
        with hotel.house.calling(hotel.seller):
            with pytest.raises(UnknownRoom):
                await hotel.rooms.assign(hotel.offer_id, nights(0, 9), stay_id, ids.new())
            with pytest.raises(UnknownStay):
                await hotel.rooms.assign(hotel.offer_id, nights(0, 9), ids.new(), None)

    async def test_who_has_not_paid_gets_no_room_yet(self, hotel: Hotel) -> None:
        held = await hotel.hold(units(hotel.offer_id, 1, nights(0, 2)))
        with pytest.raises(NotConfirmed):
            await hotel.put(held.id, "101")


class TestArrange:
    async def test_finds_rooms_for_all(self, hotel: Hotel) -> None:
        for start, end in ((0, 3), (1, 4), (3, 6), (2, 3), (4, 8)):
            await hotel.booked(start, end)
        assert await hotel.arrange() == (5, 0, 0)
        assert None not in (await hotel.where()).values()

    async def test_moves_who_must_and_says_so(self, hotel: Hotel) -> None:
        await hotel.named("101", "102")
        first, second = await hotel.booked(1, 3), await hotel.booked(3, 5)
        await hotel.put(first, "101")
        await hotel.put(second, "102")
        long = await hotel.booked(1, 5)
        assert await hotel.arrange() == (1, 1, 0)
        where = await hotel.where()
        assert where[first] == where[second] != where[long]

    async def test_leaves_who_fits_nowhere(self, hotel: Hotel) -> None:
        await hotel.named("101")
        for _ in range(2):
            await hotel.booked(1, 3)
        assert await hotel.arrange() == (1, 0, 1)

    async def test_who_has_arrived_stays(self, hotel: Hotel) -> None:
        await hotel.named("101", "102")
        arrived = await hotel.booked(0, 3)
        await hotel.put(arrived, "102")
        await hotel.house.clock.advance(seconds=86_400)
        await hotel.booked(0, 5)
        await hotel.arrange()
        assert (await hotel.where())[arrived] == "102"


class TestCloseRoom:
    async def test_sells_one_room_less(self, hotel: Hotel) -> None:
        await hotel.close("102", nights(1, 3))
        assert await hotel.free(hotel.offer_id, nights(0, 4)) == 2
        (closure,) = (await hotel.chart()).closures
        assert (closure.dates, closure.note) == (nights(1, 3), "Paint")

    async def test_refuses_while_somebody_is_there(self, hotel: Hotel) -> None:
        await hotel.put(await hotel.booked(1, 3), "102")
        with pytest.raises(RoomTaken):
            await hotel.close("102", nights(2, 5))
        await hotel.close("102", nights(3, 5))


class TestNights:
    async def test_one_bed_a_night(self, hotel: Hotel) -> None:
        """The constraint itself, without the service."""
        await hotel.put(await hotel.booked(1, 3), "102")
        db = hotel.house.db("rooms")
        with pytest.raises(asyncpg.UniqueViolationError):
            await db.execute("INSERT INTO nights SELECT room_id, night, stay_id FROM nights")
