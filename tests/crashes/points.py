"""Every named moment at which Dvor is killed (`kernel/points.py`). A test compares it with the code."""

from itertools import chain

TRANSACTIONS = (
    "bank.authorised",
    "bank.captured",
    "bank.refunded",
    "bank.voided",
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
    "payments.asked",
    "payments.authorised",
    "payments.captured",
    "payments.declined",
    "payments.followed",
    "payments.refund_asked",
    "payments.refunded",
    "payments.requested",
    "payments.voided",
)
RARE_OTHERS = ("orders.before_ack",)
RARE_TRANSACTIONS = (
    "bank.confirmed",
    "bank.decided",
    "bank.dispute_decided",
    "bank.disputed",
    "bank.set_aside",
    "orders.answered",
    "orders.ask_refused",
    "orders.deposit_refused",
    "orders.deposits_secured",
    "orders.inbox",
    "orders.look_settles",
    "orders.refund_refused",
    "orders.sellers_asked",
    "orders.settle_refused",
    "payments.deposit_answered",
    "payments.deposit_asked",
    "payments.deposit_captured",
    "payments.deposit_claimed",
    "payments.deposit_let_go",
    "payments.deposit_lost",
    "payments.deposit_released",
    "payments.deposit_releasing",
    "payments.deposit_rested",
    "payments.deposit_shrunk",
    "payments.paid_out",
    "payments.refund_undone",
    "payments.unheard_voided",
    "payments.webhook_replayed",
)
"""Only where a webhook is lost, what was held is sold to somebody else, a bank is slow or says no, a
seller answers, a deposit is asked for, or an admin or a timer does something: see tests/simulation and tests/services/payments.
"""
CALLS = (
    "Catalog.quote",
    "Identity.contacts",
    "Inventory.confirm",
    "Inventory.hold",
    "Inventory.release",
    "Inventory.restate",
    "Payments.capture",
    "Payments.payment",
    "Payments.refund",
    "Payments.request",
    "Payments.void",
)
RARE_CALLS = ("Inventory.extend", "Payments.release_deposits", "Payments.secure_deposits")
"""Only where a seller answers, or something is lent against a deposit."""
TASKS = (
    "decide_dispute",
    "decide_late",
    "deliver_webhook",
    "finish_refund",
    "open_dispute",
    "send_bank_webhook",
    "send_mail",
)
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
RARE = tuple(
    chain(
        _each(RARE_TRANSACTIONS, "before_commit", "after_commit"),
        _each(RARE_CALLS, "asked", "answered"),
        RARE_OTHERS,
    )
)
