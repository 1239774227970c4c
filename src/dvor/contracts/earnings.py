"""What sellers have earned: balances, statements, payouts. Messages of payments."""

from uuid import UUID

from dvor.kernel.messages import Count, Flag, Instant, Int, Line, Message, Minor, PageRequest
from dvor.kernel.money import Currency, Money


class Balance(Message):
    """What a seller is owed in one currency, in minor units."""

    currency: Currency
    available: Int
    """Paid out with the next run; below 0 when more went back than was earned since."""
    contested: Minor
    """Sales that payers' banks have taken back and not yet decided."""
    paid_out: Minor


class Balances(Message):
    """By currency; none for who has sold nothing."""

    items: tuple[Balance, ...]


class Entry(Message):
    """One line of a seller's statement. Amounts are signed: below 0 it left the seller."""

    id: UUID
    at: Instant
    what: Line
    """captured, refund_asked, refund_failed, disputed, dispute_won, deposit_captured, paid_out"""
    order_id: UUID | None
    order_number: Line
    currency: Currency
    gross: Int
    commission: Int
    """What the platform took of it; below 0 when it gave commission back."""
    amount: Int
    """What it changed the balance by: `gross` less `commission`."""


class Statement(Message):
    """Some entries, newest first."""

    items: tuple[Entry, ...]
    next_cursor: str | None = None


class StatementSearch(PageRequest):
    """Whose statement: one's own, or any seller's for admins."""

    seller_id: UUID | None = None


class Payout(Message):
    """Money on its way to a seller."""

    id: UUID
    run_key: UUID
    seller_id: UUID
    amount: Money
    at: Instant


class Payouts(Message):
    """Some payouts, newest first."""

    items: tuple[Payout, ...]
    next_cursor: str | None = None


class PayoutSearch(PageRequest):
    """Which payouts: one's own, or everybody's for admins who ask for `everybody`."""

    everybody: Flag = False


class RunTotal(Message):
    """What a run paid in one currency."""

    payouts: Count
    amount: Money


class PayoutRun(Message):
    """All sellers who were owed something, paid. One key, one run."""

    key: UUID
    started_at: Instant
    totals: tuple[RunTotal, ...]


class Account(Message):
    """An account of the books. Positive: what we have or are owed; all of them sum to nothing."""

    name: Line
    """provider, seller, commission, refunds, contested, chargebacks, payouts"""
    currency: Currency
    amount: Int


class Books(Message):
    """The balance of each account."""

    accounts: tuple[Account, ...]
