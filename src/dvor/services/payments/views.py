"""Rows as messages, and places in lists as cursors."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from uuid import UUID

from dvor.contracts.catalog import Text
from dvor.contracts.deposits import Deposit, Deposits, DepositStatus
from dvor.contracts.payments import Payment, PaymentStatus, PaymentStep
from dvor.kernel.caller import Caller, current
from dvor.kernel.db import Record
from dvor.kernel.errors import InvalidFields
from dvor.kernel.money import Money
from dvor.services.payments import rules


def money(row: Record) -> Money:
    """The amount of a row that has a currency."""
    return Money(amount=row["amount"], currency=row["currency"])


def payment(row: Record, *, paying: bool = False) -> Payment:
    """`paying`: asked for by the secret address itself, which then is no secret any more."""
    told = paying or rules.may_pay(current(), row["payer_id"])
    return Payment(
        id=row["id"],
        order_id=row["order_id"],
        order_number=row["order_number"],
        payer_id=row["payer_id"],
        amount=money(row),
        status=PaymentStatus(row["status"]),
        captured=row["captured"],
        refunded=row["refunded"],
        declines=row["declines"],
        pay_path=f"/pay/{row['pay_token']}" if told else "",
        expires_at=row["expires_at"],
        created_at=row["created_at"],
        return_path=row["return_path"],
        underway=row["underway"],
        action_path=_action_path(row) if told else "",
        disputed=row["disputed"],
        provider=row["provider"],
        deposit=row["deposit"],
    )


def _action_path(row: Record) -> str:
    on_our_page = row["action_path"] == "confirm"
    return f"/pay/{row['pay_token']}/confirm" if on_our_page else row["action_path"]


def history(row: Record) -> tuple[PaymentStep, ...]:
    """Everything that happened to a payment, in order."""
    return tuple(
        PaymentStep(
            at=datetime.fromisoformat(step["at"]),
            what=step["what"],
            amount=Money(amount=step["amount"], currency=row["currency"]),
        )
        for step in row["steps"] or ()
    )


def deposits(rows: list[Record], viewer: Caller, now: datetime) -> Deposits:
    """Those that `viewer` may see: the payer's, a seller's own."""
    seen = [
        row
        for row in rows
        if rules.may_see(viewer, row["payer_id"]) or viewer.user_id == row["seller_id"]
    ]
    return Deposits(items=tuple(deposit(row, viewer, now) for row in seen))


def deposit(row: Record, viewer: Caller, now: datetime) -> Deposit:
    """A deposit as `viewer` sees it."""
    mine = rules.may_claim(viewer, row["seller_id"])
    in_time = row["ends_at"] <= now < row["claim_until"]
    return Deposit(
        id=row["id"],
        order_id=row["order_id"],
        order_number=row["order_number"],
        line_id=row["line_id"],
        seller_id=row["seller_id"],
        title=Text.model_validate(row["title"]),
        amount=money(row),
        status=DepositStatus(row["status"]),
        captured=row["captured"],
        released=row["released"],
        claimed=row["claimed"],
        reason=row["reason"],
        evidence=row["evidence"],
        begins_at=row["begins_at"],
        ends_at=row["ends_at"],
        claim_until=row["claim_until"],
        refusals=row["refusals"],
        claimable=mine and in_time and row["status"] == DepositStatus.HELD,
        returnable=mine and row["status"] in (DepositStatus.HELD, DepositStatus.RESTING),
    )


def before(cursor: str | None) -> UUID | None:
    """The place in a list of payments."""
    try:
        return UUID(cursor) if cursor else None
    except ValueError:
        raise _no_cursor() from None


def moment(cursor: str | None) -> tuple[datetime, UUID] | None:
    """The place in a list by time."""
    if not cursor:
        return None
    try:
        at, _, identifier = urlsafe_b64decode(cursor).decode().partition(" ")
        return datetime.fromisoformat(at), UUID(identifier)
    except ValueError:
        raise _no_cursor() from None


def moment_cursor(row: Record) -> str:
    """The cursor that `moment` reads."""
    return urlsafe_b64encode(f"{row['created_at'].isoformat()} {row['id']}".encode()).decode()


def cut(rows: list[Record], limit: int) -> tuple[list[Record], str | None]:
    """A page of rows by time, of which there is one more than `limit` where there are more."""
    shown = rows[:limit]
    return shown, moment_cursor(shown[-1]) if len(rows) > limit else None


def _no_cursor() -> InvalidFields:
    return InvalidFields(problems={"cursor": "not a cursor of this list"})
