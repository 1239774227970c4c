"""Money: whole minor units and a currency. Never a float."""

from decimal import Decimal
from functools import lru_cache
from typing import Annotated

from babel.numbers import (
    format_decimal,
    format_percent,
    get_currency_precision,
    get_currency_symbol,
)
from pydantic import Field

from dvor.kernel.messages import Message, Minor

SHOWN_MAX = 10_000
"""Amounts whose spelling is remembered: the same ones stand on page after page."""

Currency = Annotated[str, Field(pattern="^[A-Z]{3}$")]
"""An ISO 4217 code."""


class Money(Message):
    """An amount in minor units (kopecks, cents) of one currency."""

    amount: Minor
    currency: Currency

    def times(self, count: int) -> "Money":
        """This amount `count` times."""
        return Money(amount=self.amount * count, currency=self.currency)


def decimal(money: Money) -> Decimal:
    """The amount in major units, exact: 1234 RUB kopecks -> Decimal("12.34")."""
    return signed_decimal(money.amount, money.currency)


def signed_decimal(amount: int, currency: str) -> Decimal:
    """A signed amount of minor units in major units, exact."""
    return Decimal(amount).scaleb(-get_currency_precision(currency))


def shown_signed(amount: int, currency: str, language: str, *, plus: bool = True) -> str:
    """As people write a change: +₽900, −₽900 (a real minus, not a hyphen)."""
    sign = "\u2212" if amount < 0 else "+" if amount and plus else ""
    return sign + shown(Money(amount=abs(amount), currency=currency), language)


def shown(money: Money, language: str) -> str:
    """As people write it: `12 345,60 ₽` in Russian, `₽12,345.60` in English; whole amounts bare."""
    return _shown(money.amount, money.currency, language)


@lru_cache(maxsize=SHOWN_MAX)
def _shown(amount: int, currency: str, language: str) -> str:
    digits = get_currency_precision(currency)
    bare = amount % 10**digits == 0
    pattern = "#,##0" if bare else f"#,##0.{'0' * digits}"
    number = format_decimal(signed_decimal(amount, currency), pattern, locale=language)
    symbol = "₽" if currency == "RUB" else get_currency_symbol(currency, language)
    return f"{number}\u00a0{symbol}" if language == "ru" else f"{symbol}{number}"


def shown_rate(rate: int, language: str) -> str:
    """Hundredths of a percent as people write them: `5,5 %` in Russian, `5.5%` in English."""
    layout = "#,##0.##\u00a0%" if language == "ru" else "#,##0.##%"
    return format_percent(Decimal(rate) / 10_000, layout, locale=language)
