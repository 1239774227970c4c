"""Facts: told when the transaction commits, in order, at least once, applied once."""

import asyncio
from contextvars import Context
from uuid import UUID, uuid4

import pytest

from dvor.contracts.catalog import Kind, ListingArchived, ListingPublished
from dvor.kernel.brokers import LocalBroker
from dvor.kernel.config import Settings
from dvor.kernel.db import Database, Tx
from dvor.kernel.inbox import Consumer
from dvor.kernel.outbox import Relay
from tests.kernel.conftest import OpenDatabase


def published(listing: UUID, *offers: UUID) -> ListingPublished:
    """A fact about a listing."""
    return ListingPublished(
        listing_id=listing, seller_id=uuid4(), kind=Kind.PRODUCT, offer_ids=offers
    )


async def tell(db: Database, *events: ListingPublished) -> None:
    """Commit facts."""
    async with db.tx() as tx:
        tx.emit(*events)


class Seen:
    """Handlers that write down what they were given, in the consumer's database."""

    def __init__(self) -> None:
        self.events: list[ListingPublished] = []
        self.poison: set[UUID] = set()

    async def take(self, tx: Tx, event: ListingPublished) -> None:
        """Apply one."""
        await tx.execute("SELECT 1")
        if event.listing_id in self.poison:
            raise RuntimeError("this one is poison")
        self.events.append(event)


class TestOutbox:
    async def test_versions_of_an_aggregate_have_no_gaps_under_concurrency(
        self, database: OpenDatabase
    ) -> None:
        db = await database("catalog")
        listings = [uuid4() for _ in range(3)]
        await asyncio.gather(
            *(tell(db, *(published(one) for one in sorted(listings))) for _ in range(40))
        )
        rows = await db.fetch("SELECT aggregate, version FROM outbox ORDER BY id")
        for listing in listings:
            assert [r["version"] for r in rows if r["aggregate"] == listing] == list(range(1, 41))

    async def test_facts_of_a_failed_transaction_are_not_told(self, database: OpenDatabase) -> None:
        db = await database("catalog")
        with pytest.raises(RuntimeError):  # noqa: PT012 - the transaction is what raises
            async with db.tx() as tx:
                tx.emit(published(uuid4()))
                raise RuntimeError
        assert await db.fetchval("SELECT count(*) FROM outbox") == 0

    async def test_facts_of_a_failed_savepoint_are_not_told(self, database: OpenDatabase) -> None:
        db = await database("catalog")
        kept = uuid4()
        async with db.tx() as tx:
            tx.emit(published(kept))
            with pytest.raises(RuntimeError):  # noqa: PT012 - the savepoint is what raises
                async with tx.savepoint():
                    tx.emit(published(uuid4()))
                    raise RuntimeError
        assert [r["aggregate"] for r in await db.fetch("SELECT aggregate FROM outbox")] == [kept]


class TestRelay:
    async def test_only_the_holder_of_the_lease_publishes(
        self, database: OpenDatabase, broker: LocalBroker, settings: Settings
    ) -> None:
        db = await database("catalog")
        first, second = Relay(db, broker, settings), Relay(db, broker, settings)
        await tell(db, published(uuid4()))
        assert await first.publish_batch() == 1
        await tell(db, published(uuid4()))
        assert await second.publish_batch() == 0
        assert await first.publish_batch() == 1

    async def test_who_commits_late_is_heard_too(
        self, database: OpenDatabase, broker: LocalBroker, settings: Settings
    ) -> None:
        db, ours = await database("catalog"), await database("inventory")
        seen, slow, quick = Seen(), uuid4(), uuid4()
        relay = Relay(db, broker, settings)
        async with db.tx() as tx:
            tx.emit(published(slow))
            await tx.flush()  # it has its number, and nobody sees it yet
            tx._events.clear()
            elsewhere = asyncio.create_task(tell(db, published(quick)), context=Context())
            await elsewhere
            await asyncio.create_task(relay.publish_batch(), context=Context())
        await relay.publish_batch()
        await Consumer(ours, broker, {ListingPublished: seen.take}, settings).take_batch("catalog")
        assert [event.listing_id for event in seen.events] == [quick, slow]

    async def test_nothing_is_lost_or_reordered_with_writers_and_rivals(
        self, database: OpenDatabase, broker: LocalBroker, settings: Settings
    ) -> None:
        db, ours = await database("catalog"), await database("inventory")
        seen = Seen()
        listings = [uuid4() for _ in range(8)]
        loops = [Relay(db, broker, settings), Relay(db, broker, settings)]
        loops += [Consumer(ours, broker, {ListingPublished: seen.take}, settings) for _ in "12"]
        running = [asyncio.create_task(loop.run()) for loop in loops]

        async def write(listing: UUID) -> None:
            for _ in range(25):
                await tell(db, published(listing))

        await asyncio.gather(*(write(listing) for listing in listings))
        async with asyncio.timeout(20):
            while len(seen.events) < 200:
                await asyncio.sleep(0.02)
        for loop in running:
            loop.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        rows = await ours.fetch("SELECT aggregate, version FROM inbox ORDER BY seen_at, version")
        assert len(rows) == 200
        assert len(seen.events) == 200

    async def test_an_event_published_twice_is_applied_once(
        self, database: OpenDatabase, broker: LocalBroker, settings: Settings
    ) -> None:
        db, ours = await database("catalog"), await database("inventory")
        seen = Seen()
        relay = Relay(db, broker, settings)
        consumer = Consumer(ours, broker, {ListingPublished: seen.take}, settings)
        await tell(db, published(uuid4()))
        await relay.publish_batch()
        await db.execute("UPDATE outbox SET sent_at = NULL")  # as if killed before marking
        await relay.publish_batch()
        assert await consumer.take_batch("catalog") == 2
        assert len(seen.events) == 1


