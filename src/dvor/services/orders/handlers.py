"""What becomes of deposits is told in the history of their order."""

from collections.abc import Mapping

from dvor.contracts.payments import (
    DepositCaptured,
    DepositLost,
    DepositRefused,
    DepositReleased,
)
from dvor.kernel.db import Tx
from dvor.kernel.events import Event
from dvor.kernel.inbox import Handler
from dvor.services.orders import queries

DepositNews = DepositCaptured | DepositLost | DepositRefused | DepositReleased


async def deposit_captured(tx: Tx, event: DepositCaptured) -> None:
    """A seller keeps some of it, and says why."""
    kept = str(event.captured.amount)
    await _note(tx, event, "deposit_captured", kept=kept, reason=event.reason)


async def deposit_lost(tx: Tx, event: DepositLost) -> None:
    """A seller wanted some of it; nothing was taken."""
    await _note(tx, event, "deposit_lost", reason=event.reason)


async def deposit_refused(tx: Tx, event: DepositRefused) -> None:
    """The bank does not set it aside anew."""
    await _note(tx, event, "deposit_refused")


async def deposit_released(tx: Tx, event: DepositReleased) -> None:
    """It is let go."""
    await _note(tx, event, "deposit_released", why=event.why)


async def _note(tx: Tx, event: DepositNews, what: str, **more: str) -> None:
    money = event.claimed if isinstance(event, DepositLost) else event.amount
    details = {
        "title_ru": event.title.of("ru"),
        "title_en": event.title.of("en"),
        "amount": str(money.amount),
        "currency": money.currency,
        "seller": str(event.seller_id),
    }
    if await queries.locked(tx, event.order_id):
        await queries.note(tx, event.order_id, what, **details, **more)
        await queries.touch(tx, event.order_id)


HANDLERS: Mapping[type[Event], Handler] = {
    DepositCaptured: deposit_captured,
    DepositLost: deposit_lost,
    DepositRefused: deposit_refused,
    DepositReleased: deposit_released,
}
