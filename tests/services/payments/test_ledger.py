"""The books balance whatever happens, to the kopeck; the database refuses what does not."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvor.services.payments import ledger
from dvor.services.payments.ledger import PLATFORM, Posting
from tests.services.payments.conftest import SIMULATED

SELLERS = [UUID(int=n) for n in range(1, 6)]
shares = st.dictionaries(st.sampled_from([*SELLERS, PLATFORM]), st.integers(1, 10**12), min_size=1)
basis_points = st.integers(0, 10_000)


def balance(postings: list[Posting]) -> int:
    return sum(posting.amount for posting in postings)


def sums(postings: list[Posting]) -> dict[tuple[str, UUID | None], int]:
    """Account and seller -> what stands there."""
    found: dict[tuple[str, UUID | None], int] = {}
    for p in postings:
        whose = p.seller_id if p.account in ("seller", "contested") else None
        found[p.account, whose] = found.get((p.account, whose), 0) + p.amount
    return {key: amount for key, amount in found.items() if amount}


class TestSplit:
    @given(shares, st.data())
    def test_is_exact_and_gives_nobody_more_than_their_part(
        self, weights: dict[UUID, int], data: st.DataObject
    ) -> None:
        amount = data.draw(st.integers(0, sum(weights.values())))
        parts = ledger.split(amount, weights)
        assert sum(parts.values()) == amount
        assert all(0 <= parts[seller] <= weight for seller, weight in weights.items())

    def test_the_kopeck_that_is_left_goes_to_the_largest_remainder(self) -> None:
        a, b, c = SELLERS[:3]
        assert ledger.split(100, {a: 1, b: 1, c: 1}) == {a: 34, b: 33, c: 33}
        assert ledger.split(10, {a: 1, b: 2}) == {a: 3, b: 7}

    @given(
        st.integers(0, 10**12), st.lists(st.tuples(st.sampled_from(SELLERS), st.integers(0, 10**6)))
    )
    def test_a_whole_payment_belongs_to_somebody(
        self, amount: int, asked: list[tuple[UUID, int]]
    ) -> None:
        parts = ledger.whole(amount, asked)
        assert sum(parts.values()) == amount
        assert PLATFORM not in parts or sum(part for _, part in asked) < amount


class TestAnySequence:
    """Whatever happens in whatever order: every transaction balances, and the end adds up."""

    @given(shares, basis_points, st.data())
    def test_balances(self, sold: dict[UUID, int], bp: int, data: st.DataObject) -> None:
        written = [ledger.captured(sold, bp)]
        left = dict(sold)
        contested: list[Posting] | None = None
        pending: list[tuple[int, list[Posting]]] = []
        taken_back = 0
        for _ in range(data.draw(st.integers(0, 8))):
            rest = sum(left.values())
            what = data.draw(st.sampled_from(["refund", "done", "fail", "dispute", "won", "lost"]))
            if what in ("refund", "dispute") and rest and not (what == "dispute" and contested):
                amount = data.draw(st.integers(1, rest))
                parts = ledger.split(amount, left)
                make = ledger.refund_asked if what == "refund" else ledger.disputed
                made = make(parts, left, bp)
                assert ledger.parts_of(made) == {s: p for s, p in parts.items() if p}
                left = {seller: part - parts[seller] for seller, part in left.items()}
                written.append(made)
                if what == "refund":
                    pending.append((amount, made))
                else:
                    contested = made
            elif what == "done" and pending:
                amount, _ = pending.pop()
                taken_back += amount
                written.append(ledger.refunded(amount))
            elif what == "fail" and pending and contested is None and len(pending) == 1:
                _, made = pending.pop()
                written.append(ledger.reversed_(made))
                for seller, part in ledger.parts_of(made).items():
                    left[seller] += part
            elif what == "lost" and contested is not None:
                parts = ledger.parts_of(contested)
                written.append(ledger.dispute_lost(parts))
                taken_back += sum(parts.values())
                contested = []
        for transaction in written:
            assert balance(transaction) == 0
            assert all(posting.amount for posting in transaction)
        found = sums([posting for transaction in written for posting in transaction])
        if not pending and not contested:
            assert found.get(("provider", None), 0) == sum(sold.values()) - taken_back

    @given(shares, basis_points)
    def test_a_refund_of_everything_leaves_nothing_anywhere(
        self, sold: dict[UUID, int], bp: int
    ) -> None:
        total = sum(sold.values())
        half = ledger.split(total // 2, sold)
        rest = {seller: part - half[seller] for seller, part in sold.items()}
        written = [
            *ledger.captured(sold, bp),
            *ledger.refund_asked(half, sold, bp),
            *ledger.refund_asked(rest, rest, bp),
            *ledger.refunded(total),
        ]
        assert sums(written) == {}

    @given(shares, basis_points)
    def test_a_dispute_that_is_won_leaves_no_trace(self, sold: dict[UUID, int], bp: int) -> None:
        opened = ledger.disputed(sold, sold, bp)
        assert sums([*opened, *ledger.reversed_(opened)]) == {}

    def test_ten_percent_of_a_sale_is_commission(self) -> None:
        seller = SELLERS[0]
        found = sums(ledger.captured({seller: 10_005, PLATFORM: 500}, 1000))
        assert found == {
            ("provider", None): 10_505,
            ("seller", seller): -9_004,
            ("commission", None): -1_501,
        }


@SIMULATED
class TestLastWalls:
    async def test_what_does_not_balance_is_refused_at_the_commit(self, scene: Any) -> None:
        with pytest.raises(Exception, match="does not balance"):
            await self._write_one_sided(scene.db)

    @staticmethod
    async def _write_one_sided(db: Any) -> None:
        async with db.tx() as tx:
            await tx.execute(
                "INSERT INTO ledger_transactions (id, what) VALUES ($1, 'x')", SELLERS[0]
            )
            await tx.execute(
                "INSERT INTO postings (transaction_id, position, account, currency, amount)"
                " VALUES ($1, 1, 'provider', 'RUB', 100), ($1, 2, 'refunds', 'USD', -100)",
                SELLERS[0],
            )

    @pytest.mark.parametrize("table", ["postings", "ledger_transactions", "payouts"])
    async def test_what_is_written_stays(self, scene: Any, table: str) -> None:
        for sql in (f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):
            with pytest.raises(Exception, match="only ever added to"):
                await scene.db.execute(sql)
