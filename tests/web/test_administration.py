"""The pages of admins."""

from uuid import uuid4

import pytest

from dvor.contracts.catalog import ListingStatus
from dvor.contracts.identity import AdminAction, LastAdmin
from dvor.contracts.orders import OrderStatus, Viewpoint
from dvor.kernel.caller import Role
from tests.web.conftest import Web
from tests.web.fakes import order
from tests.web.test_selling import lamp


class TestWhoMayAdminister:
    @pytest.mark.parametrize("path", ["", "/users", "/listings", "/orders", "/payments"])
    async def test_sellers_may_not(self, web: Web, path: str):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        assert (await browser.open(f"/admin{path}")).status == 403

    async def test_strangers_sign_in_first(self, web: Web):
        assert (await web.browser().open("/admin")).path == "/sign-in?next=%2Fadmin"


class TestOverview:
    async def test_shows_what_there_is_and_what_came_last(self, web: Web):
        browser, _ = await web.signed_in("Olga", Role.ADMIN)
        web.orders.kept = [order(uuid4(), title="Bowl")]
        page = await browser.open("/admin")
        assert page.status == 200 and "Bowl" in page.text and "olga@example.com" in page.text
        assert web.orders.searches[-1].viewpoint is Viewpoint.ADMIN


class TestUsers:
    async def test_finds_by_a_part_of_the_name(self, web: Web):
        await web.signed_in("Anna")
        browser, _ = await web.signed_in("Olga", Role.ADMIN)
        page = await browser.open("/admin/users?text=ann")
        assert "anna@example.com" in page.text and "olga@example.com" not in page.text
        assert "Nobody found" in (await browser.open("/admin/users?text=nobody")).text

    async def test_a_change_says_what_it_does_before_it_is_done(self, web: Web):
        _, anna = await web.signed_in("Anna")
        browser, _ = await web.signed_in("Olga", Role.ADMIN)
        path = f"/admin/users/{anna.id}/block"
        page = await browser.open(path)
        assert "Block Anna?" in page.text and web.identity.administered == []
        page = await browser.submit(page, path)
        assert "Anna is blocked and signed out everywhere." in page.text
        assert web.identity.administered == [(anna.id, AdminAction.BLOCK)]

    async def test_blocking_can_be_undone_from_the_notice(self, web: Web):
        _, anna = await web.signed_in("Anna")
        browser, _ = await web.signed_in("Olga", Role.ADMIN)
        path = f"/admin/users/{anna.id}"
        page = await browser.submit(await browser.open(f"{path}/block"), f"{path}/block")
        await browser.submit(page, f"{path}/unblock")
        assert web.identity.administered[-1] == (anna.id, AdminAction.UNBLOCK)

    async def test_the_last_admin_stays(self, web: Web):
        browser, olga = await web.signed_in("Olga", Role.ADMIN)
        path = f"/admin/users/{olga.id}/make_customer"
        page = await browser.open(path)
        web.identity.refuse = LastAdmin()
        page = await browser.submit(page, path)
        assert page.path == "/admin/users" and "This is the last admin" in page.text

    async def test_an_unknown_action_is_not_found(self, web: Web):
        _, anna = await web.signed_in("Anna")
        browser, _ = await web.signed_in("Olga", Role.ADMIN)
        assert (await browser.open(f"/admin/users/{anna.id}/explode")).status == 404


class TestListings:
    async def test_takes_one_off_sale_and_puts_it_back(self, web: Web):
        seller, _ = await web.signed_in("Sam", Role.SELLER)
        await lamp(seller, press="do=publish")
        listing = next(iter(web.catalog.listings))
        browser, _ = await web.signed_in("Olga", Role.ADMIN)
        page = await browser.open("/admin/listings")
        assert "Sam" in page.text
        page = await browser.submit(page, f"/admin/listings/{listing}/archive")
        assert web.catalog.listings[listing].status is ListingStatus.ARCHIVED
        await browser.submit(page, f"/admin/listings/{listing}/publish")
        assert web.catalog.listings[listing].status is ListingStatus.PUBLISHED


class TestOrders:
    async def test_shows_everybodys(self, web: Web):
        browser, _ = await web.signed_in("Olga", Role.ADMIN)
        web.orders.kept = [order(uuid4(), OrderStatus.PAID, title="Bowl")]
        page = await browser.open("/admin/orders?status=paid")
        assert "Bowl" in page.text
        page = await browser.open(f"/admin/orders/{web.orders.kept[0].id}")
        assert page.status == 200 and "ABCD2345" in page.text

    async def test_cancels_after_saying_what_happens(self, web: Web):
        browser, _ = await web.signed_in("Olga", Role.ADMIN)
        web.orders.kept = [order(uuid4(), OrderStatus.PAID)]
        path = f"/admin/orders/{web.orders.kept[0].id}"
        page = await browser.submit(await browser.open(f"{path}/cancel"), f"{path}/cancel")
        assert page.path == path and web.orders.did[0][0] == "cancel"


class TestPayments:
    async def test_says_when_there_are_none(self, web: Web):
        browser, _ = await web.signed_in("Olga", Role.ADMIN)
        assert "No payments yet" in (await browser.open("/admin/payments")).text
