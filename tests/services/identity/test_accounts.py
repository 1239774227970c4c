"""Accounts: opening them, profiles, contacts, passwords."""

from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr, ValidationError

from dvor.contracts.identity import (
    EmailTaken,
    ProfileChange,
    SessionEnded,
    TooManyAttempts,
    User,
    WeakPassword,
    WrongCredentials,
)
from dvor.kernel.caller import Caller, Role, asking
from dvor.kernel.errors import Forbidden, InvalidFields, Unauthenticated


class TestRegister:
    async def test_it_opens_a_customers_account_and_tells_it(self, house: Any, people: Any) -> None:
        user = await house.identity.register(people.registration("New@Example.org", language="ru"))
        assert (user.email, user.roles, user.language) == (
            "new@example.org",
            (Role.CUSTOMER,),
            "ru",
        )
        told = {"user_id": str(user.id), "name": "Vera Lund", "language": "ru"}
        assert await people.events() == [("identity.user_registered.v1", told)]

    async def test_a_seller_is_one_from_the_start(self, house: Any, people: Any) -> None:
        user = await house.identity.register(people.registration("s@example.org", seller=True))
        assert user.roles == (Role.CUSTOMER, Role.SELLER)

    async def test_an_email_is_taken_in_any_case(self, house: Any, people: Any, vera: User) -> None:
        with pytest.raises(EmailTaken):
            await house.identity.register(people.registration("VERA@example.ORG"))

    async def test_of_a_race_for_one_email_one_wins(
        self, house: Any, people: Any, outcomes: Any
    ) -> None:
        wanted = [people.registration(f"{'rR'[n % 2]}ace@example.org") for n in range(8)]
        found = await outcomes(*(house.identity.register(r) for r in wanted))
        assert [type(f) for f in found].count(User) == 1
        assert {type(f) for f in found} == {User, EmailTaken}, found
        assert await people.count("users") == 1
        assert len(await people.events()) == 1

    async def test_a_weak_password_is_refused(self, house: Any, people: Any) -> None:
        with pytest.raises(WeakPassword):
            await house.identity.register(
                people.registration("w@example.org", password="qwerty123")
            )

    @pytest.mark.parametrize("email", ["", "a", "a@b", "a b@c.de", "a@b.c\n", "@x.yz"])
    def test_what_is_no_email_is_refused(self, people: Any, email: str) -> None:
        with pytest.raises(ValidationError):
            people.registration(email if email != "a@b.c\n" else "a\n@b.cd")

    async def test_an_email_is_not_tried_again_and_again(self, house: Any, people: Any) -> None:
        taken = people.registration("taken@example.org")
        await house.identity.register(taken)
        for _ in range(9):
            with pytest.raises(EmailTaken):
                await house.identity.register(taken)
        with pytest.raises(EmailTaken):
            await house.identity.register(taken)
        with pytest.raises(TooManyAttempts):
            await house.identity.register(taken)

    async def test_the_password_is_kept_as_argon2id_only(
        self, house: Any, people: Any, vera: User
    ) -> None:
        kept = await house.db("identity").fetchval("SELECT password_hash FROM users")
        assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


class TestEnsureUser:
    async def test_it_creates_an_account_with_roles(self, admin: User) -> None:
        assert admin.roles == (Role.CUSTOMER, Role.ADMIN)

    async def test_it_leaves_an_account_as_it_is(self, people: Any, vera: User) -> None:
        again = people.registration("Vera@example.org", name="Other", password="another-one-77")
        assert await people.setup.ensure_user(again, (Role.ADMIN,)) == vera

    async def test_many_at_once_create_one(self, people: Any, outcomes: Any) -> None:
        wanted = people.registration("first@example.org")
        found = await outcomes(*(people.setup.ensure_user(wanted, ()) for _ in range(5)))
        assert len({user.id for user in found}) == 1

    @pytest.mark.parametrize("service", ["", "web", "orders"])
    async def test_only_setup_may(self, house: Any, people: Any, service: str) -> None:
        with pytest.raises(Forbidden):
            await house.proxy("identity", service).ensure_user(
                people.registration("x@example.org"), (Role.ADMIN,)
            )


