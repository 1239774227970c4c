"""What every broker promises, asked of all three, with real servers."""

import asyncio
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

from dvor.contracts.catalog import ListingPublished
from dvor.kernel.brokers import BATCH, Broker, Envelope
from dvor.kernel.db import Database
from dvor.kernel.inbox import Consumer
from dvor.kernel.outbox import Relay
from tests.kernel.conftest import OpenDatabase
from tests.kernel.rigs import WAIT_SECONDS, Rig, event, in_order, take
from tests.kernel.test_brokers import Seen, published, tell


class TestDelivery:
    async def test_every_group_gets_all_in_the_order_of_each_aggregate(self, rig: Rig) -> None:
        one = await rig.open()
        aggregates = [uuid4() for _ in range(7)]
        told = [event(a, version) for version in range(1, 31) for a in aggregates]
        for begin in range(0, len(told), 70):
            await one.publish("catalog", told[begin : begin + 70])
        for group in ("inventory", "notifications"):
            got = await take(one, len(told), group)
            assert in_order(got)
            assert sorted(map(repr, got)) == sorted(map(repr, told))

    async def test_what_was_published_before_the_first_reader_came_waits_for_it(
        self, rig: Rig
    ) -> None:
        first = await rig.open()
        await first.publish("catalog", [event(uuid4(), 1)])
        await first.close()
        assert len(await take(await rig.open(), 1)) == 1

    async def test_a_source_without_readers_is_published(self, rig: Rig) -> None:
        one = await rig.open()
        await one.publish("audits", [event(uuid4(), 1)])

    async def test_a_batch_is_bounded(self, rig: Rig) -> None:
        one = await rig.open()
        for _ in range(3):
            await one.publish("catalog", [event(uuid4(), 1) for _ in range(BATCH)])
        sizes, got = [], 0
        async with asyncio.timeout(WAIT_SECONDS):
            while got < 3 * BATCH:
                async with one.batch("inventory", "catalog") as envelopes:
                    sizes.append(len(envelopes))
                got += len(envelopes)
                await asyncio.sleep(0.01)
        assert got == 3 * BATCH
        assert max(sizes) <= BATCH

    async def test_five_megabytes_arrive_whole(self, rig: Rig) -> None:
        one = await rig.open()
        big = event(uuid4(), 1, text="д" * 2_500_000)
        await one.publish("catalog", [big, event(big.aggregate, 2)])
        assert (await take(one, 2))[0] == big

    async def test_a_hint_comes_when_something_new_does(self, rig: Rig) -> None:
        one = await rig.open()
        await one.publish("catalog", [event(uuid4(), 1)])
        await take(one, 1)  # reads from now on
        hints: asyncio.Queue[str] = asyncio.Queue()
        watching = asyncio.create_task(one.watch(hints.put_nowait))
        await asyncio.sleep(0.2)  # listens
        await one.publish("catalog", [event(uuid4(), 1)])
        async with asyncio.timeout(WAIT_SECONDS):
            assert await hints.get() == "catalog"
        watching.cancel()

    async def test_lag_counts_what_was_not_acknowledged(self, rig: Rig) -> None:
        one = await rig.open()
        await one.publish("catalog", [event(uuid4(), 1) for _ in range(5)])
        assert await one.lag("inventory", "catalog") == 5
        assert await one.lag("notifications", "catalog") == 5
        await take(one, 5)
        assert await one.lag("inventory", "catalog") == 0
        assert await one.lag("notifications", "catalog") == 5
        assert await one.reachable()


