"""Rooms: which guests sleep in which room."""

from dvor.contracts.rooms import Rooms
from dvor.kernel.service import Service
from dvor.services.rooms import api
from dvor.services.rooms.service import RoomsService

SERVICE = Service(
    name="rooms",
    contract=Rooms,
    implementation=RoomsService,
    calls=("catalog", "inventory"),
    routers=(api.router,),
)
