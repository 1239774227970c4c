"""The form of a listing: rows that grow without JavaScript, and its way to a `ListingDraft`."""

import re
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from babel.dates import get_timezone_location
from pydantic import ValidationError

from dvor.contracts.catalog import (
    Categories,
    Kind,
    Listing,
    ListingDraft,
    OfferDraft,
    Place,
    Season,
    Text,
)
from dvor.contracts.inventory import OfferRulesList, Rules, Supplies
from dvor.kernel import caller
from dvor.kernel.errors import InvalidFields
from dvor.kernel.messages import Minor
from dvor.kernel.money import Money
from dvor.kernel.texts import gettext as _
from dvor.web.forms import Form, typed_amount
from dvor.web.pages import cancellation_form, fee_form, price_form, rules_form

OFFERS_MAX = 30
SEASONS_MAX = 60
ATTRIBUTES_MAX = 30
UNITS_MAX = 1_000_000
NO_RULES = Rules()

CURRENCIES = ("RUB", "EUR", "USD")
ZONES = (
    "Europe/Kaliningrad", "Europe/Moscow", "Europe/Samara", "Asia/Yekaterinburg", "Asia/Omsk",
    "Asia/Novosibirsk", "Asia/Krasnoyarsk", "Asia/Irkutsk", "Asia/Yakutsk", "Asia/Vladivostok",
    "Asia/Magadan", "Asia/Kamchatka", "Europe/London", "Europe/Berlin", "UTC",
)  # fmt: skip


@dataclass(frozen=True)
class Filled:
    """A form that makes sense: what to write; units and rules of each offer, in its order."""

    draft: ListingDraft
    quantities: tuple[int, ...]
    rules: tuple[Rules, ...]


def empty(kind: Kind) -> Form:
    """The form of a new listing: one offer, one attribute."""
    zone = "Europe/Moscow"
    values = {"kind": kind, "currency": "RUB", "timezone": zone, "offers": "1", "attributes": "1"}
    return Form(values | cancellation_form.empty())


def shown(listing: Listing, supplies: Supplies, rules: OfferRulesList, language: str) -> Form:
    """The form of a listing as it stands."""
    ruled = {item.offer_id: item.rules for item in rules.items}
    units = {supply.offer_id: supply.quantity for supply in supplies.items}
    values = {
        "kind": listing.kind,
        "category": listing.category,
        "version": str(listing.version),
        "currency": listing.offers[0].price.currency,
        "timezone": listing.place.timezone if listing.place else "Europe/Moscow",
        "city": listing.place.city if listing.place else "",
        "address": listing.place.address if listing.place else "",
        "offers": str(len(listing.offers)),
        "attributes": str(max(len(listing.attributes), 1)),
    }
    values |= _both("title", listing.title) | _both("description", listing.description)
    values |= cancellation_form.shown(listing, language)
    zone = ZoneInfo(values["timezone"])
    values |= {
        "starts_at": _local(listing.starts_at, zone),
        "ends_at": _local(listing.ends_at, zone),
    }
    values["approval"] = "1" if listing.approval else ""
    values |= fee_form.shown(listing, language)
    for i, (name, value) in enumerate(listing.attributes.items()):
        values |= {f"attribute-{i}-name": name, f"attribute-{i}-value": value}
    for i, offer in enumerate(listing.offers):
        row = f"offer-{i}"
        values |= _both(f"{row}-name", offer.name)
        values |= {
            f"{row}-id": str(offer.id),
            f"{row}-price": typed_amount(offer.price, language),
            f"{row}-quantity": str(units.get(offer.id, 0)),
            f"{row}-seasons": str(len(offer.seasons)),
        }
        values |= price_form.shown(row, offer, language)
        values |= rules_form.shown(row, ruled.get(offer.id, NO_RULES))
        for j, season in enumerate(offer.seasons):
            price = Money(amount=season.price, currency=offer.price.currency)
            values |= {
                f"{row}-season-{j}-first": season.first.isoformat(),
                f"{row}-season-{j}-last": season.last.isoformat(),
                f"{row}-season-{j}-price": typed_amount(price, language),
            }
    return Form(values)


def count(form: Form, name: str, most: int) -> int:
    """How many rows of a sort the form has."""
    text = form[name]
    return min(int(text), most) if text.isascii() and text.isdecimal() else 0


