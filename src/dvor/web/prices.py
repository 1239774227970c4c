"""Prices and booking rules in words: how a total comes about, what a seller asks of bookings."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from babel.dates import get_day_names

from dvor.contracts.catalog import Kind, Listing, Offer, PricedLine
from dvor.contracts.inventory import Rules
from dvor.contracts.orders import CartLine, OrderLine
from dvor.contracts.pricing import Discount, FeePer, PartKind, PricePart
from dvor.kernel import caller
from dvor.kernel.money import Money, shown, shown_rate
from dvor.kernel.pages import shown_date
from dvor.kernel.texts import gettext as _
from dvor.kernel.texts import ngettext

Line = PricedLine | CartLine | OrderLine

CLOSED_SHOWN = 3
"""Closed periods named to customers; the calendar shows them all."""


@dataclass(frozen=True)
class Row:
    """A part of a price in words, and its amount as people write it."""

    words: str
    amount: str


def kind_of(line: Line) -> Kind:
    """What is bought."""
    return line.offer.kind if isinstance(line, PricedLine) else line.kind


def length(kind: Kind, count: int, *, by_hour: bool = False) -> str:
    """So many nights, days or hours."""
    if by_hour:
        return ngettext("{n} hour", "{n} hours", count)
    if kind is Kind.STAY:
        return ngettext("{n} night", "{n} nights", count)
    return ngettext("{n} day", "{n} days", count)


def before_code(line: Line) -> Money:
    """What is shown as the price of a line: in a cart what its promo code takes off stands below."""
    off = sum(part.amount for part in line.parts) - sum(part.amount for part in _parts(line))
    return Money(amount=line.total.amount - off, currency=line.total.currency)


def _parts(line: Line) -> list[PricePart]:
    """What is explained of the price that is shown."""
    in_cart = isinstance(line, CartLine)
    return [part for part in line.parts if not in_cart or part.kind is not PartKind.PROMO]


def rows(line: Line) -> list[Row]:
    """How the price of a line comes about; nothing where its only part says all."""
    parts = _parts(line)
    if len(parts) < 2 and not any(part.weekdays for part in parts):
        return []
    return [Row(_words(part, line), _signed(part.included or part.amount, line)) for part in parts]


def _words(part: PricePart, line: Line) -> str:
    kind, by_hour = kind_of(line), line.hours is not None
    if part.kind is PartKind.LENGTH_DISCOUNT:
        least = _from(kind, part.least, by_hour=by_hour)
        return _("Discount of {percent}%: {least}", percent=part.percent, least=least)
    if part.kind is PartKind.QUANTITY_DISCOUNT:
        least = _at_once(part.least)
        return _("Discount of {percent}%: {least}", percent=part.percent, least=least)
    if part.kind in _CHARGED:
        return _charged(part, line)
    factors = [str(line.quantity)] if line.quantity > 1 else []
    if kind in (Kind.STAY, Kind.RENTAL):
        factors.append(length(kind, part.units, by_hour=by_hour))
    price = Money(amount=part.price, currency=line.total.currency)
    sum_ = " × ".join([*factors, shown(price, caller.current().language)])
    if part.kind is PartKind.WEEKDAY:
        return f"{weekdays(part.weekdays)}: {sum_}"
    return _("In season: {sum}", sum=sum_) if part.kind is PartKind.SEASON else sum_


_CHARGED = (PartKind.PROMO, PartKind.FEE, PartKind.TAX)


def _charged(part: PricePart, line: Line) -> str:
    """What comes on top of a price, or off it."""
    language = caller.current().language
    if part.kind is PartKind.PROMO:
        return _("Promo code {code}", code=part.code)
    name = part.name.of(language)
    if part.kind is PartKind.FEE:
        price = shown(Money(amount=part.price, currency=line.total.currency), language)
        return f"{name}: {part.units} × {price}" if part.units > 1 else name
    words = tax_words(name, part.rate)
    return _("including {tax}", tax=words) if part.included else words


def tax_words(name: str, rate: int) -> str:
    """A tax by its name and rate, in hundredths of a percent: VAT 20%."""
    return f"{name} {shown_rate(rate, caller.current().language)}"


def charges(listing: Listing) -> list[str]:
    """Whether its owner is asked, fees and tax of a listing, a sentence each."""
    language, currency = caller.current().language, listing.offers[0].price.currency
    found = []
    if listing.approval:
        found.append(
            _("The owner answers each request first: until then the money is only set aside.")
        )
    for fee in listing.fees:
        price = shown(Money(amount=fee.price, currency=currency), language)
        found.append(f"{fee.name.of(language)}: {price} {_per(fee.per, listing.kind)}.")
    if listing.tax.rate:
        tax = tax_words(listing.tax.name.of(language), listing.tax.rate)
        if listing.tax.included:
            found.append(_("{tax} is in the price.", tax=tax))
        else:
            found.append(_("{tax} is added to the price.", tax=tax))
    return found


def _per(per: FeePer, kind: Kind) -> str:
    if per is FeePer.ORDER:
        return _("once an order")
    if per is FeePer.UNIT and kind is Kind.STAY:
        return _("for each night")
    if per is FeePer.UNIT and kind is Kind.RENTAL:
        return _("for each day or hour")
    return _("for each")


def _signed(amount: int, line: Line) -> str:
    money = Money(amount=abs(amount), currency=line.total.currency)
    return ("−" if amount < 0 else "") + shown(money, caller.current().language)


def _at_once(count: int) -> str:
    return ngettext("from {n} at once", "from {n} at once", count)


def _from(kind: Kind, count: int, *, by_hour: bool = False) -> str:
    if by_hour:
        return ngettext("from {n} hour", "from {n} hours", count)
    if kind is Kind.STAY:
        return ngettext("from {n} night", "from {n} nights", count)
    return ngettext("from {n} day", "from {n} days", count)


def _up_to(kind: Kind, count: int, *, by_hour: bool = False) -> str:
    if by_hour:
        return ngettext("up to {n} hour", "up to {n} hours", count)
    if kind is Kind.STAY:
        return ngettext("up to {n} night", "up to {n} nights", count)
    return ngettext("up to {n} day", "up to {n} days", count)


def deposits(lines: Iterable[Line]) -> Money | None:
    """What is set aside and let go, of all lines together; they are in one currency."""
    found = [line.deposit for line in lines if line.deposit is not None]
    if not found:
        return None
    return Money(amount=sum(money.amount for money in found), currency=found[0].currency)


def terms(offer: Offer, kind: Kind) -> list[str]:
    """What an offer's price depends on, a sentence each."""
    pricing, currency = offer.pricing, offer.price.currency

    def off(discount: Discount, least: str) -> str:
        return _("Discount of {percent}%: {least}", percent=discount.percent, least=least) + "."

    found = [off(n, _from(kind, n.least, by_hour=offer.by_hour)) for n in pricing.length_discounts]
    found += [off(n, _at_once(n.least)) for n in pricing.quantity_discounts]
    if pricing.deposit:
        found.append(deposit_words(Money(amount=pricing.deposit, currency=currency), kind))
    return found


