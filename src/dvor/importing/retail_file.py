"""Invoice lines of an online shop, turned into products with stock.

Reads the CSV of the "Online Retail" data set (UCI): InvoiceNo, StockCode, Description, Quantity,
InvoiceDate, UnitPrice, CustomerID, Country. The rules:

- One product for each StockCode. Postage, discounts, fees and the like are no goods.
- Title: the most frequent description, in ordinary letters. Price: the one of the latest invoice,
  in pence. Category: guessed from the words, once, when the product is made.
- Stock: an invoice list does not say what lay in the warehouse. What the shop sold it evidently
  had, so stock is the sum of the quantities sold. Returns (invoices `C…`, negative quantities)
  are counted and change nothing: goods that came back may be broken.
- A row that cannot be used is a problem with its line number and never stops the rest.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from dvor.contracts.catalog import Kind, ListingDraft, OfferDraft, Text
from dvor.importing.retail_words import category_of, title_of
from dvor.kernel.errors import Invalid
from dvor.kernel.texts import gettext

CURRENCY = "GBP"
COLUMNS = (
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
)
PRICE_MAX_PENCE = 10_000_000
QUANTITY_MAX = 1_000_000
CODE_MAX_CHARACTERS = 40
FILE_MAX_BYTES = 200_000_000

# Postage, discount, manual entry, bad debt, samples, carriage, a charity's share, corrections.
_SERVICES = frozenset(
    [
        *("POST", "DOT", "D", "M", "B", "S", "C2", "CRUK", "PADS"),
        *("ADJUST", "ADJUST2", "AMAZONFEE", "TEST001", "TEST002"),
    ]
)
_GOODS = re.compile(r"(?=.*\d)[0-9A-Z_-]+\Z")
_GIFT_VOUCHER = re.compile(r"(GIFT|DCGS)[0-9_]+\Z")
_DATE = re.compile(r"(\d{1,4})[/.-](\d{1,2})[/.-](\d{1,4})[ T](\d{1,2}):(\d{2})(?::(\d{2}))?\Z")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class WrongFile(Invalid):
    """{file} cannot be imported: {why}"""

    file: str
    why: str


@dataclass(frozen=True)
class Problem:
    """A row, or a product, that was left out."""

    line: int
    """Line of the file, the header being line 1."""
    what: str
    """In the caller's language."""


@dataclass(frozen=True)
class Product:
    """A product with stock, made of all rows of one stock code."""

    code: str
    title: str
    price: int
    """Pence."""
    stock: int
    category: str
    line: int
    """Its first line in the file."""

    @property
    def external_id(self) -> str:
        """The seller's own number for it in the catalogue."""
        return f"retail:{self.code}"

    def draft(self) -> ListingDraft:
        """As a new listing."""
        return ListingDraft(
            kind=Kind.PRODUCT,
            category=self.category,
            title=Text(en=self.title),
            currency=CURRENCY,
            attributes={"Stock code": self.code},
            offers=(OfferDraft(price=self.price),),
            external_id=self.external_id,
        )


@dataclass(frozen=True)
class Parsed:
    """What a file holds. Every row is sold, returned, no goods, or a problem."""

    products: tuple[Product, ...]
    problems: tuple[Problem, ...]
    rows_total: int
    rows_sold: int
    rows_returned: int
    rows_services: int
    """Postage, discounts, fees."""


@dataclass(frozen=True)
class _Sale:
    line: int
    code: str
    description: str
    quantity: int
    price: int
    moment: datetime


@dataclass
class _Rows:
    sales: list[_Sale] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    total: int = 0
    returned: int = 0
    services: int = 0


class _BadRow(Exception):
    """Why a row cannot be used."""


