"""Facts of other services become notifications, each with its mail, in one transaction."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from dvor.contracts.identity import UserRegistered
from dvor.contracts.inventory import WaitingLapsed, WaitingOffered
from dvor.contracts.order_changes import LineRefund
from dvor.contracts.orders import (
    ApprovalAsked,
    LatePaymentReturned,
    OrderCancelled,
    OrderCreated,
    OrderDelivered,
    OrderLinesCancelled,
    OrderPaid,
    PaymentFailed,
)
from dvor.contracts.payments import (
    DepositCaptured,
    DepositLost,
    DepositRefused,
    DepositReleased,
)
from dvor.kernel.db import Tx
from dvor.services.notifications import queries
from dvor.services.notifications.tasks import SendMail, send_mail


async def user_registered(tx: Tx, event: UserRegistered) -> None:
    """Welcome a new person."""
    await _tell(tx, "welcome", event.user_id, [event.user_id], {"name": event.name})


async def order_created(tx: Tx, event: OrderCreated) -> None:
    """Remind the customer to pay."""
    details = {
        "number": event.number,
        "total": event.total.model_dump(),
        "lines": _told(event),
        "charges": [part.model_dump(mode="json", exclude_defaults=True) for part in event.charges],
    }
    await _tell(tx, "order_created", event.order_id, [event.customer_id], details)


async def order_paid(tx: Tx, event: OrderPaid) -> None:
    """Tell the customer and every seller."""
    details = {"number": event.number, "total": event.total.model_dump(), "lines": _told(event)}
    await _tell(tx, "order_paid", event.order_id, [event.customer_id], details)
    # The total is of all sellers together: each is told of their own lines only.
    for seller in event.seller_ids:
        own = {"number": event.number, "lines": _told(event, seller)}
        await _tell(tx, "sale_paid", event.order_id, [seller], own)


async def approval_asked(tx: Tx, event: ApprovalAsked) -> None:
    """Ask the sellers, and tell the customer that they are asked."""
    details = {"number": event.number, "until": event.until.isoformat()}
    for seller in event.seller_ids:
        own = details | {"lines": _told(event, seller)}
        await _tell(tx, "approval_asked", event.order_id, [seller], own)
    whole = details | {"total": event.total.model_dump(), "lines": _told(event)}
    await _tell(tx, "approval_waited", event.order_id, [event.customer_id], whole)


async def payment_failed(tx: Tx, event: PaymentFailed) -> None:
    """Tell the customer, at the first decline of an order only."""
    details = {"number": event.number, "lines": _told(event)}
    await _tell(tx, "payment_failed", event.order_id, [event.customer_id], details)


async def order_cancelled(tx: Tx, event: OrderCancelled) -> None:
    """Tell the customer, and those sellers who had been told of a sale or asked about it."""
    details = {"number": event.number, "reason": event.reason}
    refunded = {"refunded": event.refunded.model_dump(), "refunds": _refunds(event.refunds)}
    mine = details | refunded | {"lines": _told(event)}
    await _tell(tx, "order_cancelled", event.order_id, [event.customer_id], mine)
    for seller in event.seller_ids:
        if seller == event.declined_by:  # needs not be told what they did
            continue
        own = details | {"lines": _told(event, seller)}
        for topic in ("sale_paid", "approval_asked"):  # either way each is told once
            await _tell(tx, "sale_cancelled", event.order_id, [seller], own, only_after=topic)


async def late_payment_returned(tx: Tx, event: LatePaymentReturned) -> None:
    """Tell the customer what became of money that came too late."""
    details = {"number": event.number, "refunded": event.refunded.model_dump()}
    await _tell(tx, "late_payment_returned", event.order_id, [event.customer_id], details)


async def order_lines_cancelled(tx: Tx, event: OrderLinesCancelled) -> None:
    """Tell the customer what comes back and why; each seller what is free again."""
    details = {
        "number": event.number,
        "order_id": str(event.order_id),
        "reason": event.reason,
        "refunded": event.refunded.model_dump(),
        "refunds": _refunds(event.refunds),
    }
    await _tell(tx, "order_changed", event.change_id, [event.customer_id], details)
    for seller_id in sorted({line.seller_id for line in event.refunds}):
        theirs = tuple(line for line in event.refunds if line.seller_id == seller_id)
        told = details | {"refunds": _refunds(theirs)}
        del told["refunded"]
        await _tell(tx, "sale_changed", event.change_id, [seller_id], told)


def _refunds(lines: Sequence[LineRefund]) -> list[dict[str, Any]]:
    return [line.model_dump(mode="json") for line in lines]


async def order_delivered(tx: Tx, event: OrderDelivered) -> None:
    """Tell the customer."""
    details = {"number": event.number, "lines": _told(event)}
    await _tell(tx, "order_delivered", event.order_id, [event.customer_id], details)


async def deposit_captured(tx: Tx, event: DepositCaptured) -> None:
    """Tell the customer what was kept and why, and the seller that it came."""
    details = _of_deposit(event) | {"captured": event.captured.model_dump(), "reason": event.reason}
    mine = details | {"evidence": event.evidence}
    await _tell(tx, "deposit_kept", event.deposit_id, [event.payer_id], mine)
    await _tell(tx, "deposit_came", event.deposit_id, [event.seller_id], details)


async def deposit_released(tx: Tx, event: DepositReleased) -> None:
    """Tell the customer that nothing is set aside any more; of a cancelled order they know."""
    if event.why != "cancelled":
        details = _of_deposit(event) | {"why": event.why}
        await _tell(tx, "deposit_released", event.deposit_id, [event.payer_id], details)


async def deposit_refused(tx: Tx, event: DepositRefused) -> None:
    """Tell both that nothing may be set aside when it is needed."""
    details = _of_deposit(event)
    await _tell(tx, "deposit_refused", event.deposit_id, [event.payer_id], details)
    await _tell(tx, "deposit_missing", event.deposit_id, [event.seller_id], details)


async def deposit_lost(tx: Tx, event: DepositLost) -> None:
    """Tell the seller that they do not get what they claimed."""
    details = _of_deposit(event) | {"claimed": event.claimed.model_dump()}
    await _tell(tx, "deposit_lost", event.deposit_id, [event.seller_id], details)


def _of_deposit(
    event: DepositCaptured | DepositLost | DepositRefused | DepositReleased,
) -> dict[str, Any]:
    details: dict[str, Any] = {
        "number": event.order_number,
        "order_id": str(event.order_id),
        "title": event.title.model_dump(),
    }
    if not isinstance(event, DepositLost):
        details["amount"] = event.amount.model_dump()
    return details


async def waiting_offered(tx: Tx, event: WaitingOffered) -> None:
    """Tell who waited that it is held for them, how to take it and how to decline."""
    details = {"entry": event.entry.model_dump(mode="json"), "token": event.token}
    await _tell(tx, "waiting_offered", event.waiting_id, [event.customer_id], details)


async def waiting_lapsed(tx: Tx, event: WaitingLapsed) -> None:
    """Tell who did not answer that it went to the next."""
    details = {"entry": event.entry.model_dump(mode="json")}
    await _tell(tx, "waiting_lapsed", event.waiting_id, [event.customer_id], details)


def _told(
    event: ApprovalAsked
    | OrderCreated
    | OrderPaid
    | PaymentFailed
    | OrderCancelled
    | OrderDelivered,
    seller_id: UUID | None = None,
) -> list[dict[str, Any]]:
    """What is in the order; for a seller their own lines only."""
    return [
        line.model_dump(mode="json")
        for line in event.lines
        if seller_id is None or line.seller_id == seller_id
    ]


async def _tell(
    tx: Tx,
    topic: str,
    subject_id: UUID,
    recipient_ids: Sequence[UUID],
    details: dict[str, Any],
    *,
    only_after: str | None = None,
) -> None:
    told = await queries.insert_notifications(
        tx, topic, subject_id, recipient_ids, details, only_after=only_after
    )
    for notification_id in told:
        work = SendMail(notification_id=notification_id)
        tx.enqueue(send_mail, work, key=str(notification_id))


HANDLERS = {
    UserRegistered: user_registered,
    OrderCreated: order_created,
    OrderPaid: order_paid,
    ApprovalAsked: approval_asked,
    PaymentFailed: payment_failed,
    OrderCancelled: order_cancelled,
    LatePaymentReturned: late_payment_returned,
    OrderDelivered: order_delivered,
    OrderLinesCancelled: order_lines_cancelled,
    DepositCaptured: deposit_captured,
    DepositLost: deposit_lost,
    DepositRefused: deposit_refused,
    DepositReleased: deposit_released,
    WaitingOffered: waiting_offered,
    WaitingLapsed: waiting_lapsed,
}
