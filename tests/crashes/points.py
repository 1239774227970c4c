"""Every named moment at which Dvor is killed (`kernel/points.py`). A test compares it with the code."""

from itertools import chain

TRANSACTIONS = (
    "inventory.swift",
    "inventory.thorough",
    "mail.caught",
    "notifications.inbox",
    "orders.cancel_begun",
    "orders.cancelled",
    "orders.cart_changed",
    "orders.delivered",
    "orders.guest_cart_joined",
    "orders.lines_cancelled",
    "orders.look_cancels",
    "orders.paid",
    "orders.payment_requested",
    "orders.placed",
    "orders.webhook_taken",
    "payments.authorised",
    "payments.captured",
    "payments.declined",
    "payments.refunded",
    "payments.requested",
    "payments.voided",
)
RARE_TRANSACTIONS = ("orders.look_settles", "orders.settle_refused")
"""Only where a webhook is lost, or what was held is sold to somebody else: see tests/simulation."""
CALLS = (
    "Catalog.quote",
    "Identity.contacts",
    "Inventory.confirm",
    "Inventory.hold",
    "Inventory.release",
    "Payments.capture",
    "Payments.payment",
    "Payments.refund",
    "Payments.request",
    "Payments.void",
)
TASKS = ("deliver_webhook", "send_mail")
OTHERS = (
    "answer.after_store",
    "answer.before_store",
    "answer.claimed",
    "mail.after_send",
    "mail.before_send",
    "notifications.before_ack",
    "orders.after_marking",
    "orders.after_publish",
    "orders.before_publish",
    "webhook.after_marking",
    "webhook.after_post",
    "webhook.before_post",
)


def _each(names: tuple[str, ...], *moments: str) -> tuple[str, ...]:
    return tuple(f"{name}.{moment}" for name in names for moment in moments)


POINTS = tuple(
    chain(
        _each(TRANSACTIONS, "before_commit", "after_commit"),
        _each(CALLS, "asked", "answered"),
        _each(TASKS, "before_done", "after_done"),
        OTHERS,
    )
)
RARE = _each(RARE_TRANSACTIONS, "before_commit", "after_commit")