def deposit_words(deposit: Money, kind: Kind) -> str:
    """What a deposit is, and that it comes back."""
    amount = shown(deposit, caller.current().language)
    if kind is Kind.STAY:
        return _("Deposit {amount}: set aside on the card, let go after the stay.", amount=amount)
    return _(
        "Deposit {amount}: set aside on the card, let go when the thing is back.", amount=amount
    )


def weekdays(days: Sequence[int]) -> str:
    """Names of weekdays, short: Fri, Sat."""
    names = get_day_names("abbreviated", locale=caller.current().language)
    return ", ".join(names[day] for day in sorted(days))


def conditions(rules: Rules, kind: Kind, *, by_hour: bool = False) -> list[str]:
    """What a seller asks of bookings, a sentence each; nothing where anything goes."""
    dated = kind in (Kind.STAY, Kind.RENTAL)
    found = [*_period(rules, kind, by_hour=by_hour)] if dated else []
    if rules.per_customer:
        found.append(_("Up to {n} for one customer.", n=rules.per_customer))
    return found


def _period(rules: Rules, kind: Kind, *, by_hour: bool) -> Iterable[str]:
    stay = kind is Kind.STAY
    limits = [_from(kind, rules.length_min, by_hour=by_hour)] if rules.length_min > 1 else []
    if rules.length_max:
        limits.append(_up_to(kind, rules.length_max, by_hour=by_hour))
    if limits:
        words = ", ".join(limits)
        yield f"{words[0].upper()}{words[1:]}."
    for days, text in (
        (rules.arrival_weekdays, _("Arrival: {days}.") if stay else _("It begins: {days}.")),
        (rules.departure_weekdays, _("Departure: {days}.") if stay else _("It ends: {days}.")),
    ):
        if days:
            yield text.format(days=weekdays(days))
    if rules.notice_hours:
        yield _("Book at least {ahead} ahead.", ahead=_ahead(rules.notice_hours))
    if rules.horizon_days:
        yield ngettext("At most {n} day ahead.", "At most {n} days ahead.", rules.horizon_days)
    for period in rules.closed[:CLOSED_SHOWN]:
        last = period.end - timedelta(days=1)
        span = shown_date(period.start)
        if last > period.start:
            span += f" – {shown_date(last)}"
        yield _("Closed: {span}.", span=span)


def _ahead(hours: int) -> str:
    if hours % 24:
        return ngettext("{n} hour", "{n} hours", hours)
    return ngettext("{n} day", "{n} days", hours // 24)
