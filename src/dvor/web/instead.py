"""What instead of something that cannot be had: in words, as links that fill the dates."""

from dataclasses import dataclass
from urllib.parse import urlencode

from dvor.contracts.availability import Alternative, Explanation
from dvor.contracts.catalog import Catalog
from dvor.contracts.inventory import Claim, Inventory
from dvor.kernel import caller
from dvor.kernel.errors import Refusal
from dvor.kernel.pages import shown_range
from dvor.kernel.texts import gettext as _
from dvor.web.forms import attempt

WAYS_MAX = 5


@dataclass(frozen=True)
class Way:
    """Something near that can be had now."""

    words: str
    path: str


@dataclass(frozen=True)
class Instead:
    """Why something cannot be had, and what can."""

    reason: str = ""
    """In words; empty where it is only sold out."""
    ways: tuple[Way, ...] = ()


NOTHING = Instead()


async def instead_of(claim: Claim, page: str, inventory: Inventory, catalog: Catalog) -> Instead:
    """Why not and what instead. `page`: the path of its listing."""
    told = await attempt(inventory.explain(claim), Refusal)
    if isinstance(told, Refusal) or told.possible:
        return NOTHING
    near = told.alternatives[:WAYS_MAX]
    names = await _names(claim, near, catalog)
    ways = tuple(
        Way(_words(claim, each, names.get(str(each.offer_id), "")), _path(page, each))
        for each in near
    )
    return Instead(_reason(told), ways)


def _reason(told: Explanation) -> str:
    return "" if told.code == "inventory.sold_out" else told.detail


async def _names(claim: Claim, near: tuple[Alternative, ...], catalog: Catalog) -> dict[str, str]:
    others = {each.offer_id for each in near} - {claim.offer_id}
    if not others:
        return {}
    found = await attempt(catalog.offers(tuple(others)), Refusal)
    facts = () if isinstance(found, Refusal) else found.items
    language = caller.current().language
    return {str(f.id): f.name.of(language) or f.title.of(language) for f in facts}


def _words(claim: Claim, near: Alternative, name: str) -> str:
    if near.offer_id != claim.offer_id:
        return _("{name} instead", name=name)
    if near.seats:
        return _("Together: {seats}", seats=", ".join(near.seats))
    if near.quantity != claim.quantity:
        return _("{count} instead of {wanted}", count=near.quantity, wanted=claim.quantity)
    if near.dates:
        return _("Free: {dates}", dates=shown_range(near.dates))
    return _("Free at another time")


def _path(page: str, near: Alternative) -> str:
    asked: dict[str, object] = {"offer": near.offer_id, "quantity": near.quantity}
    if near.dates:
        asked |= {"start": near.dates.start, "end": near.dates.end}
    return f"{page}#seats" if near.seats else f"{page}?{urlencode(asked)}"