class TestChangeProfile:
    async def test_it_changes_what_is_named(self, house: Any, people: Any, vera: User) -> None:
        with people.calling(vera):
            changed = await house.identity.change_profile(ProfileChange(city="Tver", language="ru"))
            assert changed == vera.model_copy(update={"city": "Tver", "language": "ru"})
            assert await house.identity.me() == changed
        assert [type_ for type_, _ in await people.events()][1:] == ["identity.user_changed.v1"]

    async def test_no_change_tells_nothing(self, house: Any, people: Any, vera: User) -> None:
        with people.calling(vera):
            await house.identity.change_profile(ProfileChange(name=vera.name))
        assert len(await people.events()) == 1

    async def test_a_stranger_has_no_profile(self, house: Any) -> None:
        with pytest.raises(Unauthenticated):
            await house.identity.me()
        with pytest.raises(Unauthenticated):
            await house.identity.change_profile(ProfileChange(name="X"))
        with asking(Caller(user_id=uuid4())), pytest.raises(Unauthenticated):
            await house.identity.me()


class TestProfiles:
    async def test_everybody_sees_what_is_public(self, house: Any, vera: User) -> None:
        found = await house.identity.profiles((vera.id, uuid4()))
        assert [(p.id, p.name) for p in found.items] == [(vera.id, "Vera Lund")]
        assert "email" not in found.items[0].model_dump()


class TestContacts:
    async def test_services_learn_addresses(self, house: Any, vera: User) -> None:
        found = await house.proxy("identity", "notifications").contacts((vera.id, uuid4()))
        assert [(c.user_id, c.email) for c in found.items] == [(vera.id, "vera@example.org")]

    @pytest.mark.parametrize("service", ["", "web", "catalog"])
    async def test_nobody_else_does(
        self, house: Any, people: Any, admin: User, service: str
    ) -> None:
        with people.calling(admin), pytest.raises(Forbidden):
            await house.proxy("identity", service).contacts((admin.id,))


class TestChangePassword:
    async def test_the_new_one_signs_in_and_the_old_one_does_not(
        self, house: Any, people: Any, vera: User
    ) -> None:
        with people.calling(vera):
            await house.identity.change_password(
                SecretStr(people.password), SecretStr(people.other_password)
            )
        await house.identity.sign_in(people.credentials(vera.email, people.other_password))
        with pytest.raises(WrongCredentials):
            await house.identity.sign_in(people.credentials(vera.email))

    async def test_all_other_sessions_end(self, house: Any, people: Any, vera: User) -> None:
        here = await house.identity.sign_in(people.credentials(vera.email))
        there = await house.identity.sign_in(people.credentials(vera.email))
        client = await house.identity.issue_tokens(people.credentials(vera.email))
        with asking(await house.identity.session(here.token)):
            await house.identity.change_password(
                SecretStr(people.password), SecretStr(people.other_password)
            )
        await house.identity.session(here.token)
        with pytest.raises(SessionEnded):
            await house.identity.session(there.token)
        with pytest.raises(SessionEnded):
            await house.identity.authenticate(client.access_token)
        with pytest.raises(SessionEnded):
            await house.identity.refresh_tokens(client.refresh_token)

    async def test_the_old_one_must_be_right_and_is_not_guessed(
        self, house: Any, people: Any, vera: User
    ) -> None:
        new = SecretStr(people.other_password)
        with people.calling(vera):
            for _ in range(11):
                with pytest.raises(WrongCredentials):
                    await house.identity.change_password(SecretStr("wrong wrong"), new)
            with pytest.raises(TooManyAttempts):
                await house.identity.change_password(SecretStr(people.password), new)

    async def test_a_weak_one_is_refused(self, house: Any, people: Any, vera: User) -> None:
        with people.calling(vera):
            with pytest.raises(WeakPassword):
                await house.identity.change_password(
                    SecretStr(people.password), SecretStr("veralund1")
                )
            with pytest.raises(InvalidFields):
                await house.identity.change_password(SecretStr(people.password), SecretStr("a"))

    async def test_spaces_around_it_and_other_keyboards_do_not_matter(
        self, house: Any, people: Any, vera: User
    ) -> None:
        with people.calling(vera):
            await house.identity.change_password(
                SecretStr(people.password), SecretStr(" cafe\u0301 in the rain ")
            )
        await house.identity.sign_in(people.credentials(vera.email, "caf\u00e9 in the rain"))
