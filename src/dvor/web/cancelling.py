"""Cancellation policies in plain words, with the dates they come to."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_datetime

from dvor.contracts.cancellation import Policy, begins, deadline
from dvor.contracts.cancellation_words import rule, share, until
from dvor.contracts.catalog import Listing
from dvor.contracts.order_changes import LineRefund
from dvor.contracts.orders import CartLine, OrderLine
from dvor.kernel import caller, clock
from dvor.kernel.pages import shown_date
from dvor.kernel.periods import DateRange, HourRange
from dvor.kernel.texts import gettext as _

ZONE = "Europe/Moscow"
"""Of what has no place."""


def general(policy: Policy, currency: str) -> str:
    """A policy as long as nobody knows when: free until 3 days before it begins, then nothing back."""
    clauses = [f"{share(step, currency)} {until(step)}" for step in policy.steps]
    return _sentence(clauses, policy)


def dated(
    policy: Policy, currency: str, timezone: str, beginning: datetime | None, bought: datetime
) -> str:
    """A policy with its dates, from now on: free until 12 May, 18:00, then nothing back.

    What is over already is left out, and so is what never comes to count.
    """
    reached, clauses = clock.now(), list[str]()
    for step in policy.steps:
        ends = deadline(step, beginning, bought, timezone)
        if ends is None:
            clauses.append(f"{share(step, currency)} {until(step)}")
        elif ends > reached:
            reached = ends
            at = _("until {moment}", moment=moment(ends, timezone))
            clauses.append(f"{share(step, currency)} {at}")
    return _sentence(clauses, policy)


def moment(at: datetime, timezone: str) -> str:
    """A moment as short as it can be said: 12 May, 18:00."""
    local = at.astimezone(ZoneInfo(timezone))
    clock_time = format_datetime(local, "HH:mm", locale=caller.current().language)
    return f"{shown_date(local.date())}, {clock_time}"


def _sentence(clauses: list[str], policy: Policy) -> str:
    ends = not policy.steps or policy.steps[-1].until != "handover"
    if ends and (not policy.steps or policy.steps[-1].percent or not clauses):
        clauses = [*clauses, _("nothing back")]
    return _("Cancelling: {what}.", what=_(", then ").join(clauses))


def of_line(line: CartLine | OrderLine, bought: datetime | None = None) -> str:
    """What cancelling a line gives back from now on. `bought`: now for what is not ordered yet."""
    zone = line.timezone or ZONE
    beginning = begins(
        zone,
        line.dates.start if line.dates else None,
        line.hours.start if line.hours else None,
        line.starts_at,
    )
    currency = line.total.currency
    return dated(line.cancellation, currency, zone, beginning, bought or clock.now())


def refund_rule(line: LineRefund) -> str:
    """Why so much of a line comes back."""
    return rule(line.rule, line.step, line.back.currency)


def of_listing(listing: Listing, period: DateRange | HourRange | None) -> str:
    """The same of a listing, for what is asked for; without dates where it needs some."""
    zone = listing.place.timezone if listing.place else ZONE
    dates = period if isinstance(period, DateRange) else None
    hours = period if isinstance(period, HourRange) else None
    currency = listing.offers[0].price.currency
    beginning = begins(
        zone, dates.start if dates else None, hours.start if hours else None, listing.starts_at
    )
    if beginning is None:
        return general(listing.cancellation, currency)
    return dated(listing.cancellation, currency, zone, beginning, clock.now())


def shared(lines: Iterable[Any]) -> str:
    """The one sentence of all lines; empty where they differ."""
    found = {of_line(line) for line in lines}
    return found.pop() if len(found) == 1 else ""
