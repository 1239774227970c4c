"""Rows as messages: what each viewer of an order may see."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from dvor.contracts.catalog import Kind, Text
from dvor.contracts.deposits import DepositTerms, Terms
from dvor.contracts.orders import (
    Order,
    OrderCard,
    OrderedLine,
    OrderedLines,
    OrderLine,
    OrderPage,
    OrderStatus,
)
from dvor.contracts.payments import Share
from dvor.kernel.caller import Caller
from dvor.kernel.db import Record
from dvor.kernel.errors import InvalidFields
from dvor.kernel.money import Money
from dvor.services.orders.change_queries import ZONE
from dvor.services.orders.rules import CANCELLABLE


@dataclass(frozen=True)
class Viewer:
    """Who looks at an order. `seller_id`: only that seller's lines."""

    may_act: bool
    may_pay: bool
    may_answer: bool = False
    seller_id: UUID | None = None


def viewer(row: Record, caller: Caller) -> Viewer | None:
    """As whom the caller sees an order; None: not at all."""
    sellers = {line["seller_id"] for line in row["lines"]}
    user = str(caller.user_id)
    if caller.user_id is not None and row["customer_id"] == caller.user_id:
        return Viewer(may_act=True, may_pay=True, may_answer=_asked(row, user))
    if caller.is_admin():
        return Viewer(may_act=True, may_pay=False, may_answer=_asked(row, user))
    if user in sellers:
        return Viewer(
            may_act=sellers == {user},
            may_pay=False,
            may_answer=_asked(row, user),
            seller_id=caller.user_id,
        )
    return None


def _asked(row: Record, user: str) -> bool:
    """Whether a seller has to answer and has not yet."""
    return user in map(str, set(asked(row)) - set(row["approved"]))


def order(row: Record, viewer: Viewer, now: datetime) -> Order:
    """An order as `viewer` sees it."""
    currency = row["currency"]
    lines = [
        _line(line, currency)
        for line in row["lines"]
        if viewer.seller_id is None or line["seller_id"] == str(viewer.seller_id)
    ]
    status = OrderStatus(row["status"])
    quiet = status is OrderStatus.PROCESSING and row["pending_action"] is None
    asked = quiet and row["approval"] == "asked"
    open_ = viewer.may_pay and quiet and not asked and row["pay_until"] > now
    total = sum(line.total.amount for line in lines)
    return Order(
        id=row["id"],
        number=row["number"],
        customer_id=row["customer_id"],
        status=status,
        lines=tuple(lines),
        total=Money(amount=total, currency=currency),
        refunded=Money(amount=row["refunded_amount"] if viewer.may_act else 0, currency=currency),
        pay_path=row["pay_path"] if open_ else "",
        pay_until=row["pay_until"] if open_ else None,
        cancellable=viewer.may_act and status in CANCELLABLE and row["pending_action"] is None,
        timeline=tuple(entry for entry in row["timeline"] or () if _may_read(entry, lines, viewer)),
        version=row["version"],
        created_at=row["created_at"],
        promo_code=row["promo_code"],
        needs_approval=row["approval"] is not None,
        approve_until=row["held_until"] if asked else None,
        approvable=asked and viewer.may_answer and row["held_until"] > now,
    )


def _may_read(entry: dict[str, Any], lines: list[OrderLine], viewer: Viewer) -> bool:
    """Sellers read what happened to the whole order and to their own lines."""
    line_id, seller_id = entry["details"].get("line"), entry["details"].get("seller")
    if viewer.seller_id is None:
        return True
    if seller_id:  # of a deposit
        return seller_id == str(viewer.seller_id)
    return not line_id or line_id in {str(line.id) for line in lines}


def _line(line: dict[str, Any], currency: str) -> OrderLine:
    dates = None
    if line["start_date"]:
        dates = {"start": line["start_date"], "end": line["end_date"]}
    hours = None
    if line["hours_from"]:
        hours = {"start": line["hours_from"], "end": line["hours_until"]}
    return OrderLine.model_validate(
        {
            "id": line["id"],
            "offer_id": line["offer_id"],
            "listing_id": line["listing_id"],
            "seller_id": line["seller_id"],
            "kind": line["kind"],
            "title": line["title"],
            "name": line["name"],
            "picture": line["picture"],
            "quantity": line["quantity"],
            "dates": dates,
            "hours": hours,
            "starts_at": line["starts_at"],
            "timezone": line["timezone"],
            "units": line["units"],
            "unit_price": {"amount": line["unit_price"], "currency": currency},
            "total": {"amount": line["total"], "currency": currency},
            "parts": line["parts"],
            "deposit": {"amount": line["deposit"], "currency": currency}
            if line["deposit"]
            else None,
            "seats": line["seats"],
            "cancellation": line["cancellation"],
            "cancelled": line["cancelled"],
            "cancelled_seats": line["cancelled_seats"],
            "refunded": {"amount": line["refunded"], "currency": currency}
            if line["refunded"]
            else None,
        }
    )


