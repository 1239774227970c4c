"""The statement behind every list of listings, put together from what was asked for."""

from typing import Any, NamedTuple
from uuid import UUID

from dvor.contracts.catalog import Card, Kind, ListingStatus, Search, Sort
from dvor.kernel.db import Connection
from dvor.services.catalog import cursors
from dvor.services.catalog.queries import card

TOTAL_MAX = 1000
"""Counting stops here: nobody reads further, and the count stays cheap."""

OFFERS_MAX = 20
"""Offers that a card names."""

_QUERY = "websearch_to_tsquery('russian', {text})"
_LETTERS = str.maketrans("абвгдеёжзийклмнопрстуфхцчшщыэюя", "abvgdeejziyklmnoprstufhcqwxyeua", "ъь")

# Sort -> (expression, its type, direction). All end with the id, so that no two rows are equal.
_ORDERS: dict[Sort, tuple[str, str, str]] = {
    Sort.NEWEST: ("created_at", "timestamptz", "DESC"),
    Sort.CHEAPEST: ("price_from", "bigint", "ASC"),
    Sort.DEAREST: ("price_from", "bigint", "DESC"),
    Sort.SOONEST: ("soonest_at", "timestamptz", "ASC"),
    Sort.CLOSEST: ("ts_rank(words, {query})", "real", "DESC"),
}
_ROUGHLY_CLOSEST = "word_similarity({text}, letters)"


class Found(NamedTuple):
    """A page of cards, how many match in all (counted up to TOTAL_MAX), where to go on."""

    cards: tuple[Card, ...]
    total: int
    next_cursor: str | None


class _Arguments:
    """Values of a statement and the `$n` that stand for them."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def add(self, value: Any) -> str:
        self.values.append(value)
        return f"${len(self.values)}"


def effective_sort(search: Search) -> Sort:
    """Nothing is closest to no text."""
    return Sort.NEWEST if search.sort is Sort.CLOSEST and not search.text else search.sort


async def forgive_typos(db: Connection) -> None:
    """Until its transaction ends, this connection takes four in ten equal trigrams for a match.

    PostgreSQL's own measure, six in ten, misses a letter changed in the middle of a word.
    """
    await db.execute("SET LOCAL pg_trgm.word_similarity_threshold = 0.4")


async def find(
    db: Connection,
    search: Search,
    *,
    viewer: UUID | None,
    everything: bool,
    roughly: bool = False,
) -> Found:
    """Listings that match. `viewer` also sees their own unpublished ones, `everything` all.

    `roughly` compares titles by their letters instead of words, for texts with typos; call
    `forgive_typos` first. Raises InvalidFields for a cursor that is not of this list.
    """
    arguments = _Arguments()
    text = arguments.add(folded(search.text, letters=roughly)) if search.text else ""
    conditions = _visible(search, arguments, viewer, everything)
    conditions += _conditions(search, arguments, text, roughly)
    where = " AND ".join(conditions) or "true"
    sort = effective_sort(search)
    after = cursors.read(sort, search.cursor) if search.cursor else None
    expression, kind, direction = _ORDERS[sort]
    if sort is Sort.CLOSEST:
        expression = _ROUGHLY_CLOSEST if roughly else expression
        expression = expression.format(text=text, query=_QUERY.format(text=text))
    beyond = "true"
    if after is not None:
        sign = "<" if direction == "DESC" else ">"
        value, identifier = arguments.add(after.value), arguments.add(after.id)
        beyond = f"({expression}, id) {sign} ({value}::{kind}, {identifier}::uuid)"
    limit = arguments.add(search.limit + 1)
    rows = await db.fetch(
        f"""
        SELECT few.total, page.*, ARRAY(
            SELECT offers.id FROM offers WHERE offers.listing_id = page.id AND active
            ORDER BY position LIMIT {OFFERS_MAX}) AS offer_ids, page.kind = 'rental' AND (
            SELECT by_hour FROM offers WHERE offers.listing_id = page.id AND active
            ORDER BY price, position LIMIT 1) AS by_hour
        FROM (SELECT count(*) AS total
              FROM (SELECT FROM listings WHERE {where} LIMIT {TOTAL_MAX}) AS matching) AS few
        LEFT JOIN (
            SELECT id, seller_id, kind, status, category, title_ru, title_en, city, starts_at,
                   price_from, currency, {expression} AS place
            FROM listings WHERE {where} AND {beyond}
            ORDER BY place {direction}, id {direction} LIMIT {limit}
        ) AS page ON true
        ORDER BY place {direction}, id {direction}
        """,
        *arguments.values,
    )
    shown = [row for row in rows if row["id"] is not None][: search.limit]
    more = len(rows) > search.limit
    return Found(
        cards=tuple(card(row) for row in shown),
        total=rows[0]["total"],
        next_cursor=cursors.written(sort, shown[-1]["place"], shown[-1]["id"]) if more else None,
    )


def folded(text: str, *, letters: bool) -> str:
    """The text as the column it is compared with holds it: `letters`, else `words`."""
    lower = text.lower()
    return lower.translate(_LETTERS) if letters else lower.replace("ё", "е")


def _visible(
    search: Search, arguments: _Arguments, viewer: UUID | None, everything: bool
) -> list[str]:
    """Which listings this viewer is shown at all."""
    if search.status is ListingStatus.PUBLISHED:
        # Written out, no argument: only then the planner may use the partial indexes.
        found = ["status = 'published'"]
        if search.seller_id is None and search.kind in (None, Kind.EVENT):
            # The shop window. A seller's own list keeps events that are over.
            found.append("coalesce(ends_at, starts_at, 'infinity') > dvor_now()")
        return found
    found = [f"status = {arguments.add(search.status)}"] if search.status else []
    if not everything:
        own = f" OR seller_id = {arguments.add(viewer)}::uuid" if viewer else ""
        found.append(f"(status = 'published'{own})")
    return found


def _conditions(search: Search, arguments: _Arguments, text: str, roughly: bool) -> list[str]:
    """What was asked for."""
    found = []
    for sql, value in (
        ("seller_id = {}::uuid", search.seller_id),
        ("kind = {}", search.kind),
        (
            "category IN (SELECT slug FROM categories WHERE slug = {0} OR parent = {0})",
            search.category or None,
        ),
        ("lower(city) = lower({})", search.city or None),
        ("price_from >= {}", search.price_min),
        ("price_from <= {}", search.price_max),
    ):
        if value is not None:
            found.append(sql.format(arguments.add(value)))
    if text:
        words = f"words @@ {_QUERY.format(text=text)}"
        # The operator, not the function: it uses the index. Its threshold: `forgive_typos`.
        found.append(f"{text}::text <% letters" if roughly else words)
    return found
