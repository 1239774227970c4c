"""The part of a listing's form about what may be booked."""

from datetime import timedelta

from dvor.contracts.catalog import Kind
from dvor.contracts.inventory import Rules
from dvor.kernel.periods import DateRange
from dvor.kernel.texts import gettext as _
from dvor.web.forms import Form

CLOSED_MAX = 100
CLOSED_DAYS_MAX = 366
TIMED = (Kind.STAY, Kind.RENTAL)

NUMBERS = {
    "length_min": 366,
    "length_max": 744,
    "notice_hours": 8784,
    "horizon_days": 1098,
    "buffer": 48,
    "per_customer": 1000,
}
"""Fields for a number, and the most it can be; 0 or empty: no limit."""
FOR_ALL = ("per_customer",)
"""Those that goods and tickets have, too."""


def shown(row: str, rules: Rules) -> dict[str, str]:
    """What the fields of an offer say."""
    values = {
        f"{row}-rule-{name}": str(getattr(rules, name)) for name in NUMBERS if getattr(rules, name)
    }
    values |= {f"{row}-arrive-{day}": "1" for day in rules.arrival_weekdays}
    values |= {f"{row}-leave-{day}": "1" for day in rules.departure_weekdays}
    values[f"{row}-closings"] = str(len(rules.closed))
    for i, period in enumerate(rules.closed):
        last = period.end - timedelta(days=1)
        values |= {
            f"{row}-closed-{i}-first": period.start.isoformat(),
            f"{row}-closed-{i}-last": last.isoformat(),
        }
    return values


def read(form: Form, row: str, kind: Kind, closings: int) -> Rules:
    """The rules that were typed; what does not fit is noted in the form."""
    timed = kind in TIMED
    numbers = {
        name: form.whole(f"{row}-rule-{name}", 0, most, empty=0)
        for name, most in NUMBERS.items()
        if timed or name in FOR_ALL
    }
    if not timed:
        return Rules.model_validate(numbers)
    if 0 < numbers["length_max"] < numbers["length_min"]:
        form.refuse(f"{row}-rule-length_max", _("This is shorter than the shortest."))
    days = {
        "arrival_weekdays": tuple(day for day in range(7) if form[f"{row}-arrive-{day}"]),
        "departure_weekdays": tuple(day for day in range(7) if form[f"{row}-leave-{day}"]),
    }
    return Rules.model_validate(numbers | days | {"closed": _closed(form, row, closings)})


def _closed(form: Form, row: str, closings: int) -> tuple[DateRange, ...]:
    found = []
    for i in range(closings):
        stem = f"{row}-closed-{i}"
        if not (form[f"{stem}-first"] or form[f"{stem}-last"]):
            continue
        first = form.day(f"{stem}-first")
        last = form.day(f"{stem}-last", needed=False) or first
        if first is None or last is None:
            continue
        if last < first:
            form.refuse(f"{stem}-last", _("The last day is before the first."))
        elif (last - first).days >= CLOSED_DAYS_MAX:
            form.refuse(f"{stem}-last", _("Up to a year at once, please."))
        else:
            found.append(DateRange(start=first, end=last + timedelta(days=1)))
    return tuple(found)
