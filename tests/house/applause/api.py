"""Its route."""

from typing import Annotated
from uuid import UUID

from dvor.kernel.http import api_router, contract
from tests.house.applause.applause import Applause, Claps

router = api_router(prefix="/applause", tags=["applause"])


@router.get("/{listing_id}")
async def show(listing_id: UUID, applause: Annotated[Applause, contract(Applause)]) -> Claps:
    """How much there is."""
    return await applause.claps(listing_id)