def reshape(form: Form) -> bool:
    """Do what a row button asks (add or remove a row); False when none was pressed."""
    action = form["do"]
    if action == "add-offer":
        _grow(form, "offers", OFFERS_MAX)
    elif action == "add-attribute":
        _grow(form, "attributes", ATTRIBUTES_MAX)
    elif found := re.fullmatch(r"add-season-(\d{1,2})", action, re.ASCII):
        _grow(form, f"offer-{int(found[1])}-seasons", SEASONS_MAX)
    elif found := re.fullmatch(r"add-closed-(\d{1,2})", action, re.ASCII):
        _grow(form, f"offer-{int(found[1])}-closings", rules_form.CLOSED_MAX)
    elif found := re.fullmatch(r"remove-(offer|attribute)-(\d{1,2})", action, re.ASCII):
        _shrink(form, found[1], f"{found[1]}s", int(found[2]))
    elif found := re.fullmatch(r"remove-season-(\d{1,2})-(\d{1,2})", action, re.ASCII):
        row = f"offer-{int(found[1])}"
        _shrink(form, f"{row}-season", f"{row}-seasons", int(found[2]))
    elif found := re.fullmatch(r"remove-closed-(\d{1,2})-(\d{1,2})", action, re.ASCII):
        row = f"offer-{int(found[1])}"
        _shrink(form, f"{row}-closed", f"{row}-closings", int(found[2]))
    else:
        return False
    return True


def _grow(form: Form, counter: str, most: int) -> None:
    form.values[counter] = str(min(count(form, counter, most) + 1, most))


def _shrink(form: Form, stem: str, counter: str, index: int) -> None:
    """Drop row `index` and move the rows behind it up."""
    rows = count(form, counter, 99)
    if index >= rows or (counter == "offers" and rows == 1):
        return
    kept: dict[str, str] = {}
    for name, value in form.values.items():
        found = re.fullmatch(rf"({re.escape(stem)})-(\d+)(-.*)", name, re.ASCII)
        if not found or int(found[2]) < index:
            kept[name] = value
        elif int(found[2]) > index:
            kept[f"{stem}-{int(found[2]) - 1}{found[3]}"] = value
    form.values = kept | {counter: str(rows - 1)}


def read(form: Form, kind: Kind, categories: Categories) -> Filled | None:
    """The listing that was typed; None when something does not fit, noted in the form."""
    title = _text(form, "title", 200)
    if not (title.ru or title.en):
        form.refuse(f"title-{languages()[0]}", _("Give it a title in at least one language."))
    category = form.choice("category", slugs(categories, kind), _("Choose a category."))
    currency = form.choice("currency", CURRENCIES, _("Choose a currency.")) or "RUB"
    place = _place(form, kind)
    zone = ZoneInfo(place.timezone if place else "UTC")
    starts_at = ends_at = None
    if kind is Kind.EVENT:
        starts_at = form.moment("starts_at", zone, needed=_("Say when it begins."))
        ends_at = form.moment("ends_at", zone)
        if starts_at and ends_at and ends_at <= starts_at:
            form.refuse("ends_at", _("It cannot end before it begins."))
    offers, quantities, rules = _offers(form, kind, currency)
    fees = fee_form.read(form, currency)
    description, attributes = _text(form, "description", 20_000), _attributes(form)
    cancellation = cancellation_form.read(form, kind, currency)
    if form.refused:
        return None
    try:
        draft = ListingDraft(
            kind=kind,
            category=category,
            title=title,
            description=description,
            place=place,
            starts_at=starts_at,
            ends_at=ends_at,
            attributes=attributes,
            currency=currency,
            offers=offers,
            cancellation=cancellation,
            fees=fees,
            approval=kind in price_form.TIMED and form["approval"] == "1",
        )
    except ValidationError as error:
        form.blame(error, {})
        return None
    return Filled(draft, quantities, rules)


_FIELDS = {
    "price": "price",
    "seasons": "season-0-price",
    "by_hour": "by_hour",
    "pricing.weekdays": "day-0",
    "pricing.length_discounts": "length-0-percent",
    "pricing.quantity_discounts": "many-0-percent",
    "pricing.deposit": "deposit",
}
"""What the catalogue names of an offer -> the field where it is told."""


