"""What processes remember together: heard at once where Redis is, and nothing lost where it is not."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import redis
from pydantic import SecretStr

from dvor.cli.servers import Redis
from dvor.contracts.catalog import Search
from dvor.contracts.identity import Credentials, Registration, SessionEnded
from dvor.kernel.cache import Cache
from dvor.kernel.caller import Caller, Role, asking
from dvor.kernel.config import BadConfiguration, Settings
from dvor.kernel.http.front import Callers
from dvor.kernel.ids import new
from dvor.kernel.process import Process
from dvor.topology import SERVICES
from tests.services.catalog.drafts import product

SOON_SECONDS = 10.0
UNTOLD_SECONDS, TOLD_SECONDS = 0.05, 60.0
PASSWORD = SecretStr("correct horse battery staple")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """A Redis of this module, which may stop and come back at the same place."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(Redis.variable, raising=False)  # one that others use must not be stopped
        made = Redis(tmp_path_factory.mktemp("servers"))
        if lack := made.lack():
            (pytest.fail if os.environ.get("CI") else pytest.skip)(lack)
        made.start(tied=True)
        yield made
        made.stop()


def url_of(server: Redis) -> str:
    running = server.found()
    assert running is not None
    return running.address


@pytest.fixture
def settings(server: Redis) -> Settings:
    return Settings(redis_url=url_of(server), redis_prefix=f"{new()}:", redis_timeout_ms=2000)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Cache]:
    cache = Cache(settings)
    try:
        yield cache
    finally:
        await cache.close()


async def until(true: Any) -> None:
    async with asyncio.timeout(SOON_SECONDS):
        while not true():
            await asyncio.sleep(0.01)


class TestMemory:
    async def test_what_one_process_puts_another_gets(self, settings: Settings) -> None:
        async with opened(settings) as one, opened(settings) as other:
            await one.put("a", b"\x00\xff", 60)
            assert await other.get("a") == b"\x00\xff"
            assert await other.get("b") is None

    async def test_it_is_forgotten_after_its_seconds(self, settings: Settings) -> None:
        async with opened(settings) as cache:
            await cache.put("a", b"1", 1)
            assert await cache.get("a") == b"1"
            await asyncio.sleep(1.2)
            assert await cache.get("a") is None

    async def test_dvors_of_one_server_do_not_meet(self, settings: Settings, server: Any) -> None:
        other_settings = Settings(redis_url=url_of(server), redis_prefix="other:")
        async with opened(settings) as cache, opened(other_settings) as other:
            await cache.put("a", b"1", 60)
            assert await other.get("a") is None

    async def test_without_a_server_nothing_is_known_and_nothing_fails(self) -> None:
        async with opened(Settings()) as cache:
            assert not cache.shared
            await cache.put("a", b"1", 60)
            await cache.tell("channel", "word")
            assert await cache.get("a") is None

    async def test_it_knows_again_when_a_server_that_was_away_is_back(
        self, settings: Settings, server: Redis
    ) -> None:
        async with opened(settings) as cache:
            await cache.put("a", b"1", 60)
            server.stop()
            assert await cache.get("a") is None
            server.start()
            async with asyncio.timeout(SOON_SECONDS):
                while await cache.get("b") is None:
                    await cache.put("b", b"2", 60)
                    await asyncio.sleep(0.05)

    async def test_a_server_that_says_nothing_is_left_alone_for_a_while(self) -> None:
        came = 0

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal came
            came += 1
            await reader.read()
            writer.close()

        async with await asyncio.start_server(silent, "127.0.0.1", 0) as listening:
            port = listening.sockets[0].getsockname()[1]
            settings = Settings(redis_url=f"redis://127.0.0.1:{port}", redis_timeout_ms=50)
            async with opened(settings) as cache:
                for _ in range(100):
                    assert await cache.get("a") is None
        assert 1 <= came < 10

    @pytest.mark.parametrize("url", ["http://127.0.0.1:1", "127.0.0.1"])
    async def test_another_address_is_refused_by_its_name(self, url: str) -> None:
        with pytest.raises(BadConfiguration, match="DVOR_REDIS_URL"):
            Cache(Settings(redis_url=url))


class TestWords:
    async def test_all_who_listen_hear_them_also_after_the_server_came_back(
        self, settings: Settings, server: Redis
    ) -> None:
        words: list[str] = []
        states: list[bool] = []
        async with opened(settings) as teller, opened(settings) as listener:
            listening = asyncio.create_task(listener.listen("news", words.append, states.append))
            await until(lambda: states == [True])
            await teller.tell("news", "first")
            await teller.tell("other", "not for us")
            await until(lambda: words == ["first"])
            server.stop()
            await until(lambda: states[-1] is False)
            server.start()
            await until(lambda: states[-1] is True)
            async with asyncio.timeout(SOON_SECONDS):
                while "second" not in words:
                    await teller.tell("news", "second")
                    await asyncio.sleep(0.05)
            listening.cancel()

    async def test_a_server_that_hangs_is_noticed(self, settings: Settings) -> None:
        """Frozen, it keeps connections open and says nothing."""
        states: list[bool] = []
        async with opened(settings) as listener:
            pausing = redis.Redis.from_url(settings.redis_url)
            listening = asyncio.create_task(listener.listen("news", lambda _: None, states.append))
            await until(lambda: states == [True])
            pausing.execute_command("CLIENT", "PAUSE", "3000", "ALL")
            await until(lambda: False in states)
            await until(lambda: states[-1])
            listening.cancel()