class TestAcknowledging:
    async def test_a_batch_that_failed_comes_again(self, rig: Rig) -> None:
        one = await rig.open()
        told = [event(uuid4(), 1) for _ in range(10)]
        await one.publish("catalog", told)
        failed: list[Envelope] = []
        async with asyncio.timeout(WAIT_SECONDS):
            while not failed:
                with suppress(ZeroDivisionError):
                    async with one.batch("inventory", "catalog") as failed:
                        if failed:
                            raise ZeroDivisionError
                await asyncio.sleep(0.01)
        assert await one.lag("inventory", "catalog") == 10
        assert {e.message_id for e in await take(one, 10)} == {e.message_id for e in told}
        assert await one.lag("inventory", "catalog") == 0

    async def test_what_a_killed_process_had_taken_goes_to_another(self, rig: Rig) -> None:
        one = await rig.open()
        told = [event(uuid4(), 1) for _ in range(20)]
        await one.publish("catalog", told)
        words = [sys.executable, "-m", "tests.kernel.dying", "inventory", "catalog"]
        died = await asyncio.to_thread(
            subprocess.run, words, env=rig.environment, capture_output=True, timeout=60, check=False
        )
        assert died.returncode == -9, died.stderr
        assert int(died.stdout.split()[-1]) > 0
        got = await take(one, 20)
        assert {e.message_id for e in got} == {e.message_id for e in told}

    async def test_what_a_closed_process_had_not_acknowledged_goes_to_another_at_once(
        self, rig: Rig
    ) -> None:
        first = await rig.open()
        await first.publish("catalog", [event(uuid4(), 1) for _ in range(5)])
        with suppress(ZeroDivisionError):
            async with asyncio.timeout(WAIT_SECONDS):
                while True:
                    async with first.batch("inventory", "catalog") as taken:
                        if taken:
                            raise ZeroDivisionError
                    await asyncio.sleep(0.01)
        await first.close()
        began = monotonic()
        assert len(await take(await rig.open(), 5)) == 5
        assert monotonic() - began < rig.settings.broker_silence_seconds

    async def test_two_processes_of_a_group_lose_nothing_and_keep_the_order(self, rig: Rig) -> None:
        applied: list[Envelope] = []
        known = set[UUID]()

        async def work(one: Broker) -> None:
            while True:
                async with one.batch("inventory", "catalog") as envelopes:
                    for envelope in envelopes:  # as the inbox does
                        if envelope.message_id not in known:
                            known.add(envelope.message_id)
                            applied.append(envelope)
                await asyncio.sleep(0.01)

        first = await rig.open()
        aggregates = [uuid4() for _ in range(20)]
        told = [event(a, version) for version in range(1, 31) for a in aggregates]
        working = [asyncio.create_task(work(first))]
        for begin in range(0, len(told), 60):
            if begin == 240:  # the second joins in the middle
                working.append(asyncio.create_task(work(await rig.open())))
            await first.publish("catalog", told[begin : begin + 60])
            await asyncio.sleep(0.05)
        async with asyncio.timeout(WAIT_SECONDS):
            while len(applied) < len(told):
                await asyncio.sleep(0.05)
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        assert len(applied) == len(told)
        assert in_order(applied)


class TestInbox:
    """With outbox, relay and inbox around it."""

    async def test_poison_is_parked_and_the_rest_applied_once(
        self, rig: Rig, database: OpenDatabase
    ) -> None:
        db, ours = await database("catalog"), await database("inventory")
        one = await rig.open()
        seen, bad, good = Seen(), uuid4(), uuid4()
        seen.poison.add(bad)
        relay = Relay(db, one, rig.settings)
        consumer = Consumer(ours, one, {ListingPublished: seen.take}, rig.settings)
        await tell(db, published(bad), published(good), published(bad), published(good))
        await relay.publish_batch()
        await db.execute("UPDATE outbox SET sent_at = NULL")  # as if killed before marking
        await relay.publish_batch()
        await _applied(consumer, ours, 4)
        assert [e.listing_id for e in seen.events] == [good, good]
        assert await ours.fetchval("SELECT count(*) FROM parked_messages") == 2
        seen.poison.clear()
        assert await consumer.replay_parked() == (2, 0)

    async def test_writers_rivals_and_consumers_at_once(
        self, rig: Rig, database: OpenDatabase
    ) -> None:
        db, ours = await database("catalog"), await database("inventory")
        seen = Seen()
        listings = [uuid4() for _ in range(8)]
        clients = [await rig.open(), await rig.open()]
        loops: list[Any] = [Relay(db, one, rig.settings) for one in clients]
        loops += [
            Consumer(ours, one, {ListingPublished: seen.take}, rig.settings) for one in clients
        ]
        running = [asyncio.create_task(loop.run()) for loop in loops]

        async def write(listing: UUID) -> None:
            for _ in range(15):
                await tell(db, published(listing))

        await asyncio.gather(*(write(listing) for listing in listings))
        async with asyncio.timeout(WAIT_SECONDS):
            while await ours.fetchval("SELECT count(*) FROM inbox") < 120:
                await asyncio.sleep(0.05)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        assert Counter(e.listing_id for e in seen.events) == dict.fromkeys(listings, 15)
        assert not await ours.fetchval("SELECT count(*) FROM parked_messages")


async def _applied(consumer: Consumer, db: Database, number: int) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while await db.fetchval("SELECT count(*) FROM inbox") < number:
            await consumer.take_batch("catalog")
            await asyncio.sleep(0.01)
