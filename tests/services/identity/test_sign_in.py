"""Signing in: what it proves, what it does not tell, how guessing slows down."""

import asyncio
from typing import Any

import pytest
from argon2 import PasswordHasher

from dvor.contracts.identity import (
    AdminAction,
    BrowserSession,
    Tokens,
    TooManyAttempts,
    User,
    WrongCredentials,
)
from dvor.kernel.errors import TooMany
from dvor.services.identity.passwords import Passwords
from dvor.services.identity.threads import Threads

HERE, ELSEWHERE = "8.8.8.8", "9.9.9.9"


async def guess(house: Any, people: Any, email: str, times: int, address: str = "") -> list[type]:
    """Wrong passwords, one after the other: what each comes to."""
    found = []
    for _ in range(times):
        with pytest.raises((WrongCredentials, TooManyAttempts)) as refused:
            await house.identity.sign_in(people.credentials(email, "not this one"), "", address)
        found.append(refused.type)
    return found


class TestSignIn:
    async def test_the_right_password_starts_a_session(
        self, house: Any, people: Any, vera: User
    ) -> None:
        session = await house.identity.sign_in(people.credentials(" VERA@example.org"), "Firefox")
        assert isinstance(session, BrowserSession)
        assert session.user == vera
        caller = await house.identity.session(session.token)
        assert (caller.user_id, caller.roles) == (vera.id, vera.roles)

    async def test_each_has_a_new_token_of_256_bits_and_only_its_hash_is_kept(
        self, house: Any, people: Any, vera: User
    ) -> None:
        made = [await house.identity.sign_in(people.credentials(vera.email)) for _ in range(3)]
        assert len({session.token for session in made}) == 3
        assert all(len(bytes.fromhex(session.token)) == 32 for session in made)
        kept = await house.db("identity").fetch("SELECT * FROM sessions")
        assert not any(session.token in str(dict(row)) for session in made for row in kept)

    async def test_unknown_people_and_wrong_passwords_look_alike(
        self, house: Any, people: Any, vera: User
    ) -> None:
        refusals = []
        for email in (vera.email, "nobody@example.org", "no e-mail at all"):
            with pytest.raises(WrongCredentials) as refused:
                await house.identity.sign_in(people.credentials(email, "wrong password"))
            refusals.append((refused.type, str(refused.value), refused.value.details))
        assert len(set(map(str, refusals))) == 1

    async def test_unknown_people_cost_a_hash_too(
        self, house: Any, people: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hashed: list[str] = []
        verify = PasswordHasher.verify

        def counting(self: Any, password_hash: str, password: str) -> bool:
            hashed.append(password_hash)
            return verify(self, password_hash, password)

        monkeypatch.setattr(PasswordHasher, "verify", counting)
        with pytest.raises(WrongCredentials):
            await house.identity.sign_in(people.credentials("nobody@example.org"))
        assert len(hashed) == 1
        assert hashed[0].startswith("$argon2id$v=19$m=19456,t=2,p=1$")

    async def test_a_hash_of_older_parameters_is_replaced(
        self, house: Any, people: Any, vera: User
    ) -> None:
        old = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(people.password)
        db = house.db("identity")
        await db.execute("UPDATE users SET password_hash = $1", old)
        await house.identity.sign_in(people.credentials(vera.email))
        assert "m=19456,t=2,p=1" in await db.fetchval("SELECT password_hash FROM users")
        await house.identity.sign_in(people.credentials(vera.email))

    async def test_the_blocked_look_like_strangers(
        self, house: Any, people: Any, vera: User, admin: User
    ) -> None:
        with people.calling(admin):
            await house.identity.administer(vera.id, AdminAction.BLOCK)
        for ask in (house.identity.sign_in, house.identity.issue_tokens):
            with pytest.raises(WrongCredentials):
                await ask(people.credentials(vera.email))


class TestGuessing:
    async def test_it_is_slowed_down_after_ten_and_never_for_ever(
        self, house: Any, people: Any, vera: User
    ) -> None:
        assert await guess(house, people, vera.email, 12) == [
            *[WrongCredentials] * 11,
            TooManyAttempts,
        ]
        with pytest.raises(TooManyAttempts):
            await house.identity.sign_in(people.credentials(vera.email))
        await house.clock.advance(seconds=31)
        assert await house.identity.sign_in(people.credentials(vera.email))

    async def test_refused_attempts_do_not_prolong_the_wait(
        self, house: Any, people: Any, vera: User
    ) -> None:
        await guess(house, people, vera.email, 40)
        await house.clock.advance(seconds=31)
        assert await house.identity.sign_in(people.credentials(vera.email))

    async def test_an_hour_of_guessing_evaluates_few(
        self, house: Any, people: Any, vera: User
    ) -> None:
        evaluated = 0
        for _ in range(120):
            evaluated += (await guess(house, people, vera.email, 1)).count(WrongCredentials)
            if evaluated > 10:
                await house.clock.advance(seconds=30)
        assert evaluated <= 20

    async def test_unknown_emails_are_slowed_down_alike(self, house: Any, people: Any) -> None:
        found = await guess(house, people, "nobody@example.org", 12)
        assert found == [*[WrongCredentials] * 11, TooManyAttempts]

    async def test_parallel_guesses_count_before_they_are_evaluated(
        self, house: Any, people: Any, vera: User, outcomes: Any
    ) -> None:
        wrong = people.credentials(vera.email, "not this one")
        found = await outcomes(*(house.identity.sign_in(wrong) for _ in range(40)))
        assert [type(f) for f in found].count(WrongCredentials) == 11

    async def test_success_starts_anew(self, house: Any, people: Any, vera: User) -> None:
        for _ in range(3):
            await guess(house, people, vera.email, 9)
            await house.identity.issue_tokens(people.credentials(vera.email))

    async def test_others_guesses_do_not_lock_the_owner_out(
        self, house: Any, people: Any, vera: User
    ) -> None:
        await house.identity.sign_in(people.credentials(vera.email), "", HERE)
        for n in range(12):
            await guess(house, people, vera.email, 1, f"9.9.9.{n}")
        with pytest.raises(TooManyAttempts):
            await house.identity.sign_in(people.credentials(vera.email), "", ELSEWHERE)
        assert await house.identity.sign_in(people.credentials(vera.email), "", HERE)

    async def test_a_network_that_tries_many_accounts_is_slowed_down(
        self, house: Any, people: Any, vera: User
    ) -> None:
        found = []
        for n in range(52):
            found += await guess(house, people, f"p{n}@example.org", 1, ELSEWHERE)
        assert found.count(TooManyAttempts) == 1
        assert await house.identity.sign_in(people.credentials(vera.email), "", HERE)

    async def test_a_proxys_own_address_slows_nobody_down(self, house: Any, people: Any) -> None:
        found = []
        for n in range(60):
            found += await guess(house, people, f"p{n}@example.org", 1, "10.0.0.7")
        assert TooManyAttempts not in found

    async def test_a_clock_that_went_back_does_not_lock(
        self, house: Any, people: Any, vera: User
    ) -> None:
        await house.clock.advance(days=400)
        await guess(house, people, vera.email, 12)
        await house.clock.advance(days=-400)
        assert await house.identity.sign_in(people.credentials(vera.email))

    async def test_what_was_typed_as_email_is_not_kept(self, house: Any, people: Any) -> None:
        await guess(house, people, "my secret password", 1)
        rows = await house.db("identity").fetch("SELECT subject FROM attempts")
        assert rows
        assert not any("secret" in row["subject"] for row in rows)


class TestIssueTokens:
    async def test_it_gives_both_tokens(self, tokens: Tokens, vera: User) -> None:
        assert (tokens.token_type, tokens.expires_in_seconds, tokens.user) == ("Bearer", 300, vera)
        assert tokens.access_token.count(".") == 2
        assert len(bytes.fromhex(tokens.refresh_token)) == 32

    async def test_it_counts_guesses_as_signing_in_does(
        self, house: Any, people: Any, vera: User
    ) -> None:
        await guess(house, people, vera.email, 11)
        with pytest.raises(TooManyAttempts):
            await house.identity.issue_tokens(people.credentials(vera.email))


class TestHashing:
    async def test_two_hash_at_once_fifty_wait_and_the_rest_is_refused(self) -> None:
        threads = Threads(at_once=2, waiting_max=50)
        gate = asyncio.Event()
        loop = asyncio.get_running_loop()
        at_once = most = 0

        def work() -> None:
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            asyncio.run_coroutine_threadsafe(gate.wait(), loop).result()
            at_once -= 1

        running = [asyncio.ensure_future(threads.run(work)) for _ in range(55)]
        await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        refused = [call for call in running if call.done()]
        assert len(refused) == 3
        assert all(isinstance(call.exception(), TooMany) for call in refused)
        gate.set()
        await asyncio.gather(*(call for call in running if call not in refused))
        assert most == 2

    async def test_an_asker_who_leaves_does_not_free_the_place(self) -> None:
        threads = Threads(at_once=1, waiting_max=0)
        gate = asyncio.Event()
        loop = asyncio.get_running_loop()
        started = asyncio.Event()

        def work() -> None:
            loop.call_soon_threadsafe(started.set)
            asyncio.run_coroutine_threadsafe(gate.wait(), loop).result()

        first = asyncio.ensure_future(threads.run(work))
        await started.wait()
        first.cancel()
        await asyncio.wait([first])
        with pytest.raises(TooMany):
            await threads.run(work)
        gate.set()

    async def test_unknown_accounts_match_nothing(self) -> None:
        assert not await Passwords().matches(None, "nobody's password")

    async def test_the_first_unknown_person_waits_no_longer(self, house: Any) -> None:
        assert house.process.implementation("identity")._passwords._nobody is not None