class TestCallers:
    """What the front remembers of who calls."""

    class Guard:
        def __init__(self) -> None:
            self.person = Caller(user_id=new())
            self.asked = 0
            self.slow = asyncio.Event()
            self.slow.set()

        async def session(self, token: str) -> Caller:
            self.asked += 1
            person = self.person
            await self.slow.wait()
            return person

        authenticate = session

    def callers(self, guard: Any) -> Callers:
        return Callers(
            guard,
            Settings(caller_cache_seconds=UNTOLD_SECONDS, caller_cache_told_seconds=TOLD_SECONDS),
        )

    async def test_are_remembered_longer_while_ends_are_told_and_forgotten_when_told(self) -> None:
        guard = self.Guard()
        callers = self.callers(guard)
        callers.told(True)
        for _ in range(3):
            await callers.of("session", "t")
            await asyncio.sleep(UNTOLD_SECONDS + 0.01)
        assert guard.asked == 1
        callers.forget_all_of(str(new()))  # somebody else's
        await callers.of("session", "t")
        assert guard.asked == 1
        callers.forget_all_of(str(guard.person.user_id))
        await callers.of("session", "t")
        assert guard.asked == 2

    async def test_nothing_told_before_the_silence_is_trusted_in_it(self) -> None:
        guard = self.Guard()
        callers = self.callers(guard)
        callers.told(True)
        await callers.of("session", "t")
        callers.told(False)
        await callers.of("session", "t")
        assert guard.asked == 2
        await asyncio.sleep(UNTOLD_SECONDS + 0.01)
        await callers.of("session", "t")
        assert guard.asked == 3

    async def test_an_answer_under_way_when_it_ends_is_not_kept(self) -> None:
        guard = self.Guard()
        callers = self.callers(guard)
        callers.told(True)
        guard.slow.clear()
        first = asyncio.ensure_future(callers.of("session", "t"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert guard.asked == 1
        callers.forget_all_of(str(guard.person.user_id))
        guard.slow.set()
        await first
        await callers.of("session", "t")
        assert guard.asked == 2


@pytest.fixture
async def two(make_house: Any, settings: Settings) -> Any:
    """Two processes on the same databases and the same Redis."""
    options = {
        "redis_url": settings.redis_url,
        "redis_prefix": settings.redis_prefix,
        "redis_timeout_ms": 2000,
        "caller_cache_seconds": UNTOLD_SECONDS,
        "caller_cache_told_seconds": TOLD_SECONDS,
    }
    first = await make_house("identity", "catalog", **options)
    second = Process(first.settings, SERVICES)
    await second.open()
    yield first, second
    await second.close()


async def account(house: Any) -> str:
    """The token of a new person's session."""
    email = f"{new().hex}@example.org"
    registration = Registration(email=email, password=PASSWORD, name="Anna")
    await house.identity.register(registration)
    session = await house.identity.sign_in(Credentials(email=email, password=PASSWORD))
    return session.token


class TestTwoProcesses:
    async def test_a_session_that_ends_here_ends_there_at_once(self, two: Any) -> None:
        house, other = two
        callers: Callers = other.app().state.callers
        token = await account(house)
        await until(lambda: callers._seconds == TOLD_SECONDS)
        assert (await callers.of("session", token)).user_id
        await house.identity.sign_out(token)
        await until(lambda: ("session", token) not in callers._known)
        with pytest.raises(SessionEnded):
            await callers.of("session", token)

    async def test_one_that_ends_while_redis_is_away_ends_as_it_would_without(
        self, two: Any, server: Redis
    ) -> None:
        house, other = two
        callers: Callers = other.app().state.callers
        token = await account(house)
        await until(lambda: callers._seconds == TOLD_SECONDS)
        assert (await callers.of("session", token)).user_id
        server.stop()
        try:
            await house.identity.sign_out(token)
            await until(lambda: callers._seconds == UNTOLD_SECONDS)
            await asyncio.sleep(UNTOLD_SECONDS)
            with pytest.raises(SessionEnded):
                await callers.of("session", token)
        finally:
            server.start()

    async def test_a_list_that_one_has_found_the_other_need_not_search(self, two: Any) -> None:
        house, other = two
        seller = Caller(user_id=new(), roles=(Role.CUSTOMER, Role.SELLER))
        with asking(seller):
            listing = await house.catalog.create(product("Cup"))
            await house.catalog.publish(listing.id)
        there = other.proxy(other.contract_named("catalog"), "")
        assert await titles(house.catalog) == ["Cup"]
        # Behind the catalogue's back: only what is remembered can still say the old title.
        await house.db("catalog").execute("UPDATE listings SET title_ru = 'Bowl'")
        assert await titles(there) == ["Cup"]
        await house.clock.advance(seconds=301)
        assert await titles(there) == ["Bowl"]
        with asking(seller):
            await house.catalog.archive(listing.id)
        assert await titles(there) == []

    async def test_what_another_build_has_kept_is_searched_for_again(self, two: Any) -> None:
        house, other = two
        there = other.proxy(other.contract_named("catalog"), "")
        assert await titles(house.catalog) == []
        pages = redis.Redis.from_url(house.settings.redis_url)
        (key,) = pages.keys(f"{house.settings.redis_prefix}lists:*")
        pages.set(key, b'4102444800.0\n{"unknown": 1}')
        assert await titles(there) == []


async def titles(catalog: Any) -> list[str]:
    return [card.title.ru for card in (await catalog.search(Search())).items]
