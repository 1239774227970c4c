"""What admins do: find accounts, give roles, block; and never lose the last admin."""

from typing import Any
from uuid import uuid4

import pytest

from dvor.contracts.identity import AdminAction, LastAdmin, UnknownUser, User, UserSearch
from dvor.kernel.caller import Role
from dvor.kernel.errors import Forbidden, InvalidFields, Unauthenticated

CUSTOMER, SELLER, ADMIN = Role.CUSTOMER, Role.SELLER, Role.ADMIN


class TestAdminister:
    async def test_roles_are_added_and_taken_away(
        self, house: Any, people: Any, admin: User, vera: User
    ) -> None:
        steps = [
            (AdminAction.MAKE_SELLER, (CUSTOMER, SELLER)),
            (AdminAction.MAKE_ADMIN, (CUSTOMER, SELLER, ADMIN)),
            (AdminAction.MAKE_SELLER, (CUSTOMER, SELLER, ADMIN)),
            (AdminAction.MAKE_CUSTOMER, (CUSTOMER,)),
        ]
        with people.calling(admin):
            for action, roles in steps:
                assert (await house.identity.administer(vera.id, action)).roles == roles

    async def test_each_change_is_told_and_no_change_is_not(
        self, house: Any, people: Any, admin: User, vera: User
    ) -> None:
        told = len(await people.events())
        with people.calling(admin):
            for action in (AdminAction.BLOCK, AdminAction.BLOCK, AdminAction.UNBLOCK):
                await house.identity.administer(vera.id, action)
        changes = [data["blocked"] for _, data in (await people.events())[told:]]
        assert changes == [True, False]

    async def test_the_last_admin_stays(self, house: Any, people: Any, admin: User) -> None:
        with people.calling(admin):
            for action in (AdminAction.BLOCK, AdminAction.MAKE_CUSTOMER):
                with pytest.raises(LastAdmin):
                    await house.identity.administer(admin.id, action)
            await house.identity.administer(admin.id, AdminAction.MAKE_SELLER)
            assert ADMIN in (await house.identity.me()).roles

    async def test_a_blocked_admin_does_not_count(
        self, house: Any, people: Any, admin: User
    ) -> None:
        other = await people.admin("other@example.org")
        with people.calling(admin):
            await house.identity.administer(other.id, AdminAction.BLOCK)
            with pytest.raises(LastAdmin):
                await house.identity.administer(admin.id, AdminAction.BLOCK)
            await house.identity.administer(other.id, AdminAction.UNBLOCK)
            await house.identity.administer(admin.id, AdminAction.BLOCK)

    async def test_admins_who_remove_each_other_at_once_leave_one(
        self, house: Any, people: Any, outcomes: Any
    ) -> None:
        admins = [await people.admin(f"a{n}@example.org") for n in range(6)]
        db = house.db("identity")

        async def remove(target: User, action: AdminAction) -> User:
            with people.calling(admins[0]):
                return await house.identity.administer(target.id, action)

        actions = (AdminAction.BLOCK, AdminAction.MAKE_CUSTOMER)
        targets = [*admins, *reversed(admins)]
        found = await outcomes(*(remove(t, actions[n % 2]) for n, t in enumerate(targets)))
        assert {type(f) for f in found} == {User, LastAdmin}
        left = "SELECT count(*) FROM users WHERE 'admin' = ANY (roles) AND NOT blocked"
        assert await db.fetchval(left) == 1

    async def test_strangers_are_unknown(self, house: Any, people: Any, admin: User) -> None:
        with people.calling(admin), pytest.raises(UnknownUser):
            await house.identity.administer(uuid4(), AdminAction.BLOCK)

    async def test_only_admins_may(self, house: Any, people: Any, admin: User, vera: User) -> None:
        with pytest.raises(Unauthenticated):
            await house.identity.administer(vera.id, AdminAction.MAKE_ADMIN)
        with people.calling(vera), pytest.raises(Forbidden):
            await house.identity.administer(vera.id, AdminAction.MAKE_ADMIN)


class TestUsers:
    async def test_they_come_newest_first_page_by_page(
        self, house: Any, people: Any, admin: User
    ) -> None:
        made = [
            await house.identity.register(people.registration(f"p{n}@example.org"))
            for n in range(5)
        ]
        seen: list[User] = []
        cursor = None
        with people.calling(admin):
            while True:
                page = await house.identity.users(UserSearch(limit=2, cursor=cursor))
                seen += page.items
                cursor = page.next_cursor
                if cursor is None:
                    break
        assert seen == [*reversed(made), admin]

    async def test_they_are_found_by_a_part_of_email_or_name(
        self, house: Any, people: Any, admin: User, vera: User
    ) -> None:
        with people.calling(admin):
            for text, found in (("VERA@", 1), ("lund", 2), ("%", 0), ("_", 0), ("ndx", 0)):
                assert len((await house.identity.users(UserSearch(text=text))).items) == found, text

    async def test_a_foreign_cursor_is_refused(self, house: Any, people: Any, admin: User) -> None:
        with people.calling(admin), pytest.raises(InvalidFields):
            await house.identity.users(UserSearch(cursor="x"))

    async def test_only_admins_see_them(self, house: Any, people: Any, vera: User) -> None:
        with people.calling(vera), pytest.raises(Forbidden):
            await house.identity.users(UserSearch())
