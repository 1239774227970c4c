"""What people type, read exactly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvor.kernel.caller import Caller, asking
from dvor.kernel.money import Money
from dvor.web.forms import Form, clean, local_path, minor, typed_amount


class TestAmounts:
    @pytest.mark.parametrize(
        ("text", "language", "kopecks"),
        [
            ("1234,50", "ru", 123450),
            ("1 234,5", "ru", 123450),
            ("1\u00a0234\u202f567,89 ₽", "ru", 123456789),
            ("1234.50", "ru", 123450),
            ("1.234,50", "ru", 123450),
            ("1,234.50", "en", 123450),
            ("1234.5", "en", 123450),
            ("$12", "en", 1200),
            ("0", "en", 0),
            ("0,01", "ru", 1),
        ],
    )
    def test_reads_what_people_write(self, text: str, language: str, kopecks: int):
        assert minor(text, "RUB", language) == kopecks

    @pytest.mark.parametrize(
        ("text", "language"),
        [
            ("", "ru"), ("-5", "ru"), ("5,", "ru"), (",5", "ru"), ("1,234", "ru"), ("1e3", "en"),
            ("1,50", "en"), ("1,23,456", "en"), ("0.001", "en"), ("١٢", "en"), ("NaN", "en"),
            ("1 2 3 x", "ru"), ("9" * 30, "en"), ("12.345.6", "ru"),
        ],
    )  # fmt: skip
    def test_refuses_what_is_none_and_never_rounds(self, text: str, language: str):
        assert minor(text, "RUB", language) is None

    @given(st.integers(0, 10**15), st.sampled_from(["ru", "en"]), st.sampled_from(["RUB", "JPY"]))
    def test_reads_back_what_it_shows(self, amount: int, language: str, currency: str):
        text = typed_amount(Money(amount=amount, currency=currency), language)
        assert minor(text, currency, language) == amount


class TestFields:
    def test_the_first_mistake_of_a_field_stays(self):
        form = Form({"n": "x"})
        form.whole("n", 0, 5)
        form.refuse("n", "another")
        assert form.errors == {"n": "A whole number from 0 to 5."}

    def test_a_date_is_typed_in_two_ways(self):
        form = Form({"a": "2027-06-01", "b": "01.06.2027", "c": "June"})
        assert form.day("a") == form.day("b")
        assert form.day("c") is None and "c" in form.errors

    def test_speaks_the_persons_language(self):
        form = Form({"price": "x"})
        with asking(Caller(language="ru")):
            form.amount("price", "RUB")
        assert form.errors["price"] == "Цена пишется так: 1234,50."

    def test_what_no_database_stores_is_left_out(self):
        assert clean("a\x00b\r\nc") == "ab\nc"


class TestLocalPath:
    @pytest.mark.parametrize("path", ["/", "/orders?status=paid#x", "/a/b"])
    def test_keeps_paths_of_ours(self, path: str):
        assert local_path(path, "/else") == path

    @pytest.mark.parametrize(
        "path",
        [
            "",
            "//evil",
            "/\\evil",
            "https://evil",
            "orders",
            "/a\\b",
            "/a b",
            "/\t/evil",
            "/\n//evil",
        ],
    )
    def test_leads_nowhere_else(self, path: str):
        assert local_path(path, "/else") == "/else"
