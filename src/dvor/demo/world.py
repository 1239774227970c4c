"""Fills the demo world through the contracts, as the people in it would."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from dvor.contracts.catalog import Catalog, Listing, ListingStatus
from dvor.contracts.identity import Identity, User
from dvor.contracts.inventory import Inventory
from dvor.demo.accounts import HOTELIER, ORGANISER, PEOPLE, SELLER, Account
from dvor.demo.events import EVENTS
from dvor.demo.goods import GOODS
from dvor.demo.rentals import RENTALS
from dvor.demo.rooms import ROOMS
from dvor.demo.stalls import NO_RULES, Stall
from dvor.kernel import clock
from dvor.kernel.caller import Caller, asking

AT_ONCE = 6
"""Listings written at the same time: fewer than a service has connections."""

SHOPS: tuple[tuple[Account, tuple[Stall, ...]], ...] = (
    (SELLER, GOODS + RENTALS),
    (HOTELIER, ROOMS),
    (ORGANISER, EVENTS),
)

Progress = Callable[[int, int], None]
"""Called with how many accounts and listings are done, and how many there are."""


@dataclass(frozen=True)
class Filled:
    """What the demo world has now."""

    accounts: int
    listings: int
    written: int
    """Listings that had to be made or completed; 0 when the world stood already."""


class _Counter:
    """Counts what is done, and tells."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._done = 0
        self._total = total
        self._progress = progress
        progress(0, total)

    def step(self) -> None:
        self._done += 1
        self._progress(self._done, self._total)


async def fill(
    identity: Identity,
    catalog: Catalog,
    inventory: Inventory,
    progress: Progress = lambda done, total: None,
) -> Filled:
    """Make what is missing of the demo world; repeating it changes nothing.

    An interrupted run is completed by the next. Events take place in the weeks after the day on
    which they are first written.
    """
    listings = sum(len(stalls) for _, stalls in SHOPS)
    counter = _Counter(len(PEOPLE) + listings, progress)
    people = await _people(identity, counter)
    today = clock.now().date()
    written = [
        await _open_shop(people[account.email], stalls, today, catalog, inventory, counter)
        for account, stalls in SHOPS
    ]
    return Filled(accounts=len(people), listings=listings, written=sum(written))


async def _people(identity: Identity, counter: _Counter) -> dict[str, User]:
    async def ensure(account: Account) -> tuple[str, User]:
        with asking(Caller(service="setup")):
            user = await identity.ensure_user(account.registration(), account.roles)
        counter.step()
        return account.email, user

    async with asyncio.TaskGroup() as group:
        made = [group.create_task(ensure(account)) for account in PEOPLE.values()]
    return dict(task.result() for task in made)


async def _open_shop(
    seller: User,
    stalls: Sequence[Stall],
    today: date,
    catalog: Catalog,
    inventory: Inventory,
    counter: _Counter,
) -> int:
    """Everything of one seller; answers how many listings had to be written."""
    caller = Caller(user_id=seller.id, roles=seller.roles, service="setup")
    with asking(caller):
        found = await catalog.by_external_ids(tuple(stall.external_id for stall in stalls))
        present = {item.external_id: item.listing for item in found.items}
        free = asyncio.Semaphore(AT_ONCE)

        async def open_stall(stall: Stall) -> bool:
            async with free:
                made = await _open_stall(
                    stall, present.get(stall.external_id), today, catalog, inventory
                )
            counter.step()
            return made

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(open_stall(stall)) for stall in stalls]
    return sum(task.result() for task in tasks)


async def _open_stall(
    stall: Stall, listing: Listing | None, today: date, catalog: Catalog, inventory: Inventory
) -> bool:
    # A draft is ours from a run that was interrupted; whatever else a seller did since stays.
    if listing is not None and listing.status is not ListingStatus.DRAFT:
        return False
    listing = listing or await catalog.create(stall.draft(today))
    if stall.hall and not (await inventory.seat_map(listing.id)).version:
        tiers = [offer.id for offer in listing.offers]
        await inventory.set_seat_map(listing.id, 0, stall.hall(tiers))
    for offer, choice in zip(listing.offers, stall.choices, strict=True):
        if not stall.hall:
            await inventory.set_supply(offer.id, choice.units)
        if choice.rules != NO_RULES:
            await inventory.set_rules(offer.id, choice.rules)
    await catalog.publish(listing.id)
    return True