class TestConsumer:
    async def test_a_batch_is_one_transaction(
        self, database: OpenDatabase, broker: LocalBroker, settings: Settings
    ) -> None:
        db, ours = await database("catalog"), await database("inventory")
        relay = Relay(db, broker, settings)
        transactions = set[int]()

        async def note(tx: Tx, _event: ListingPublished) -> None:
            transactions.add(await tx.fetchval("SELECT txid_current()"))

        consumer = Consumer(ours, broker, {ListingPublished: note}, settings)
        await tell(db, *(published(uuid4()) for _ in range(30)))
        await relay.publish_batch()
        await consumer.take_batch("catalog")
        assert len(transactions) == 1

    async def test_poison_is_parked_and_what_follows_it_waits_for_it(
        self, database: OpenDatabase, broker: LocalBroker, settings: Settings
    ) -> None:
        db, ours = await database("catalog"), await database("inventory")
        seen, bad, good = Seen(), uuid4(), uuid4()
        seen.poison.add(bad)
        relay = Relay(db, broker, settings)
        consumer = Consumer(ours, broker, {ListingPublished: seen.take}, settings)
        await tell(db, published(bad), published(good), published(bad))
        await relay.publish_batch()
        await consumer.take_batch("catalog")
        assert {event.listing_id for event in seen.events} == {good}
        assert await ours.fetchval("SELECT count(*) FROM parked_messages") == 2

        assert await consumer.replay_parked() == (0, 2)
        seen.poison.clear()
        assert await consumer.replay_parked() == (2, 0)
        assert [e.listing_id for e in seen.events if e.listing_id == bad] == [bad, bad]
        assert await ours.fetchval("SELECT count(*) FROM parked_messages") == 0

    async def test_events_nobody_here_handles_are_passed_over(
        self, database: OpenDatabase, broker: LocalBroker, settings: Settings
    ) -> None:
        db, ours = await database("catalog"), await database("inventory")
        seen = Seen()
        consumer = Consumer(ours, broker, {ListingPublished: seen.take}, settings)
        async with db.tx() as tx:
            tx.emit(
                ListingArchived(
                    listing_id=uuid4(), seller_id=uuid4(), kind=Kind.EVENT, offer_ids=()
                )
            )
        await Relay(db, broker, settings).publish_batch()
        assert await consumer.take_batch("catalog") == 1
        assert await broker.lag("inventory", "catalog") == 0

    async def test_what_another_process_applied_meanwhile_is_not_parked(
        self, database: OpenDatabase, broker: LocalBroker, settings: Settings
    ) -> None:
        db, ours = await database("catalog"), await database("inventory")
        relay, seen, told = Relay(db, broker, settings), Seen(), uuid4()
        other = Consumer(ours, broker, {ListingPublished: seen.take}, settings)

        await tell(db, published(told))
        await relay.publish_batch()
        async with broker.batch("inventory", "catalog") as (envelope,):
            pass
        await other._apply([envelope])
        ours_too = Consumer(ours, broker, {ListingPublished: seen.take}, settings)
        await ours_too._park(envelope, "it failed here five times")
        assert [event.listing_id for event in seen.events] == [told]
        assert await ours.fetchval("SELECT count(*) FROM parked_messages") == 0

    async def test_a_newer_process_may_say_more(
        self, database: OpenDatabase, broker: LocalBroker, settings: Settings
    ) -> None:
        db, ours = await database("catalog"), await database("inventory")
        seen = Seen()
        await tell(db, published(uuid4()))
        await db.execute('UPDATE outbox SET data = data || \'{"colour": "red"}\'')
        await Relay(db, broker, settings).publish_batch()
        consumer = Consumer(ours, broker, {ListingPublished: seen.take}, settings)
        await consumer.take_batch("catalog")
        assert len(seen.events) == 1
        assert await ours.fetchval("SELECT count(*) FROM parked_messages") == 0