def blame(form: Form, refused: InvalidFields) -> None:
    """Note what the catalogue refused, at its field where it has one."""
    for path, problem in refused.details["problems"].items():
        found = re.fullmatch(r"offers\.(\d+)\.(.+)", path)
        if found and found[2] in _FIELDS:
            form.refuse(f"offer-{found[1]}-{_FIELDS[found[2]]}", problem)
        elif path == "cancellation":
            form.refuse("cancel", problem)
        else:
            form.trouble = problem


def slugs(categories: Categories, kind: Kind) -> list[str]:
    """Categories a listing of this kind may stand in."""
    return [category.slug for category in categories.items if category.kind is kind]


def _place(form: Form, kind: Kind) -> Place | None:
    needed = "" if kind is Kind.PRODUCT else _("Say in which city.")
    city, address = form.text("city", 80, needed=needed), form.text("address", 200)
    timezone = form.choice("timezone", ZONES, _("Choose a time zone.")) or "UTC"
    return Place(city=city[:80], address=address[:200], timezone=timezone) if city else None


def _offers(
    form: Form, kind: Kind, currency: str
) -> tuple[tuple[OfferDraft, ...], tuple[int, ...], tuple[Rules, ...]]:
    offers, quantities, rules = [], [], []
    rows = max(count(form, "offers", OFFERS_MAX), 1)
    for i in range(rows):
        row = f"offer-{i}"
        name = _text(form, f"{row}-name", 200)
        if rows > 1 and not (name.ru or name.en):
            form.refuse(f"{row}-name-{languages()[0]}", _("With several prices each needs a name."))
        offer_id, price = form.identifier(f"{row}-id"), form.amount(f"{row}-price", currency)
        quantities.append(form.whole(f"{row}-quantity", 0, UNITS_MAX))
        seasons = _seasons(form, row, currency) if kind in (Kind.STAY, Kind.RENTAL) else ()
        closings = count(form, f"{row}-closings", rules_form.CLOSED_MAX)
        rules.append(rules_form.read(form, row, kind, closings))
        offers.append(
            OfferDraft(
                id=offer_id,
                name=name,
                price=price,
                seasons=seasons,
                by_hour=kind is Kind.RENTAL and form[f"{row}-by_hour"] == "1",
                pricing=price_form.read(form, row, kind, currency),
            )
        )
    return tuple(offers), tuple(quantities), tuple(rules)


def _seasons(form: Form, row: str, currency: str) -> tuple[Season, ...]:
    seasons = []
    for j in range(count(form, f"{row}-seasons", SEASONS_MAX)):
        stem = f"{row}-season-{j}"
        if not (form[f"{stem}-first"] or form[f"{stem}-last"] or form[f"{stem}-price"]):
            continue
        first, last = form.day(f"{stem}-first"), form.day(f"{stem}-last")
        price: Minor = form.amount(f"{stem}-price", currency)
        if first and last and last < first:
            form.refuse(f"{stem}-last", _("The last day is before the first."))
        elif first and last:
            if any(first <= other.last and other.first <= last for other in seasons):
                form.refuse(f"{stem}-first", _("This overlaps another season."))
            seasons.append(Season(first=first, last=last, price=price))
    return tuple(seasons)


def _attributes(form: Form) -> dict[str, str]:
    attributes: dict[str, str] = {}
    for i in range(count(form, "attributes", ATTRIBUTES_MAX)):
        name = form.text(f"attribute-{i}-name", 80)
        value = form.text(f"attribute-{i}-value", 400)
        if value and not name:
            form.refuse(f"attribute-{i}-name", _("Name this."))
        elif name and value:
            attributes[name] = value
    return attributes


def _text(form: Form, name: str, most: int) -> Text:
    ru, en = form.text(f"{name}-ru", most), form.text(f"{name}-en", most)
    return Text(ru=ru[:most], en=en[:most])


def _both(name: str, text: Text) -> dict[str, str]:
    return {f"{name}-ru": text.ru, f"{name}-en": text.en}


def _local(moment: datetime | None, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).strftime("%Y-%m-%dT%H:%M") if moment else ""


def zone_words() -> list[tuple[str, str]]:
    """Time zones by the name of their city, in the person's language."""
    language = caller.current().language
    return [(z, get_timezone_location(z, locale=language, return_city=True)) for z in ZONES]


def languages() -> tuple[str, str]:
    """The two languages of content, the person's own first."""
    return ("ru", "en") if caller.current().language == "ru" else ("en", "ru")