def parse(path: Path) -> Parsed:
    """Read a file. Raises WrongFile where it is not one of these files at all."""
    lines = _lines(path)
    first = next(lines, None)
    if first is None:
        raise WrongFile(file=path.name, why=gettext("it is empty"))
    places, width = _header(path, first[1])
    found = list(lines)
    day_first = _day_first(found, places)
    rows = _Rows()
    for number, line in found:
        rows.total += 1
        try:
            _take(rows, number, _cells(line, width, places), day_first)
        except _BadRow as problem:
            rows.problems.append(Problem(line=number, what=str(problem)))
    return Parsed(
        products=tuple(_products(rows.sales)),
        problems=tuple(rows.problems),
        rows_total=rows.total,
        rows_sold=len(rows.sales),
        rows_returned=rows.returned,
        rows_services=rows.services,
    )


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, each with its number."""
    try:
        if path.stat().st_size > FILE_MAX_BYTES:
            raise WrongFile(file=path.name, why=gettext("it is larger than 200 MB"))
        content = path.read_bytes()
    except OSError as problem:
        raise WrongFile(file=path.name, why=problem.strerror or str(problem)) from problem
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    # Not str.splitlines: it also splits at characters that latin-1 texts may hold.
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text), start=1):
        if line.strip():
            yield number, line


def _header(path: Path, line: str) -> tuple[dict[str, int], int]:
    """Where each column stands, and how many columns there are."""
    names = [name.strip().strip('"') for name in line.split(",")]
    missing = [column for column in COLUMNS if column not in names]
    if missing:
        why = gettext("it has no column {columns}", columns=", ".join(missing))
        raise WrongFile(file=path.name, why=why)
    return {column: names.index(column) for column in COLUMNS}, len(names)


def _cells(line: str, width: int, places: Mapping[str, int]) -> dict[str, str]:
    # Line by line: a quotation mark left open spoils one row, not the rest of the file.
    try:
        cells = next(csv.reader([line], strict=True))
    except csv.Error as problem:
        raise _BadRow(gettext("a quotation mark is not closed")) from problem
    if len(cells) != width:
        raise _BadRow(
            gettext(
                "{found} columns instead of {expected}",
                found=len(cells),
                expected=width,
            )
        )
    if _CONTROL.search(line):
        raise _BadRow(gettext("it holds unreadable characters"))
    return {column: " ".join(cells[place].split()) for column, place in places.items()}


def _take(rows: _Rows, line: int, row: Mapping[str, str], day_first: bool) -> None:
    code = row["StockCode"].upper()
    if not code:
        raise _BadRow(gettext("the stock code is missing"))
    quantity = _quantity(row["Quantity"])
    if is_service(code):
        rows.services += 1
        return
    if not _GOODS.match(code) or len(code) > CODE_MAX_CHARACTERS:
        raise _BadRow(gettext("the stock code {code} is unknown", code=code[:CODE_MAX_CHARACTERS]))
    if quantity < 0 or row["InvoiceNo"].upper().startswith("C"):
        rows.returned += 1
        return
    if quantity == 0:
        raise _BadRow(gettext("the quantity is zero"))
    if not row["Description"]:
        raise _BadRow(gettext("the description is empty"))
    price = _pence(row["UnitPrice"])
    moment = _moment(row["InvoiceDate"], day_first)
    rows.sales.append(_Sale(line, code, row["Description"], quantity, price, moment))


def is_service(code: str) -> bool:
    """Whether a stock code names postage, a discount, a fee or a voucher instead of goods."""
    return code in _SERVICES or code.startswith("BANK CHARGES") or bool(_GIFT_VOUCHER.match(code))


def _quantity(text: str) -> int:
    if not re.fullmatch(r"[+-]?\d{1,10}", text, re.ASCII):
        raise _BadRow(gettext("the quantity {value} is not a whole number", value=repr(text[:20])))
    quantity = int(text)
    if abs(quantity) > QUANTITY_MAX:
        raise _BadRow(gettext("the quantity {value} is too large", value=text))
    return quantity


def _pence(text: str) -> int:
    try:
        pence = Decimal(text).scaleb(2) if re.fullmatch(r"[-+]?[\d.]{1,20}", text) else None
    except InvalidOperation:
        pence = None
    if pence is None:
        raise _BadRow(gettext("the price {value} is not a number", value=repr(text[:20])))
    if pence <= 0:
        raise _BadRow(gettext("the price is not above zero"))
    if pence != int(pence):
        raise _BadRow(gettext("the price {value} has parts of a penny", value=text))
    if pence > PRICE_MAX_PENCE:
        raise _BadRow(gettext("the price {value} is too high", value=text))
    return int(pence)


def _day_first(found: Sequence[tuple[int, str]], places: Mapping[str, int]) -> bool:
    """Whether `1/12/10` is the first of December: what most telling dates of the file say.

    The published file writes 12/1/10 for it; without a telling date this is assumed.
    """
    votes: Counter[bool] = Counter()
    for _, line in found:
        for match in re.finditer(r"(?<![\d/])(\d{1,2})/(\d{1,2})/\d{2,4}(?!\d)", line):
            first, second = int(match[1]), int(match[2])
            if (first > 12) != (second > 12):
                votes[first > 12] += 1
    return votes[True] > votes[False]


def _moment(text: str, day_first: bool) -> datetime:
    """When it was sold. The file names no time zone; moments are only compared."""
    match = _DATE.match(text)
    if match is None:
        raise _BadRow(gettext("the date {value} is unknown", value=repr(text[:30])))
    one, two, three, hour, minute, second = (int(part or 0) for part in match.groups())
    if len(match[1]) == 4:
        year, month, day = one, two, three
    else:
        month, day = (two, one) if day_first else (one, two)
        year = three if len(match[3]) == 4 else 2000 + three
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as problem:
        raise _BadRow(gettext("the date {value} is unknown", value=repr(text[:30]))) from problem


def _products(sales: Sequence[_Sale]) -> Iterator[Product]:
    """One product for each stock code, in the order in which they first appear."""
    by_code: dict[str, list[_Sale]] = {}
    for sale in sales:
        by_code.setdefault(sale.code, []).append(sale)
    for code, own in by_code.items():
        descriptions = Counter(sale.description for sale in own)
        latest = max(own, key=lambda sale: (sale.moment, sale.line))
        title = title_of(descriptions.most_common(1)[0][0])
        yield Product(
            code=code,
            title=title,
            price=latest.price,
            stock=sum(sale.quantity for sale in own),
            category=category_of(title),
            line=own[0].line,
        )
