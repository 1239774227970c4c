"""Money: exact, and written as people write it."""

import pytest

from dvor.kernel.money import Money, decimal, shown


class TestShown:
    @pytest.mark.parametrize(
        ("amount", "currency", "language", "text"),
        [
            (1_234_560, "RUB", "ru", "12 345,60 ₽"),
            (1_234_560, "RUB", "en", "₽12,345.60"),
            (1_200_000, "RUB", "ru", "12 000 ₽"),
            (0, "RUB", "en", "₽0"),
            (5, "EUR", "en", "€0.05"),
            (255, "GBP", "ru", "2,55 £"),
            (1500, "JPY", "en", "¥1,500"),
            (1500, "KWD", "en", "KWD1.500"),
        ],
    )
    def test_as_people_write_it(self, amount: int, currency: str, language: str, text: str) -> None:
        written = shown(Money(amount=amount, currency=currency), language)
        assert written.replace("\u00a0", " ") == text
        assert " " not in written


class TestDecimal:
    def test_is_exact(self) -> None:
        assert str(decimal(Money(amount=10**15 - 1, currency="RUB"))) == "9999999999999.99"
