"""Reading invoice lines: what becomes a product, and what is wrong with the rest."""

from decimal import Decimal
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dvor.importing.retail_file import COLUMNS, WrongFile, parse
from dvor.importing.retail_words import category_of, title_of
from dvor.kernel.caller import Caller, asking

SAMPLE = Path(str(files("dvor.importing") / "samples" / "online_retail_excerpt.csv"))
HEADER = ",".join(COLUMNS)
GOOD = "536365,85123A,WHITE METAL LANTERN,6,12/1/10 8:26,2.55,17850,United Kingdom"


@pytest.fixture
def read(tmp_path):
    """Parse a file of these lines below the header."""

    def parsed(*lines: str, header: str = HEADER, end: str = "\r\n", encoding: str = "utf-8"):
        path = tmp_path / "retail.csv"
        path.write_bytes(end.join((header, *lines, "")).encode(encoding))
        return parse(path)

    return parsed


def _row(**changes: str) -> str:
    values = dict(zip(COLUMNS, GOOD.split(","), strict=True)) | changes
    return ",".join(values[column] for column in COLUMNS)


class TestProducts:
    def test_one_for_each_stock_code_with_what_was_sold_as_stock(self, read) -> None:
        parsed = read(
            _row(Quantity="6"),
            _row(StockCode="71053", Description="CREAM CUPID HEARTS COAT HANGER"),
            _row(StockCode="85123a", Quantity="4"),
        )
        lantern, hanger = parsed.products
        assert (lantern.code, lantern.stock, lantern.price) == ("85123A", 10, 255)
        assert (lantern.external_id, lantern.line) == ("retail:85123A", 2)
        assert (lantern.title, lantern.category) == ("White metal lantern", "decor")
        assert (hanger.title, hanger.line) == ("Cream Cupid hearts coat hanger", 3)

    def test_the_price_is_the_latest_and_the_title_the_most_frequent(self, read) -> None:
        (product,) = read(
            _row(InvoiceDate="12/3/10 9:00", UnitPrice="3.1", Description="HAND WARMER RED"),
            _row(InvoiceDate="12/1/10 9:00", UnitPrice="2", Description="HAND WARMER BLUE"),
            _row(InvoiceDate="12/2/10 9:00", UnitPrice="9.99", Description="HAND WARMER RED"),
        ).products
        assert (product.price, product.title) == (310, "Hand warmer red")

    @pytest.mark.parametrize("price", ["0.29", "0.07", "1.1", "4.35", "8.2", "1009.99", ".5", "2."])
    def test_prices_are_exact(self, read, price) -> None:
        (product,) = read(_row(UnitPrice=price)).products
        assert product.price == Decimal(price) * 100

    def test_returns_are_counted_and_change_nothing(self, read) -> None:
        parsed = read(
            GOOD,
            _row(InvoiceNo="C536379", Quantity="-6"),
            _row(Quantity="-2", UnitPrice="0", Description=""),
        )
        assert (parsed.rows_sold, parsed.rows_returned, parsed.problems) == (1, 2, ())
        assert [product.stock for product in parsed.products] == [6]

    @pytest.mark.parametrize(
        "code", ["POST", "d", "M", "DOT", "BANK CHARGES", "C2", "gift_0001_20"]
    )
    def test_postage_fees_and_vouchers_are_no_goods(self, read, code) -> None:
        parsed = read(_row(StockCode=code, UnitPrice="0"))
        assert (parsed.rows_services, parsed.products, parsed.problems) == (1, (), ())

    def test_the_sample_is_read_whole(self) -> None:
        parsed = parse(SAMPLE)
        assert parsed.rows_total == 106
        assert (parsed.rows_sold, parsed.rows_returned, parsed.rows_services) == (93, 9, 3)
        assert [problem.what for problem in parsed.problems] == ["the description is empty"]
        assert {p.code: p.title for p in parsed.products}["22632"] == "Hand warmer red retrospot"
        assert all(product.draft() for product in parsed.products)


class TestProblems:
    @pytest.mark.parametrize(
        ("line", "what"),
        [
            (_row(Quantity="six"), "the quantity 'six' is not a whole number"),
            (_row(Quantity="1.5"), "the quantity '1.5' is not a whole number"),
            (_row(Quantity=""), "the quantity '' is not a whole number"),
            (_row(Quantity="0"), "the quantity is zero"),
            (_row(Quantity="9999999"), "the quantity 9999999 is too large"),
            (_row(UnitPrice="free"), "the price 'free' is not a number"),
            (_row(UnitPrice="1.2.3"), "the price '1.2.3' is not a number"),
            (_row(UnitPrice="nan"), "the price 'nan' is not a number"),
            (_row(UnitPrice="0"), "the price is not above zero"),
            (_row(UnitPrice="-1"), "the price is not above zero"),
            (_row(UnitPrice="0.001"), "the price 0.001 has parts of a penny"),
            (_row(UnitPrice="9999999"), "the price 9999999 is too high"),
            (_row(Description="  "), "the description is empty"),
            (_row(Description="A\x00B"), "it holds unreadable characters"),
            (_row(StockCode=""), "the stock code is missing"),
            (_row(StockCode="HELLO"), "the stock code HELLO is unknown"),
            (_row(InvoiceDate="tomorrow"), "the date 'tomorrow' is unknown"),
            (_row(InvoiceDate="2/30/10 8:26"), "the date '2/30/10 8:26' is unknown"),
            (_row(InvoiceDate="12/1/10 25:26"), "the date '12/1/10 25:26' is unknown"),
            (GOOD + ",more", "9 columns instead of 8"),
            ("536365,85123A", "2 columns instead of 8"),
            (_row(Description='"WHITE'), "a quotation mark is not closed"),
        ],
    )
    def test_a_row_that_cannot_be_used_is_named_and_the_rest_goes_on(
        self, read, line, what
    ) -> None:
        parsed = read(GOOD, "", line, GOOD)
        assert [(problem.line, problem.what) for problem in parsed.problems] == [(4, what)]
        assert parsed.rows_sold == 2
        assert parsed.rows_total == 3

    def test_they_are_told_in_the_callers_language(self, read) -> None:
        with asking(Caller(language="ru")):
            (problem,) = read(_row(Quantity="0")).problems
        assert problem.what == "количество равно нулю"

    @settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(st.one_of(st.just(GOOD), st.text(max_size=80)), max_size=8))
    def test_every_row_is_accounted_for_whatever_it_holds(self, read, lines) -> None:
        parsed = read(*lines, encoding="utf-8-sig") if _encodable(lines) else read()
        rows = parsed.rows_sold + parsed.rows_returned + parsed.rows_services
        assert rows + len(parsed.problems) == parsed.rows_total
        assert sum(product.stock for product in parsed.products) >= len(parsed.products)
        for product in parsed.products:
            product.draft()


