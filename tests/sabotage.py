"""Dvor with one guard taken away. A test that stays green with its guard off proves nothing.

Each sabotage here is one planted bug, with the number it has in lists of such bugs and the tests
that must catch it. It is planted where it should be noticed:

- in tests: `DVOR_SABOTAGE=name python -m pytest -p tests.guards_off …`
- in a process: `python -m tests.sabotage name serve …`
- all, one after the other: `./dvor test sabotage` (tests/score.py)
"""

import asyncio
import random
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from dvor.kernel import db, migrations
from dvor.kernel.config import Settings
from dvor.kernel.db import raw_connection

INVENTORY = "tests/services/inventory"


@dataclass(frozen=True)
class Sabotage:
    """A planted bug."""

    number: str
    says: str
    caught_by: tuple[str, ...]
    """Ids of tests of which at least one must fail."""
    plant: Callable[[], None]


SABOTAGES: dict[str, Sabotage] = {}
_unguarded: list[tuple[str, str]] = []
"""(service, SQL): what migrated databases lose."""


def planted(number: str, *caught_by: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Lists a sabotage; the first sentence of its docstring says what it breaks."""

    def lists(plant: Callable[[], None]) -> Callable[[], None]:
        says = (plant.__doc__ or "").partition(".")[0]
        SABOTAGES[plant.__name__] = Sabotage(number, says, caught_by, plant)
        return plant

    return lists


def break_(owner: Any, name: str, wrong: Any) -> None:
    """Put something wrong in the place of something that must be there."""
    assert hasattr(owner, name), f"{owner}.{name} is gone: this sabotage breaks nothing any more"
    setattr(owner, name, wrong)


def break_sql(pattern: str, run: Callable[..., Awaitable[Any]]) -> None:
    """Have `run(execute, sql, args)` run the queries of transactions that match a pattern."""
    fetch = db.Tx.fetch

    async def wrong(self: db.Tx, sql: str, *args: Any) -> Any:
        if re.search(pattern, sql):
            return await run(lambda sql, *args: fetch(self, sql, *args), sql, args)
        return await fetch(self, sql, *args)

    break_(db.Tx, "fetch", wrong)


def without_check() -> None:
    """The last wall, the CHECK on cells, hides what stands before it."""
    _unguarded.append(("inventory", "ALTER TABLE cells DROP CONSTRAINT cells_within_capacity"))


def judge_by_rules() -> None:
    """New holds are judged by `rules.judge` like others, not on the spot for speed."""
    from dvor.services.inventory.allocation import Take

    def decide(take: Any, books: Any) -> Any:
        return take._again(books, books.holds.get(take.hold_id), books.demand(take))

    break_(Take, "decide", decide)


LOCK = r"FOR UPDATE OF cells"
LOOK_SECONDS = 0.02
"""How long a careless reader thinks before it writes."""


async def _unlocked(execute: Callable[..., Awaitable[Any]], sql: str, args: Any) -> Any:
    rows = await execute(sql.replace(LOCK, ""), *args)
    await asyncio.sleep(LOOK_SECONDS)
    return rows


@planted("B1", f"{INVENTORY}/test_histories.py::TestHistories::test_they_are_linearizable")
def small_carts_without_lock() -> None:
    """Carts that need one cell only do not lock it."""

    async def run(execute: Callable[..., Awaitable[Any]], sql: str, args: Any) -> Any:
        small = len(args[-1]) == 1
        return await (_unlocked(execute, sql, args) if small else execute(sql, *args))

    without_check()
    break_sql(LOCK, run)


@planted("B2", f"{INVENTORY}/test_histories.py::TestHistories::test_they_are_linearizable")
def read_then_write() -> None:
    """Stock is read, judged and written without any lock. The checker of histories sees it."""
    without_check()
    break_sql(LOCK, _unlocked)


@planted("B3", f"{INVENTORY}/test_crowds.py::TestCarts")
def each_line_alone() -> None:
    """Two lines of one cart on the same thing are judged one by one."""
    from dvor.services.inventory import rules, slots

    judge = rules.judge

    def wrong(_needed: Any, own: Any, cells: Any, lines: Any, offers: Any) -> None:
        for line in lines:
            judge(slots.demand((line,)), own, cells, (line,), offers)

    without_check()
    judge_by_rules()
    break_(rules, "judge", wrong)


@planted("B4", f"{INVENTORY}/test_histories.py::TestHistories::test_they_are_linearizable")
def read_before_lock() -> None:
    """What is judged was read before the lock was had."""

    async def run(execute: Callable[..., Awaitable[Any]], sql: str, args: Any) -> Any:
        rows = await _unlocked(execute, sql, args)
        await execute(sql, *args)
        return rows

    without_check()
    break_sql(LOCK, run)


@planted(
    "B5",
    f"{INVENTORY}/test_races.py::TestMixedTraffic::test_no_deadlock_and_the_counters_agree_with_the_claims",
)
def unjudged_holds() -> None:
    """Holds are granted without looking at what is left, and no CHECK stands behind.

    Only the audit after the test sees it. Also caught by
    journeys/test_race.py::TestTwoHundredBuyers.
    """
    from dvor.services.inventory import rules

    without_check()
    judge_by_rules()
    break_(rules, "judge", lambda *_: None)


@planted(
    "B6", f"{INVENTORY}/test_service.py::TestHold::test_a_guest_arrives_on_the_day_another_leaves"
)
def closed_ranges() -> None:
    """A stay takes the night after its last one, too."""
    from dvor.services.inventory import slots

    taken = slots.Line.slots

    def wrong(line: slots.Line) -> Any:
        timeless = line.first_slot == slots.TIMELESS_SLOT
        return taken(line if timeless else line._replace(end_slot=line.end_slot + 1))

    break_(slots.Line, "slots", wrong)


@planted("B7", f"{INVENTORY}/test_crowds.py::TestAbandoned")
def ended_holds_count() -> None:
    """What is released, cancelled or expired still takes its units."""
    from dvor.services.inventory.allocation import Books

    break_(Books, "end", lambda books, hold, status: books.write(hold._replace(status=status)))


@planted("B8", f"{INVENTORY}/test_deadlocks.py::TestMarket")
def unsorted_locks() -> None:
    """Cells are locked in any order: two carts wait for each other."""

    async def run(execute: Callable[..., Awaitable[Any]], sql: str, args: Any) -> Any:
        keys = list(zip(args[-2], args[-1], strict=True))
        for key in random.sample(keys, len(keys)):
            one = "SELECT 1 FROM cells WHERE offer_id = $1 AND slot = $2 FOR UPDATE"
            await execute(one, *key)
        return await execute(sql, *args)

    break_sql(LOCK, run)


@planted(
    "B9",
    "tests/services/orders/test_orders.py::TestExpiry::test_what_was_paid_at_the_last_moment_is_settled",
)
def expiry_ignores_payments() -> None:
    """When time is up the order is cancelled, whatever the bank has said meanwhile."""
    from dvor.services.orders import saga_queries, steps

    look = steps.Steps._look

    async def wrong(self: steps.Steps, order: Any) -> Any:
        if not order["over"]:
            return await look(self, order)
        async with self.db.tx() as tx:
            return await saga_queries.begin(tx, order, "cancel", "unpaid")

    break_(steps.Steps, "_look", wrong)


APPROVAL = "tests/services/orders/test_approval.py"


@planted(
    "B26", f"{APPROVAL}::TestAsking::test_money_is_set_aside_and_everything_held_until_the_answer"
)
def sellers_are_not_asked() -> None:
    """What sellers want to be asked about is booked and charged as soon as the bank says yes."""
    from dvor.services.orders import saga_queries, steps

    async def wrong(self: steps.Steps, tx: Any, order: Any) -> Any:
        await tx.execute("UPDATE orders SET approval = 'given' WHERE id = $1", order["id"])
        return await saga_queries.begin(tx, order, "settle", noting=("payment_authorised",))

    break_(steps.Steps, "begin_settling", wrong)


@planted("B27", f"{APPROVAL}::TestRaces::test_cancelled_by_the_customer_then_accepted")
def answers_always_count() -> None:
    """A seller's yes counts whatever has become of the request meanwhile."""
    from dvor.services.orders import rules

    break_(rules, "answerable", lambda *_args, **_more: True)


@planted("B28", f"{APPROVAL}::TestAnswer::test_all_who_are_asked_have_to_say_yes")
def one_yes_is_enough() -> None:
    """The first of several sellers decides for all."""
    from dvor.services.orders import queries

    async def wrong(_tx: Any, _order_id: Any) -> bool:
        return True

    break_(queries, "all_approved", wrong)


DEPOSITS = "tests/services/payments/test_deposits.py"


@planted(
    "B29",
    "tests/services/orders/test_deposits.py::TestPaying"
    "::test_a_declined_deposit_means_that_nothing_is_booked_or_charged",
)
def deposits_are_not_asked_for() -> None:
    """What has a deposit is booked and charged as soon as the bank says yes to the price."""
    from dvor.services.orders import saga_queries, steps

    async def wrong(self: steps.Steps, tx: Any, order: Any) -> Any:
        await tx.execute("UPDATE orders SET deposit = 'secured' WHERE id = $1", order["id"])
        return await saga_queries.begin(tx, order, "settle", noting=("payment_authorised",))

    break_(steps.Steps, "begin_settling", wrong)


@planted("B30", f"{DEPOSITS}::TestRelease")
def deposits_are_kept_for_ever() -> None:
    """Nobody lets a deposit go when the time to claim it is over."""
    from dvor.services.payments import rules

    real = rules.deposit_step

    def wrong(*args: Any) -> str | None:
        step = real(*args)
        return None if step == "release" else step

    break_(rules, "deposit_step", wrong)


@planted("B31", f"{DEPOSITS}::TestClaim")
def deposits_are_claimed_at_any_time() -> None:
    """A seller may keep a deposit before the end and after its time."""
    from dvor.services.payments import deposit_queries

    async def wrong(db: Any, *args: Any) -> bool:
        sql = (
            "UPDATE deposits SET status = 'claimed', claimed = $2, reason = $3, evidence = $4,"
            " due_at = dvor_now() WHERE id = $1 AND status = 'held' AND $2 <= amount - released"
        )
        return bool(await db.execute(sql, *args))

    break_(deposit_queries, "claim", wrong)


@planted("B32", f"{DEPOSITS}::TestRenewal")
def deposits_are_let_go_first() -> None:
    """The bank lets a deposit go before it has said yes to the next one."""
    from dvor.services.payments import rules

    real = rules.deposit_step

    def wrong(row: Any, *args: Any) -> str | None:
        step = real(row, *args)
        return "rest" if step == "ask" and row["status"] == "held" else step

    break_(rules, "deposit_step", wrong)


@planted("B33", f"{DEPOSITS}::TestClaim::test_only_its_seller_and_admins")
def anybody_claims_deposits() -> None:
    """Whoever knows a deposit decides about it."""
    from dvor.services.payments import rules

    break_(rules, "may_claim", lambda *_args: True)


@planted("B34", f"{DEPOSITS}::TestRelease")
def deposits_outlive_their_orders() -> None:
    """What an order does not need any more stays set aside."""
    from dvor.services.payments import deposit_queries, deposits

    async def wrong(self: deposits.Deposits, payment_id: Any, _needed: Any) -> Any:
        return await deposit_queries.of_payment(self.db, payment_id)

    break_(deposits.Deposits, "release", wrong)


SIMULATION = "tests/simulation"
POINTS = f"{SIMULATION}/test_named_points.py::TestEveryPoint::test_is_survived[bought]"
BROKERS = "tests/kernel/test_brokers.py::TestRelay"


@planted("B10", POINTS)
def acknowledged_before_commit() -> None:
    """Events are acknowledged when they are taken, not when their effect is committed."""
    from contextlib import asynccontextmanager

    from dvor.kernel import brokers

    batch = brokers.LocalBroker.batch

    @asynccontextmanager
    async def wrong(self: brokers.LocalBroker, group: str, source: str) -> AsyncIterator[Any]:
        async with batch(self, group, source) as taken:
            found = list(taken)
        yield found

    break_(brokers.LocalBroker, "batch", wrong)


@planted("B11", POINTS)
def marked_before_published() -> None:
    """An event counts as sent before the broker has it: nobody keeps it if we die in between."""
    from dvor.kernel import outbox

    taken = outbox._UNSENT.partition("WHERE")[0].partition("SELECT")[2].replace("FROM outbox", "")
    wrong = (
        "WITH marked AS (UPDATE outbox SET sent_at = dvor_now() WHERE id IN (SELECT id FROM outbox"
        f" WHERE sent_at IS NULL ORDER BY id LIMIT $1) RETURNING {taken})"
        " SELECT * FROM marked ORDER BY id"
    )
    break_(outbox, "_UNSENT", wrong)


@planted("B12", f"{BROKERS}::test_who_commits_late_is_heard_too")
def watermark() -> None:
    """The relay goes on after the last event it sent: whoever commits late is never heard."""
    from dvor.kernel import outbox

    wrong = "id > (SELECT coalesce(max(id), 0) FROM outbox WHERE sent_at IS NOT NULL)"
    break_(outbox, "_UNSENT", outbox._UNSENT.replace("sent_at IS NULL", wrong))


@planted("B13", f"{BROKERS}::test_only_the_holder_of_the_lease_publishes")
def many_relays() -> None:
    """Every process publishes, not only the one with the lease."""
    from dvor.kernel import tasks

    async def wrong(*_: Any) -> int:
        return 1

    break_(tasks, "lease", wrong)


@planted("B14", POINTS)
def inbox_beside_the_effect() -> None:
    """That an event was seen is written before its effect, in a transaction of its own."""
    from dvor.kernel import inbox

    async def wrong(self: inbox.Consumer, envelopes: Any) -> None:
        async with self._db.tx() as tx:
            taken = await tx.fetch(
                inbox._TAKE_IN,
                [e.message_id for e in envelopes],
                [e.aggregate for e in envelopes],
                [e.version for e in envelopes],
                [e.type for e in envelopes],
            )
        fresh = {row["message_id"] for row in taken}
        async with self._db.tx(f"{self._db.service}.inbox") as tx:
            for envelope in envelopes:
                if envelope.message_id in fresh:
                    await self._handle(tx, envelope)

    break_(inbox.Consumer, "_apply_together", wrong)


@planted(
    "B15",
    "tests/services/orders/test_saga.py::TestOwners::test_what_a_late_owner_writes_changes_nothing",
)
def no_epochs() -> None:
    """An owner that lost its lease writes all the same."""
    for owner in (db.Tx, db.Database):
        for name in ("execute", "fetchrow"):
            _without_epoch(owner, name)


def _without_epoch(owner: Any, name: str) -> None:
    real = getattr(owner, name)

    async def wrong(self: Any, sql: str, *args: Any) -> Any:
        return await real(self, sql.replace("epoch = $2", "$2::bigint IS NOT NULL"), *args)

    break_(owner, name, wrong)


@planted(
    "B16", "tests/services/orders/test_saga.py::TestTroubles::test_a_bug_is_told_and_tried_again"
)
def swallowed_failures() -> None:
    """A step that failed is quietly left to itself for a day."""
    from datetime import timedelta

    from dvor.services.orders import saga, saga_queries

    async def wrong(self: saga.Saga, order: Any, _action: str, _problem: Exception) -> None:
        await saga_queries.put_off(self.db, order, timedelta(days=1))

    break_(saga.Saga, "_put_off", wrong)


@planted(
    "B17",
    "tests/kernel/test_http.py::TestIdempotencyKeys::test_the_key_of_one_is_no_key_of_another",
)
def keys_of_everybody() -> None:
    """An idempotency key is anybody's: who guesses it is given a stranger's answer."""
    from dvor.kernel.http import routing

    break_(routing, "_principal", lambda _request: "everybody")


@planted(
    "B18",
    "tests/services/orders/test_lost_replies.py::TestLostReplies::test_the_retry_finds_what_was_done_once",
)
def answered_before_done() -> None:
    """The answer of a key is stored when it is claimed, before anything is done."""
    from dvor.kernel import idempotency

    claim = idempotency.Keys.claim

    async def wrong(self: idempotency.Keys, asked: idempotency.Asked) -> Any:
        won = await claim(self, asked)
        if isinstance(won, idempotency.Claim):
            await self.store(won, idempotency.Answer(200, {}, b"{}"))
        return won

    break_(idempotency.Keys, "claim", wrong)


@planted("B19", f"{SIMULATION}/test_messages.py::TestTooEarlyOrNever")
def unknown_webhooks_are_thanked_for() -> None:
    """A webhook of something unknown is answered with yes, and never comes again."""
    from contextlib import suppress

    from dvor.kernel.errors import NotFound
    from dvor.services.orders import service

    receive = service.OrdersService.receive_webhook

    async def wrong(self: service.OrdersService, delivery: Any) -> None:
        with suppress(NotFound):
            await receive(self, delivery)

    break_(service.OrdersService, "receive_webhook", wrong)


WEBHOOKS = "tests/kernel/test_webhooks.py"


@planted("B20", f"{WEBHOOKS}::TestVerify")
def signatures_of_what_was_parsed() -> None:
    """The signature is of the JSON as we would write it, not of the bytes that came."""
    import json

    from dvor.kernel import webhooks

    signature = webhooks._signature

    def wrong(secret: bytes, id: str, timestamp: int, body: bytes) -> str:
        return signature(secret, id, timestamp, json.dumps(json.loads(body)).encode())

    break_(webhooks, "_signature", wrong)


@planted("B21", f"{WEBHOOKS}::TestVerify")
def ageless_webhooks() -> None:
    """A webhook may be as old as it likes."""
    from datetime import timedelta

    from dvor.kernel import webhooks

    break_(webhooks, "TOLERANCE", timedelta(days=99_999))


@planted(
    "B22",
    "tests/services/payments/test_payments.py::TestRefund::test_of_fifty_at_once_of_60_on_100_exactly_one_succeeds",
)
def refunds_summed_up() -> None:
    """A refund reads what was given back before, adds, and writes the sums."""
    from dvor.services.payments import ledger_queries, queries

    seen: dict[db.Tx, dict[Any, int]] = {}

    async def refund(tx: db.Tx, payment_id: Any, amount: int) -> Any:
        row = await queries.payment(tx, payment_id)
        if row is None or row["refunded"] + amount > row["captured"]:
            return None
        shares = "SELECT seller_id, returned FROM payment_shares WHERE payment_id = $1"
        rows = await tx.fetch(shares, payment_id)
        seen[tx] = {share["seller_id"]: share["returned"] for share in rows}
        await asyncio.sleep(LOOK_SECONDS)
        sql = "UPDATE payments SET refunded = $2 WHERE id = $1 RETURNING *"
        return await tx.fetchrow(sql, payment_id, row["refunded"] + amount)

    async def give_back(tx: db.Tx, payment_id: Any, parts: Any) -> int:
        sql = "UPDATE payment_shares SET returned = $3 WHERE payment_id = $1 AND seller_id = $2"
        for seller, part in parts.items():
            await tx.execute(sql, payment_id, seller, seen[tx][seller] + part)
        return len(parts)

    break_(queries, "refund", refund)
    break_(ledger_queries, "give_back", give_back)


STRIPE = "tests/services/payments/test_stripe_adapter.py"


@planted("-", f"{STRIPE}::TestSignature")
def stripe_unsigned() -> None:
    """Whatever says that it comes from Stripe is believed."""
    from dvor.services.payments.providers.stripe import Stripe

    break_(Stripe, "_verify", lambda *_: None)


@planted("-", "tests/services/payments/test_stripe.py::TestOncePerKey")
def stripe_page_a_try() -> None:
    """Each try to pay opens a page of its own at Stripe: all of them can be paid."""
    from dvor.services.payments.providers.stripe import Stripe

    call = Stripe._call

    async def wrong(self: Any, method: str, path: str, fields: Any = None, key: str = "") -> Any:
        tries = f" {random.random()}" if path.endswith("/sessions") else ""
        return await call(self, method, path, fields, key + tries)

    break_(Stripe, "_call", wrong)


@planted("-", f"{STRIPE}::TestErrors::test_a_refund_with_one_key_is_one_refund")
def stripe_refund_not_looked_for() -> None:
    """A refund is asked for again without looking whether it is there: keys are forgotten."""
    from dvor.services.payments.providers.stripe import Stripe

    async def none(*_: Any) -> list[Any]:
        return []

    break_(Stripe, "_refunds", none)


@planted("B23", "tests/journeys/test_promos.py::TestLimit")
def promo_uses_counted() -> None:
    """Uses of a promo code are counted when it is applied, and held by nobody."""
    from dvor.contracts.promos import PromoUsedUp
    from dvor.services.orders import carts

    hold = carts.Carts.hold

    async def wrong(
        self: Any, hold_id: Any, wishes: Any, instead_of: Any = None, promo_id: Any = None
    ) -> Any:
        if promo_id:
            sql = "SELECT count(*) FROM orders WHERE promo_id = $1 AND status <> 'cancelled'"
            used = await self.db.fetchval(sql, promo_id)
            if used >= (await self.inventory.supplies((promo_id,))).items[0].quantity:
                raise PromoUsedUp
            await asyncio.sleep(LOOK_SECONDS)
        return await hold(self, hold_id, wishes, instead_of)

    break_(carts.Carts, "hold", wrong)


@planted(
    "-",
    f"{INVENTORY}/test_verdicts.py::TestLimitPerCustomer::test_holds_against_many_at_once_in_two_processes",
)
def limits_counted_before() -> None:
    """A limit per customer is counted when it is looked at, not when it is used."""
    from dvor.services.inventory import hold_queries

    count, seen = hold_queries.limited_holds, {}

    async def wrong(tx: db.Tx, customer_ids: Iterable[Any]) -> Any:
        who = frozenset(customer_ids)
        if who not in seen:
            seen[who] = await count(tx, list(who))
        return seen[who]

    break_(hold_queries, "limited_holds", wrong)


@planted(
    "B25",
    "tests/house/test_authorization.py::TestRoutes::test_it_serves_whom_the_matrix_says[GET /api/v1/payments/{payment_id}]",
)
def everybodys_payments() -> None:
    """One route does not ask whose payment it shows."""
    from dvor.services.payments import rules

    break_(rules, "may_see", lambda *_: True)


@planted(
    "-", "tests/kernel/test_batch.py::TestFailures::test_a_failing_item_never_fails_the_others"
)
def no_replay_of_batches() -> None:
    """When one request of a batch fails, all who waited with it are told so."""
    from dvor.kernel import batch

    break_(batch, "_concerns_all", lambda _: True)


@planted("-", f"{INVENTORY}/test_verdicts.py::TestSoldOutCache")
def sold_out_for_ever() -> None:
    """Who was sold out once stays so: the cache forgets nothing."""
    from dvor.services.inventory.memory import SoldOutCells

    learn, refusals = SoldOutCells.learn, SoldOutCells.refusals

    def wrong_learn(self: Any, cells: Any) -> None:
        before = dict(self._until)
        learn(self, cells)
        self._until = before | self._until

    def wrong_refusals(self: Any, takes: Any) -> Any:
        self._until = dict.fromkeys(self._until, float("inf"))
        return refusals(self, takes)

    break_(SoldOutCells, "learn", wrong_learn)
    break_(SoldOutCells, "refusals", wrong_refusals)


@planted("-", f"{INVENTORY}/test_verdicts.py::TestRules::test_refuse_what_the_seller_does_not_want")
def rules_on_paper() -> None:
    """Sellers' rules are shown and not enforced."""
    from dvor.services.inventory import rules

    break_(rules, "check_rules", lambda *_: None)


@planted(
    "-",
    f"{INVENTORY}/test_engine.py::TestTogether::test_a_hold_that_the_twin_made_meanwhile_is_not_in_its_own_way",
)
def strangers_to_themselves() -> None:
    """A new hold that another process made a moment ago stands in its own way."""
    from dvor.services.inventory import hold_queries

    async def nothing_there(*_: Any) -> bool:
        return False

    break_(hold_queries, "any_hold", nothing_there)


def plant(names: Iterable[str]) -> None:
    """Take these guards away in this process, and from databases that it migrates."""
    for name in names:
        SABOTAGES[name].plant()
    migrate = migrations.migrate

    async def migrate_and_break(url: str, package: str) -> list[str]:
        done = await migrate(url, package)
        if done:
            await _unguard(url, package.rpartition(".")[2])
        return done

    migrations.migrate = migrate_and_break
    if process := sys.modules.get("dvor.kernel.process"):
        process.__dict__["migrate"] = migrate_and_break


async def _unguard(url: str, service: str) -> None:
    async with raw_connection(url) as connection:
        for owner, sql in _unguarded:
            if owner == service:
                await connection.execute(sql)


async def _unguard_all() -> None:
    for service in {service for service, _ in _unguarded}:
        await _unguard(Settings.from_environment().database(service), service)


if __name__ == "__main__":
    from dvor.cli.app import run

    plant([sys.argv.pop(1)])
    asyncio.run(_unguard_all())
    run()
