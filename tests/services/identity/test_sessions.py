"""Browser sessions: how long they live, what ends them."""

from typing import Any
from uuid import uuid4

import pytest

from dvor.contracts.identity import AdminAction, SessionEnded, Tokens, User
from dvor.kernel.caller import Caller, Role, asking
from dvor.kernel.errors import Unauthenticated


@pytest.fixture
async def token(house: Any, people: Any, vera: User) -> str:
    """Vera's browser session."""
    return (await house.identity.sign_in(people.credentials(vera.email), "Firefox")).token


class TestSession:
    async def test_unknown_tokens_are_refused(self, house: Any) -> None:
        for token in ("", "x", "00" * 32):
            with pytest.raises(SessionEnded):
                await house.identity.session(token)

    async def test_it_ends_when_idle(self, house: Any, token: str) -> None:
        await house.clock.advance(hours=11, minutes=59)
        await house.identity.session(token)
        await house.clock.advance(hours=11, minutes=58)
        await house.identity.session(token)
        await house.clock.advance(hours=12, minutes=1)
        with pytest.raises(SessionEnded):
            await house.identity.session(token)

    async def test_it_ends_at_its_age_however_it_is_used(self, house: Any, token: str) -> None:
        for _ in range(59):
            await house.clock.advance(hours=11, minutes=59)
            await house.identity.session(token)
        await house.clock.advance(hours=11)
        await house.identity.session(token)
        await house.clock.advance(hours=3)
        with pytest.raises(SessionEnded):
            await house.identity.session(token)

    async def test_it_has_the_roles_and_language_of_now(
        self, house: Any, people: Any, admin: User, vera: User, token: str
    ) -> None:
        with people.calling(admin):
            await house.identity.administer(vera.id, AdminAction.MAKE_SELLER)
        assert (await house.identity.session(token)).roles == (Role.CUSTOMER, Role.SELLER)

    async def test_the_blocked_lose_it_at_once_and_for_good(
        self, house: Any, people: Any, admin: User, vera: User, token: str
    ) -> None:
        with people.calling(admin):
            await house.identity.administer(vera.id, AdminAction.BLOCK)
            with pytest.raises(SessionEnded):
                await house.identity.session(token)
            await house.identity.administer(vera.id, AdminAction.UNBLOCK)
        with pytest.raises(SessionEnded):
            await house.identity.session(token)

    async def test_using_it_writes_once_a_minute_at_most(self, house: Any, token: str) -> None:
        used_at = "SELECT used_at FROM sessions"
        before = await house.db("identity").fetchval(used_at)
        await house.identity.session(token)
        assert await house.db("identity").fetchval(used_at) == before
        await house.clock.advance(seconds=61)
        await house.identity.session(token)
        assert await house.db("identity").fetchval(used_at) > before

    async def test_a_refresh_token_is_no_session(self, house: Any, tokens: Tokens) -> None:
        with pytest.raises(SessionEnded):
            await house.identity.session(tokens.refresh_token)


class TestSignOut:
    async def test_it_ends_this_session_only(self, house: Any, people: Any, token: str) -> None:
        other = await house.identity.sign_in(people.credentials("vera@example.org"))
        await house.identity.sign_out(token)
        await house.identity.sign_out(token)
        with pytest.raises(SessionEnded):
            await house.identity.session(token)
        await house.identity.session(other.token)


class TestSessions:
    async def test_they_are_listed_with_what_they_called_themselves(
        self, house: Any, people: Any, token: str, tokens: Tokens
    ) -> None:
        with asking(await house.identity.session(token)):
            found = (await house.identity.sessions()).items
        assert {(s.client, s.current) for s in found} == {("Firefox", True), ("curl", False)}

    async def test_ended_ones_are_not_listed(
        self, house: Any, vera: User, people: Any, token: str
    ) -> None:
        await house.clock.advance(hours=13)
        with people.calling(vera):
            assert (await house.identity.sessions()).items == ()

    async def test_strangers_have_none(self, house: Any) -> None:
        with pytest.raises(Unauthenticated):
            await house.identity.sessions()


class TestEndSession:
    async def test_ones_own_ends(self, house: Any, tokens: Tokens) -> None:
        caller = await house.identity.authenticate(tokens.access_token)
        with asking(caller):
            await house.identity.end_session(caller.session_id)
        with pytest.raises(SessionEnded):
            await house.identity.authenticate(tokens.access_token)

    async def test_anothers_stays(self, house: Any, token: str) -> None:
        caller = await house.identity.session(token)
        with asking(Caller(user_id=uuid4())):
            await house.identity.end_session(caller.session_id)
        await house.identity.session(token)


class TestSweep:
    async def test_what_ended_is_forgotten_and_the_rest_stays(
        self, house: Any, people: Any, token: str, tokens: Tokens
    ) -> None:
        await house.identity.sign_in(people.credentials("vera@example.org"), "", "8.8.8.8")
        await house.clock.advance(hours=13)
        await house.process.runners["identity"].run_timers_once()
        counted = {t: await people.count(t) for t in ("sessions", "attempts", "familiar_networks")}
        assert counted == {"sessions": 1, "attempts": 0, "familiar_networks": 1}
        await house.identity.authenticate(
            (await house.identity.refresh_tokens(tokens.refresh_token)).access_token
        )
        await house.clock.advance(days=91)
        await house.process.runners["identity"].run_timers_once()
        assert await people.count("sessions") == 0
        assert await people.count("refresh_tokens") == 0
        assert await people.count("familiar_networks") == 0