def _encodable(lines: list[str]) -> bool:
    try:
        "".join(lines).encode()
    except UnicodeEncodeError:
        return False
    return True


class TestFiles:
    @pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
    def test_any_line_end_and_encoding_will_do(self, read, end, encoding) -> None:
        line = _row(Description="CAFÉ £1 MUG")
        (product,) = read(line, end=end, encoding=encoding).products
        assert product.title == "Café £1 mug"

    def test_columns_may_stand_in_another_order_and_beside_others(self, read) -> None:
        header = "Extra," + ",".join(reversed(COLUMNS))
        line = "x," + ",".join(reversed(GOOD.split(",")))
        assert read(line, header=header).products[0].code == "85123A"

    def test_dates_may_begin_with_the_day(self, read) -> None:
        day_first = [
            _row(InvoiceDate="13/12/2010 09:00", UnitPrice="1"),
            _row(InvoiceDate="02/01/2011 09:00", UnitPrice="2"),
            _row(InvoiceDate="01/12/2010 09:00", UnitPrice="3"),
        ]
        assert read(*day_first).products[0].price == 200

    def test_dates_may_be_written_as_iso_8601(self, read) -> None:
        lines = [
            _row(InvoiceDate="2011-02-01 09:00:00", UnitPrice="2"),
            _row(InvoiceDate="2010-12-31T23:59", UnitPrice="1"),
        ]
        assert read(*lines).products[0].price == 200

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            (b"", "it is empty"),
            (b"\r\n\r\n", "it is empty"),
            (b"hotel,is_canceled\r\n", "it has no column InvoiceNo, StockCode"),
            (b"InvoiceNo;StockCode;Description\r\n", "it has no column InvoiceNo"),
            (HEADER.replace(",UnitPrice", "").encode(), "it has no column UnitPrice"),
            (b"\x89PNG\r\n\x1a\n\x00\x00", "it has no column"),
            (HEADER.encode("utf-16"), "it has no column"),
        ],
    )
    def test_another_kind_of_file_is_one_clear_error(self, tmp_path, content, why) -> None:
        path = tmp_path / "other.csv"
        path.write_bytes(content)
        with pytest.raises(WrongFile) as wrong:
            parse(path)
        assert wrong.value.message.startswith(f"other.csv cannot be imported: {why}")

    def test_so_is_a_file_that_is_not_there(self, tmp_path) -> None:
        with pytest.raises(WrongFile):
            parse(tmp_path / "nothing.csv")
        with pytest.raises(WrongFile):
            parse(tmp_path)


class TestWords:
    @pytest.mark.parametrize(
        ("shouted", "title"),
        [
            ("WHITE HANGING HEART T-LIGHT HOLDER", "White hanging heart T-light holder"),
            ("SET/5 RED RETROSPOT LID GLASS BOWLS", "Set of 5 red retrospot lid glass bowls"),
            ("S/4 VALENTINE DECOUPAGE HEART BOX", "Set of 4 Valentine decoupage heart box"),
            ("ROUND SNACK BOXES SET OF4 WOODLAND ", "Round snack boxes set of 4 woodland"),
            ("AIRLINE LOUNGE,METAL SIGN", "Airline lounge, metal sign"),
            ("PINK  UNION JACK LUGGAGE TAG.", "Pink Union Jack luggage tag"),
            ("I'M ON HOLIDAY METAL SIGN", "I'm on holiday metal sign"),
            ("BAG 500g SWIRLY MARBLES", "Bag 500g swirly marbles"),
            ("3D CHRISTMAS STAMPS STICKERS", "3D Christmas stamps stickers"),
            ("Already written Well", "Already written Well"),
        ],
    )
    def test_titles_do_not_shout(self, shouted, title) -> None:
        assert title_of(shouted) == title

    @pytest.mark.parametrize(
        ("title", "category"),
        [
            ("Retrospot heart hot water bottle", "textiles"),
            ("Paper chain kit retrospot", "party"),
            ("Jumbo bag owls", "wear"),
            ("Vintage billboard drink me mug", "kitchen"),
            ("Blue paisley notebook", "stationery"),
            ("Feltcraft doll Molly", "toys"),
            ("White metal lantern", "decor"),
            ("Something else altogether", "home"),
        ],
    )
    def test_categories_are_guessed_by_words(self, title, category) -> None:
        assert category_of(title) == category