def told(row: Record) -> OrderedLines:
    """The lines of an order, as news about it name them."""
    fields = OrderedLine.model_fields
    lines = (_line(line, row["currency"]) for line in row["lines"])
    return tuple(OrderedLine(**{name: getattr(line, name) for name in fields}) for line in lines)


def seller_ids(row: Record) -> tuple[UUID, ...]:
    """Who sells what is in an order."""
    return tuple(sorted({UUID(line["seller_id"]) for line in row["lines"]}))


def asked(row: Record) -> tuple[UUID, ...]:
    """Who of them has to say yes before anything is booked and charged."""
    return tuple(sorted({UUID(line["seller_id"]) for line in row["lines"] if line["approval"]}))


def too_late(row: Record) -> list[datetime]:
    """When its lines are no use any more: hours or an event begin, a first day or night is over."""
    found = []
    for line in row["lines"]:
        if line["start_date"]:
            day = date.fromisoformat(line["start_date"]) + timedelta(days=1)
            found.append(datetime.combine(day, time(), ZoneInfo(line["timezone"] or ZONE)))
        elif at := line["hours_from"] or line["starts_at"]:
            found.append(datetime.fromisoformat(at))
    return found


def shares(row: Record) -> tuple[Share, ...]:
    """What each seller has sold in an order."""
    sums = dict.fromkeys(seller_ids(row), 0)
    for line in row["lines"]:
        sums[UUID(line["seller_id"])] += line["total"]
    return tuple(Share(seller_id=seller, amount=amount) for seller, amount in sums.items())


def deposit_terms(row: Record) -> Terms:
    """What is to be set aside for its lines, and how long they are lent."""
    return tuple(
        DepositTerms(
            line_id=line["id"],
            seller_id=line["seller_id"],
            title=Text.model_validate(line["title"]),
            amount=line["deposit"],
            begins_at=begins_at,
            ends_at=ends_at,
        )
        for line in row["lines"]
        if line["deposit"]
        for begins_at, ends_at in [_lent(line, row["created_at"])]
    )


def _lent(line: dict[str, Any], ordered_at: datetime) -> tuple[datetime, datetime]:
    """From when to when a line is lent: its first day begins, its last one is over.

    What has no period begins and ends with its event, or when it is ordered.
    """
    zone = ZoneInfo(line["timezone"] or ZONE)
    if line["start_date"]:
        first, end = (date.fromisoformat(line[name]) for name in ("start_date", "end_date"))
        if line["kind"] == Kind.STAY:  # the last night ends on the day of leaving
            end += timedelta(days=1)
        return datetime.combine(first, time(), zone), datetime.combine(end, time(), zone)
    if line["hours_from"]:
        return datetime.fromisoformat(line["hours_from"]), datetime.fromisoformat(
            line["hours_until"]
        )
    at = datetime.fromisoformat(line["starts_at"]) if line["starts_at"] else ordered_at
    return at, at


def page(rows: list[Record], limit: int) -> OrderPage:
    """A page of orders; `rows` has one more than `limit` where there are more."""
    shown = rows[:limit]
    items = tuple(
        OrderCard(
            id=row["id"],
            number=row["number"],
            customer_id=row["customer_id"],
            status=row["status"],
            kinds=tuple(row["kinds"]),
            title=row["title"],
            line_count=row["line_count"],
            total=Money(amount=row["total"], currency=row["currency"]),
            created_at=row["created_at"],
            approve_until=row["approve_until"],
        )
        for row in shown
    )
    more = None
    if len(rows) > limit:
        last = shown[-1]
        text = f"{last['created_at'].isoformat()} {last['id']}"
        more = urlsafe_b64encode(text.encode()).decode()
    return OrderPage(items=items, next_cursor=more)


def cursor(text: str | None) -> tuple[datetime, UUID] | None:
    """The place a cursor names. Raises InvalidFields."""
    if text is None:
        return None
    try:
        at, _, identifier = urlsafe_b64decode(text).decode().partition(" ")
        return datetime.fromisoformat(at), UUID(identifier)
    except ValueError:
        raise InvalidFields(problems={"cursor": "not a cursor of ours"}) from None
