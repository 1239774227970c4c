"""Rows of binary COPY: the database reads back exactly what was meant."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from dvor.contracts.inventory import HoldStatus
from dvor.kernel import ids
from dvor.services.inventory import hold_queries, hold_rows
from dvor.services.inventory.rules import StoredHold
from dvor.services.inventory.slots import Line
from tests.services.inventory.conftest import Scene

INTEGERS = st.integers(0, 2**31 - 1)
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)).map(
    lambda naive: naive.replace(tzinfo=UTC)
)
NAMES = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20)


@st.composite
def lines(draw: st.DrawFn) -> Line:
    """Claims of goods, days, hours and seats."""
    number = st.tuples(INTEGERS, INTEGERS, INTEGERS, INTEGERS)
    hours = draw(st.none() | st.tuples(MOMENTS, MOMENTS))
    seats = draw(st.none() | st.lists(st.tuples(INTEGERS, NAMES), max_size=4))
    return Line(
        draw(st.uuids()),
        *draw(number),
        *(hours or (None, None)),
        *((tuple(s for s, _ in seats), tuple(n for _, n in seats)) if seats else (None, None)),
    )


HOLDS = st.lists(
    st.builds(
        StoredHold,
        id=st.builds(ids.new),
        status=st.sampled_from(HoldStatus),
        made_at=MOMENTS,
        expires_at=MOMENTS,
        customer_id=st.none() | st.uuids(),
        limited=st.booleans(),
        claims=st.lists(lines(), max_size=3).map(tuple),
    ),
    max_size=5,
)


class _Undone(Exception):
    """Nothing is to stay."""


async def copied(scene: Scene, holds: Sequence[StoredHold]) -> dict[UUID, StoredHold]:
    """Write holds and read them back; nothing stays."""
    read: dict[UUID, StoredHold] = {}
    try:
        async with scene.db.tx() as tx:
            rows = hold_rows.copied(holds, await hold_queries.claim_type(tx))
            await tx.copy("holds", hold_rows.COLUMNS, rows)
            _, read = await hold_queries.lock_holds(tx, [hold.id for hold in holds])
            raise _Undone
    except _Undone:
        return read


class TestCopied:
    async def test_reads_back_as_it_was(self, scene: Scene) -> None:
        made = datetime.now(UTC)
        plain = Line(ids.new(), 0, 1)
        for claims in ((), (plain,), (plain, Line(ids.new(), 20_000, 20_003, 1, 2))):
            for customer in (None, ids.new()):
                end = made + timedelta(minutes=15)
                hold = StoredHold(ids.new(), HoldStatus.HELD, made, end, customer, False, claims)
                assert await copied(scene, [hold]) == {hold.id: hold}

    async def test_whatever_it_is(self, scene: Scene) -> None:
        examples: list[list[StoredHold]] = []

        @settings(max_examples=150, database=None)
        @given(HOLDS)
        def draw(holds: list[StoredHold]) -> None:
            examples.append(holds)

        draw()
        for holds in examples:
            found = await copied(scene, holds)
            assert found == {hold.id: hold._replace(claims=read(hold.claims)) for hold in holds}


def read(claims: Sequence[Line]) -> tuple[Line, ...]:
    """As they come back: arrays are lists."""
    return tuple(
        line._replace(seat_slots=list(line.seat_slots), seat_names=list(line.seat_names or ()))
        if line.seat_slots
        else line
        for line in claims
    )
