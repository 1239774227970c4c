"""Brings the products of a retail file into the shop of the caller, who is a seller.

`parse` reads the file (its rules: `retail_file`), `apply` writes through the contracts only, one
product at a time and each one wholly: draft, then stock, then on sale. Whatever stops in between
leaves a draft that nobody sees and that the next run completes. The file rules titles, prices
and stock; what else the seller changed since is kept, and what they archived stays archived.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from dvor.contracts.catalog import (
    Catalog,
    Listing,
    ListingDraft,
    ListingStatus,
    OfferDraft,
    Text,
)
from dvor.contracts.inventory import BelowPromised, Inventory, Supply
from dvor.importing.retail_file import Parsed, Problem, Product, WrongFile, parse
from dvor.kernel import texts
from dvor.kernel.errors import Refusal, Unauthenticated, Unavailable

__all__ = [
    "Outcome",
    "Parsed",
    "Problem",
    "Product",
    "Report",
    "WrongFile",
    "apply",
    "parse",
]

LISTINGS_AT_ONCE = 500
"""Products asked about in one call."""

Progress = Callable[[int, int], None]
"""Called with how many products are done, and how many there are."""


class Outcome(StrEnum):
    """What became of a product."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True)
class Report:
    """What an import did, or in a dry run would do."""

    dry_run: bool
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: int = 0
    problems: tuple[Problem, ...] = ()
    """Why products were refused, at their first line. Rows left out are in `Parsed.problems`."""

    def counting(self, outcome: Outcome) -> "Report":
        """With one more product of this outcome."""
        return replace(self, **{outcome.value: getattr(self, outcome.value) + 1})


class _Present(NamedTuple):
    """What the shop has of a product already."""

    listing: Listing
    supply: Supply | None


async def apply(
    parsed: Parsed,
    catalog: Catalog,
    inventory: Inventory,
    dry_run: bool = False,
    progress: Progress = lambda done, total: None,
) -> Report:
    """Bring products into the caller's shop. Repeating it changes nothing.

    A product that is refused leaves the others alone. Raises Unauthenticated and Unavailable, and
    what they stopped can be run again.
    """
    report = Report(dry_run=dry_run)
    total = len(parsed.products)
    progress(0, total)
    for start in range(0, total, LISTINGS_AT_ONCE):
        some = parsed.products[start : start + LISTINGS_AT_ONCE]
        present = await _present(some, catalog, inventory)
        for number, product in enumerate(some, start=start + 1):
            before = present.get(product.external_id)
            try:
                outcome = _planned(product, before)
                if not dry_run:
                    await _bring(product, before, outcome, catalog, inventory)
                report = report.counting(outcome)
            except (Unauthenticated, Unavailable):
                raise
            except Refusal as refusal:
                problem = Problem(line=product.line, what=_explained(product, refusal))
                report = replace(report, problems=(*report.problems, problem))
                report = report.counting(Outcome.REFUSED)
            progress(number, total)
    return report


async def _present(
    products: Sequence[Product], catalog: Catalog, inventory: Inventory
) -> Mapping[str, _Present]:
    found = await catalog.by_external_ids(tuple(product.external_id for product in products))
    offer_ids = tuple(item.listing.offers[0].id for item in found.items)
    supplies = (await inventory.supplies(offer_ids)).items if offer_ids else ()
    by_offer = {supply.offer_id: supply for supply in supplies}
    return {
        item.external_id: _Present(item.listing, by_offer.get(item.listing.offers[0].id))
        for item in found.items
    }


def _planned(product: Product, before: _Present | None) -> Outcome:
    """What is to be done. Raises BelowPromised where customers were promised more."""
    if before is None:
        return Outcome.CREATED
    if before.listing.status is ListingStatus.ARCHIVED:
        return Outcome.UNCHANGED
    if before.supply is not None:
        promised = before.supply.quantity - before.supply.free
        if product.stock < promised:
            raise BelowPromised(offer_id=before.supply.offer_id, promised=promised)
    same = (
        before.listing.status is ListingStatus.PUBLISHED
        and _has_stock(product, before)
        and _reads_the_same(product, before.listing)
    )
    return Outcome.UNCHANGED if same else Outcome.CHANGED


def _has_stock(product: Product, before: _Present) -> bool:
    return before.supply is not None and before.supply.quantity == product.stock


def _reads_the_same(product: Product, listing: Listing) -> bool:
    price = listing.offers[0].price
    draft = product.draft()
    return (
        listing.title.en == product.title
        and price.amount == product.price
        and price.currency == draft.currency
    )


async def _bring(
    product: Product,
    before: _Present | None,
    outcome: Outcome,
    catalog: Catalog,
    inventory: Inventory,
) -> None:
    if outcome is Outcome.UNCHANGED:
        return
    listing = before.listing if before else await catalog.create(product.draft())
    # Stock first: it is what may be refused, and then nothing else must have changed.
    if before is None or not _has_stock(product, before):
        await inventory.set_supply(listing.offers[0].id, product.stock)
    if not _reads_the_same(product, listing):
        listing = await _rewrite(product, listing, before, catalog, inventory)
    if listing.status is not ListingStatus.PUBLISHED:
        await catalog.publish(listing.id)


async def _rewrite(
    product: Product,
    listing: Listing,
    before: _Present | None,
    catalog: Catalog,
    inventory: Inventory,
) -> Listing:
    try:
        return await catalog.change(listing.id, listing.version, _edited(product, listing))
    except Refusal:
        if before is not None and before.supply is not None:
            await inventory.set_supply(listing.offers[0].id, before.supply.quantity)
        raise


def _edited(product: Product, listing: Listing) -> ListingDraft:
    """The listing with the file's title and price, otherwise as its seller left it."""
    draft = product.draft()
    first, *others = listing.offers
    return ListingDraft(
        kind=listing.kind,
        category=listing.category,
        title=Text(ru=listing.title.ru, en=product.title),
        description=listing.description,
        place=listing.place,
        starts_at=listing.starts_at,
        ends_at=listing.ends_at,
        attributes=listing.attributes,
        currency=draft.currency,
        offers=(
            OfferDraft(id=first.id, name=first.name, price=product.price, seasons=first.seasons),
            *(
                OfferDraft(id=o.id, name=o.name, price=o.price.amount, seasons=o.seasons)
                for o in others
            ),
        ),
        external_id=product.external_id,
    )


def _explained(product: Product, refusal: Refusal) -> str:
    return f"{product.code} {product.title}: {texts.refusal(refusal)}"
