"""Attacks on sessions and accounts: fixation, caches, late exits, guessing."""

import re
from dataclasses import replace
from types import SimpleNamespace

import httpx2
import pytest

from dvor.contracts.payments import CardDeclined
from dvor.kernel import clock
from dvor.kernel.caller import ANONYMOUS, asking
from dvor.kernel.config import Settings
from tests.house.calls import ROUTES
from tests.house.test_authorization import MATRIX, is_page
from tests.house.world import PASSWORD, SAME_SITE, Person, World, stay_dates

PAGES = sorted({key.partition(" @")[0] for key in MATRIX["routes"]})


class TestSessions:
    async def sign_in(
        self, world: World, http: httpx2.AsyncClient, who: Person, cookies: str = ""
    ) -> httpx2.Response:
        """Through the form, as a browser with these cookies."""
        assert who.user is not None
        browser = Person()
        bound = re.search(r"(?:__Host-)?dvor=([^;]+)", cookies)
        form = {
            "_csrf": world.csrf(replace(browser, session=bound[1] if bound else "")),
            "email": who.user.email,
            "password": PASSWORD,
        }
        headers = SAME_SITE | {"cookie": f"visit={browser.visit}; {cookies}"}
        http.cookies.clear()
        answer = await http.post("/sign-in", data=form, headers=headers)
        assert answer.status_code == 303, answer.text
        return answer

    def cookie(self, answer: httpx2.Response, name: str) -> str:
        """A cookie as it was set."""
        return next(c for c in answer.headers.get_list("set-cookie") if c.startswith(f"{name}="))

    async def test_signing_in_gives_a_new_session(self, world: World) -> None:
        planted = "f" * 64
        answer = await self.sign_in(world, world.http, world.stranger, f"dvor={planted}")
        given = self.cookie(answer, "dvor").split(";")[0].removeprefix("dvor=")
        assert given != planted
        planter = await world.page(Person(session=planted), "GET", "/account")
        assert planter.headers["location"].startswith("/sign-in")
        again = await self.sign_in(world, world.http, world.stranger, f"dvor={given}")
        assert given not in self.cookie(again, "dvor")

    async def test_forms_of_before_signing_in_are_void_afterwards(self, world: World) -> None:
        before = Person()
        token = world.csrf(before)
        cookie = f"visit={before.visit}; dvor={world.customer.session}"
        answer = await world.http.post(
            "/account", data={"_csrf": token}, headers=SAME_SITE | {"cookie": cookie}
        )
        assert answer.status_code == 403

    async def test_cookies_are_kept_from_scripts_and_sites(self, world: World) -> None:
        answer = await self.sign_in(world, world.http, world.stranger)
        flags = self.cookie(answer, "dvor").lower()
        for flag in ("httponly", "samesite=lax", "path=/"):
            assert flag in flags
        assert "domain" not in flags

    async def test_over_https_cookies_are_bound_to_the_host(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        process = world.house.process
        secure = replace(process.settings, public_url="https://dvor.example")
        monkeypatch.setattr(process, "settings", secure)
        async with world.house.client() as http:
            answer = await self.sign_in(world, http, world.stranger)
            page = await http.get("/sign-in")
        flags = self.cookie(answer, "__Host-dvor").lower()
        assert "secure" in flags
        assert "domain" not in flags
        for cookie in answer.headers.get_list("set-cookie") + page.headers.get_list("set-cookie"):
            assert "secure" in cookie.lower(), cookie
        assert "max-age=" in page.headers["strict-transport-security"]

    @pytest.mark.parametrize("way", ["browser", "api", "blocked"])
    async def test_a_signed_out_person_is_out_within_three_seconds(
        self, world: World, monkeypatch: pytest.MonkeyPatch, way: str
    ) -> None:
        person = await world.person("Leo Leaver")
        process = world.house.process
        usual = Settings().caller_cache_seconds
        assert usual <= 3
        monkeypatch.setattr(
            process, "settings", replace(process.settings, caller_cache_seconds=usual)
        )
        now = [1000.0]
        hands = SimpleNamespace(monotonic=lambda: now[0], perf_counter=lambda: now[0])
        monkeypatch.setattr("dvor.kernel.http.front.time", hands)
        async with world.house.client() as http:

            async def status() -> int:
                if way == "browser":
                    headers = {"cookie": f"dvor={person.session}"}
                    return (await http.get("/account", headers=headers)).status_code
                headers = {"authorization": f"Bearer {person.token}"}
                return (await http.get("/api/v1/me", headers=headers)).status_code

            assert await status() == 200
            # Elsewhere: this process is not told and remembers for a moment.
            if way == "browser":
                await world.house.identity.sign_out(person.session)
            elif way == "api":
                await world.house.identity.revoke_tokens(person.refresh_token)
            else:
                path = f"/api/v1/users/{person.id}/actions/block"
                assert (await world.api(world.admin, "POST", path)).status_code == 200
            now[0] += 3
            assert await status() == (303 if way == "browser" else 401)

    async def test_signing_out_here_is_at_once_and_clears_what_was_kept(self, world: World) -> None:
        assert world.stranger.user is not None
        leaver = await world.signed_in(world.stranger.user)
        answer = await world.page(leaver, "POST", "/sign-out")
        assert answer.headers["clear-site-data"] == '"cache"'
        assert "max-age=0" in self.cookie(answer, "dvor").lower()
        after = await world.page(leaver, "GET", "/account")
        assert after.status_code == 303

    @pytest.mark.parametrize(
        "route",
        [key for key in PAGES if key.startswith("GET") and key != "GET /static"],
    )
    async def test_no_private_page_is_kept_by_caches(self, world: World, route: str) -> None:
        path = route.split(" ")[1]
        call = await ROUTES[route](world, world.admin) if route in ROUTES else None
        send = world.page if is_page(path) else world.api
        answer = await send(
            world.admin, "GET", call.path(path) if call else path, **(call.more if call else {})
        )
        public = ("/pictures/", "/icon.svg", "/.well-known/", "/worker.js", "/ical/")
        everybodys = path.startswith(public) or path.endswith("/avatar")
        kept = answer.headers["cache-control"]
        if everybodys:
            assert "dvor=" not in str(answer.headers.get_list("set-cookie"))
        else:
            assert "no-store" in kept or kept == "no-cache", kept
            assert "public" not in kept


class TestGuessing:
    async def test_nobody_learns_who_has_an_account(self, world: World) -> None:
        assert world.stranger.user is not None
        known, unknown = world.stranger.user.email, "nobody-at-all@example.org"
        bodies = [
            {"email": known, "password": "not the password"},
            {"email": unknown, "password": "not the password"},
        ]
        tokens = [await world.api(world.nobody, "POST", "/api/v1/auth/token", b) for b in bodies]
        assert {a.status_code for a in tokens} == {401}
        said = [{n: v for n, v in a.json().items() if n != "request"} for a in tokens]
        assert said[0] == said[1]
        pages = [await world.page(world.nobody, "POST", "/sign-in", b) for b in bodies]
        assert {a.status_code for a in pages} == {401}
        shown = [
            re.sub(r'value="[^"]*"|nonce="[^"]*"', "", a.text)
            .replace(known, "")
            .replace(unknown, "")
            for a in pages
        ]
        assert shown[0] == shown[1]

    async def test_the_address_of_a_payment_is_its_secret(self, world: World) -> None:
        order = await world.order()
        token = order.pay_path.removeprefix("/pay/")
        for guess in (str(order.id), order.number, token[:-1], token.swapcase(), "", "%00"):
            answer = await world.page(world.nobody, "GET", f"/pay/{guess}")
            assert answer.status_code in (404, 422), guess
        for who in (world.seller, world.admin):
            with who.asking():
                assert (await world.house.orders.order(order.id)).pay_path == ""
        with asking(ANONYMOUS), pytest.raises(CardDeclined):
            await world.house.payments.submit_card(token, "4000000000000002")

    def test_dates_of_the_world_are_to_come(self) -> None:
        assert stay_dates().start > clock.now().date()
