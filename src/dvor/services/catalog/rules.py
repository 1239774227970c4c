"""Decisions of the catalogue: what a listing must be, and who sees it."""

from collections.abc import Iterable, Mapping
from datetime import date
from itertools import pairwise
from uuid import UUID
from zoneinfo import available_timezones

from dvor.contracts.cancellation import BEFORE, Policy
from dvor.contracts.catalog import Kind, ListingDraft, ListingStatus, OfferDraft, Season
from dvor.contracts.pricing import Discount, Tax
from dvor.kernel.caller import Caller, Role
from dvor.kernel.errors import InvalidFields
from dvor.kernel.texts import gettext
from dvor.services.catalog.pricing import DATED, PRICE_MAX


def picture(listing_id: UUID, kind: str, category: str) -> str:
    """Address of a listing's picture.

    The seed is the end of the id: its beginning is a clock, the same for all of one minute.
    """
    return f"/pictures/{kind}/{category}/{listing_id.hex[-8:]}.svg"


def price_from(offers: Iterable[OfferDraft]) -> int:
    """The price a listing begins at, in minor units."""
    return min(offer.price for offer in offers)


def sees(caller: Caller, seller_id: UUID, status: ListingStatus) -> bool:
    """Whether a listing is shown to this caller."""
    return status is ListingStatus.PUBLISHED or owns(caller, seller_id)


def owns(caller: Caller, seller_id: UUID) -> bool:
    """Whether this caller may change a listing: it is theirs, or they administer."""
    return caller.is_admin() or (caller.user_id == seller_id and Role.SELLER in caller.roles)


def check_draft(
    draft: ListingDraft, kind: Kind | None = None, settled: Mapping[UUID, bool] | None = None
) -> None:
    """Refuse a draft that cannot be sold. `kind` is what the listing has been so far.

    `settled` says which of its offers are let by the hour, once it has been on sale. Raises InvalidFields,
    which names each field.
    """
    problems: dict[str, str] = {}
    if kind is not None and draft.kind is not kind:
        problems["kind"] = gettext("What a listing is cannot be changed. Make a new one.")
    if draft.place is not None and draft.place.timezone not in available_timezones():
        problems["place.timezone"] = gettext("This time zone is unknown.")
    if draft.place is not None and not draft.place.city:
        problems["place.city"] = gettext("Say in which city it is.")
    problems |= _terms_problems(draft)
    for number, offer in enumerate(draft.offers):
        field = f"offers.{number}"
        problems |= _offer_problems(field, offer, draft.kind)
        if settled and offer.id and settled.get(offer.id, offer.by_hour) is not offer.by_hour:
            problems[f"{field}.by_hour"] = gettext(
                "It has been on sale: by the hour or by the day, it stays. Add a new one instead."
            )
    kept = [offer.id for offer in draft.offers if offer.id is not None]
    if len(kept) != len(set(kept)):
        problems["offers"] = gettext("The same offer is named twice.")
    if problems:
        raise InvalidFields(problems=problems)


def _terms_problems(draft: ListingDraft) -> dict[str, str]:
    """What is wrong with what is charged besides, and given back."""
    problems = {
        f"fees.{number}.name": gettext("Say what it is for.")
        for number, fee in enumerate(draft.fees)
        if not (fee.name.ru or fee.name.en)
    }
    if problem := _cancellation_problem(draft.cancellation, draft.kind):
        problems["cancellation"] = problem
    if draft.approval and draft.kind not in DATED:
        problems["approval"] = gettext("Only for what is rented or let by dates.")
    return problems


def _cancellation_problem(policy: Policy, kind: Kind) -> str:
    if kind is Kind.PRODUCT and any(step.until in BEFORE for step in policy.steps):
        return gettext("Goods have no beginning: count from the purchase or until the handover.")
    if any(step.fee > PRICE_MAX for step in policy.steps):
        return gettext("This price is too high.")
    return ""


def check_tax(tax: Tax) -> None:
    """Refuse with InvalidFields a tax without a name."""
    if tax.rate and not (tax.name.ru or tax.name.en):
        raise InvalidFields(problems={"name": gettext("Say what the tax is called.")})


def _offer_problems(field: str, offer: OfferDraft, kind: Kind) -> dict[str, str]:
    pricing = offer.pricing
    problems: dict[str, str] = {}
    if kind not in DATED:
        timed = {
            "seasons": offer.seasons,
            "pricing.weekdays": pricing.weekdays,
            "pricing.length_discounts": pricing.length_discounts,
            "pricing.deposit": pricing.deposit,
        }
        problems |= {
            f"{field}.{name}": gettext("Only for what is rented or let by dates.")
            for name, value in timed.items()
            if value
        }
    if offer.by_hour and kind is not Kind.RENTAL:
        problems[f"{field}.by_hour"] = gettext("Only rentals are let by the hour.")
    if problem := _season_problem(offer.seasons):
        problems[f"{field}.seasons"] = problem
    named = [special.weekday for special in pricing.weekdays]
    if len(named) != len(set(named)):
        problems[f"{field}.pricing.weekdays"] = gettext("A day of the week is named twice.")
    for name in ("length_discounts", "quantity_discounts"):
        if not _rises(getattr(pricing, name)):
            problems[f"{field}.pricing.{name}"] = gettext(
                "The more units, the greater the discount has to be."
            )
    prices = [
        (f"{field}.price", offer.price),
        (f"{field}.pricing.deposit", pricing.deposit),
        *((f"{field}.seasons", season.price) for season in offer.seasons),
        *((f"{field}.pricing.weekdays", special.price) for special in pricing.weekdays),
    ]
    for name, price in prices:
        if price > PRICE_MAX:
            problems[name] = gettext("This price is too high.")
    return problems


def _season_problem(seasons: Iterable[Season]) -> str:
    last: date | None = None
    problem = ""
    for season in sorted(seasons, key=lambda season: season.first):
        if season.last < season.first:
            problem = gettext("A season ends before it begins.")
        elif last is not None and season.first <= last:
            problem = gettext("Two seasons overlap.")
        last = season.last
    return problem


def _rises(discounts: Iterable[Discount]) -> bool:
    """Whether each step needs more units and gives more; so a greater discount is never lost."""
    steps = sorted((discount.least, discount.percent) for discount in discounts)
    return all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(steps))
