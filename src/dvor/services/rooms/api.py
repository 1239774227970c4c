"""REST: rooms and who sleeps in them."""

from typing import Annotated
from uuid import UUID

from fastapi import Query

from dvor.contracts.rooms import Arranged, Chart, RoomList, RoomNames, Rooms, Stay
from dvor.kernel.http import api_router, contract
from dvor.kernel.messages import Line, Message
from dvor.kernel.periods import DateRange

router = api_router(prefix="", tags=["rooms"])

RoomsContract = Annotated[Rooms, contract(Rooms)]


class RoomDraft(Message):
    """Which rooms there are."""

    names: RoomNames


class Choice(Message):
    """A room for a stay that touches `dates`; null: none."""

    dates: DateRange
    room_id: UUID | None = None


class RoomClosing(Message):
    """When a room cannot be used, and why."""

    dates: DateRange
    note: Line = ""


@router.put("/offers/{offer_id}/rooms")
async def set_rooms(offer_id: UUID, draft: RoomDraft, rooms: RoomsContract) -> RoomList:
    """Say which rooms there are of a type. The offer's seller and admins."""
    return await rooms.set_rooms(offer_id, draft.names)


@router.get("/offers/{offer_id}/room-chart")
async def chart(
    offer_id: UUID, dates: Annotated[DateRange, Query()], rooms: RoomsContract
) -> Chart:
    """Who sleeps where from `start` up to `end`. The offer's seller and admins."""
    return await rooms.chart(offer_id, dates)


@router.put("/offers/{offer_id}/stays/{stay_id}/room")
async def assign(offer_id: UUID, stay_id: UUID, choice: Choice, rooms: RoomsContract) -> Stay:
    """Give a stay a room. The offer's seller and admins."""
    return await rooms.assign(offer_id, choice.dates, stay_id, choice.room_id)


@router.post("/offers/{offer_id}/room-arrangements")
async def arrange(offer_id: UUID, dates: DateRange, rooms: RoomsContract) -> Arranged:
    """Find rooms for all stays that touch the dates. The offer's seller and admins."""
    return await rooms.arrange(offer_id, dates)


@router.post("/rooms/{room_id}/closures", status_code=204)
async def close_room(room_id: UUID, closing: RoomClosing, rooms: RoomsContract) -> None:
    """Close a room for some nights. The offer's seller and admins."""
    await rooms.close_room(room_id, closing.dates, closing.note)
