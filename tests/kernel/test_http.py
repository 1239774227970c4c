"""What holds for every route: keys, forms, limits, headers, words."""

import asyncio
import re
from uuid import uuid4

import httpx2
import pytest
from fastapi import Request

from dvor.kernel.caller import Caller, asking
from dvor.kernel.http.routing import _principal
from dvor.services.identity import queries
from tests.conftest import House, MakeHouse

SAME_SITE = {"sec-fetch-site": "same-origin"}
PERSON = {"email": "ann@dvor.example", "password": "seven green lanterns", "name": "Ann"}


async def signed_in(house: House, name: str) -> dict[str, str]:
    """Headers of a person with an account of their own."""
    person = PERSON | {"email": f"{name}@dvor.example"}
    made = await house.http.post(
        "/api/v1/auth/register", json=person, headers={"idempotency-key": str(uuid4())}
    )
    assert made.status_code == 201, made.text
    tokens = await house.http.post(
        "/api/v1/auth/token", json={"email": person["email"], "password": person["password"]}
    )
    return {"authorization": f"Bearer {tokens.json()['access_token']}"}


async def change(house: House, headers: dict[str, str], **fields: str) -> httpx2.Response:
    """Change one's profile."""
    return await house.http.patch("/api/v1/me", json=fields or {"city": "Tver"}, headers=headers)


async def changes(house: House) -> int:
    """How many profiles were changed."""
    return await house.db("identity").fetchval(
        "SELECT count(*) FROM outbox WHERE type = 'identity.user_changed.v1'"
    )


class TestIdempotencyKeys:
    async def test_a_missing_or_misshapen_key_is_refused(self, make_house: MakeHouse) -> None:
        house = await make_house("identity")
        ann = await signed_in(house, "ann")
        for headers in ({}, {"idempotency-key": "seven"}):
            answer = await change(house, ann | headers)
            assert answer.status_code == 400
            assert answer.json()["code"] == "idempotency.key_missing"

    async def test_a_repeated_request_gets_the_same_answer(self, make_house: MakeHouse) -> None:
        house = await make_house("identity")
        headers = await signed_in(house, "ann") | {"idempotency-key": str(uuid4())}
        first = await change(house, headers)
        again = await change(house, headers)
        assert (first.status_code, again.status_code) == (200, 200)
        assert first.content == again.content
        assert again.headers["idempotency-replayed"] == "true"
        assert await changes(house) == 1

    async def test_another_body_under_the_same_key_never_runs(self, make_house: MakeHouse) -> None:
        house = await make_house("identity")
        headers = await signed_in(house, "ann") | {"idempotency-key": str(uuid4())}
        await change(house, headers)
        answer = await change(house, headers, city="Suzdal")
        assert answer.status_code == 422
        assert answer.json()["code"] == "idempotency.key_reused"
        assert await changes(house) == 1

    async def test_the_same_written_otherwise_is_the_same_request(
        self, make_house: MakeHouse
    ) -> None:
        house = await make_house("identity")
        headers = await signed_in(house, "ann") | {
            "idempotency-key": str(uuid4()),
            "content-type": "application/json",
        }
        bodies = ('{"city": "Tver", "name": "Ann"}', '{"name":"Ann",\n "city":"Tver"}')
        answers = [
            await house.http.patch("/api/v1/me", content=body, headers=headers) for body in bodies
        ]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[1].headers["idempotency-replayed"] == "true"
        assert await changes(house) == 1

    async def test_the_key_of_one_is_no_key_of_another(self, make_house: MakeHouse) -> None:
        house = await make_house("identity")
        key = {"idempotency-key": str(uuid4())}
        for number, name in enumerate(("ann", "bob"), 1):
            answer = await change(house, await signed_in(house, name) | key)
            assert answer.status_code == 200
            assert "idempotency-replayed" not in answer.headers
            assert await changes(house) == number

    def test_the_key_of_a_guest_is_no_other_guests(self) -> None:
        def principal(guest: str) -> str:
            headers = [(b"dvor-guest", guest.encode())] if guest else []
            return _principal(Request({"type": "http", "headers": headers}).headers)

        assert len({principal(guest) for guest in ("", "a secret", "another")}) == 3
        assert "a secret" not in principal("a secret")
        with asking(Caller(user_id=uuid4())) as person:
            assert principal("a secret") == str(person.user_id)

    async def test_of_twins_at_once_one_runs(self, make_house: MakeHouse) -> None:
        house = await make_house("identity")
        headers = await signed_in(house, "ann") | {"idempotency-key": str(uuid4())}
        answers = await asyncio.gather(*(change(house, headers) for _ in range(8)))
        assert {a.status_code for a in answers} <= {200, 409}
        assert await changes(house) == 1

    async def test_a_key_belongs_to_one_person(self, make_house: MakeHouse) -> None:
        house = await make_house("identity")
        key = {"idempotency-key": str(uuid4())}
        for name in ("cy", "di"):
            answer = await change(house, await signed_in(house, name) | key, name=name)
            assert answer.status_code == 200
            assert answer.json()["name"] == name
            assert "idempotency-replayed" not in answer.headers

    async def test_a_crash_of_ours_is_not_remembered(
        self, make_house: MakeHouse, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        house = await make_house("identity")
        headers = await signed_in(house, "ann") | {"idempotency-key": str(uuid4())}
        with monkeypatch.context() as patch:
            patch.setattr(queries, "update_profile", None)
            broken = await change(house, headers)
        mended = await change(house, headers)
        assert (broken.status_code, mended.status_code) == (500, 200)


class TestForms:
    async def form(self, house: House, path: str = "/sign-in") -> dict[str, str]:
        """The hidden fields of a page's form."""
        page = await house.http.get(path)
        assert page.status_code == 200
        return dict(re.findall(r'name="(_csrf|_key)" value="([^"]+)"', page.text))

    async def post(self, house: House, fields: dict[str, str], headers: dict[str, str]) -> int:
        """Send the sign-in form; answers the status."""
        data = {"email": "nobody@dvor.example", "password": "wrong wrong"} | fields
        answer = await house.http.post("/sign-in", data=data, headers=headers)
        return answer.status_code

    async def test_our_own_form_is_taken(self, make_house: MakeHouse) -> None:
        house = await make_house()
        assert await self.post(house, await self.form(house), SAME_SITE) != 403

    async def test_without_a_token_it_is_refused(self, make_house: MakeHouse) -> None:
        house = await make_house()
        await self.form(house)
        assert await self.post(house, {}, SAME_SITE) == 403

    async def test_a_token_of_another_visit_is_refused(self, make_house: MakeHouse) -> None:
        house = await make_house()
        fields = await self.form(house)
        house.http.cookies.clear()
        await house.http.get("/sign-in")
        assert await self.post(house, fields, SAME_SITE) == 403

    async def test_from_another_site_it_is_refused(self, make_house: MakeHouse) -> None:
        house = await make_house()
        fields = await self.form(house)
        for headers in (
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
            {"origin": "https://evil.example"},
            {"referer": "http://test.evil.example/"},
            {},
        ):
            assert await self.post(house, fields, headers) == 403, headers

    async def test_an_old_browser_is_known_by_its_origin(self, make_house: MakeHouse) -> None:
        house = await make_house()
        fields = await self.form(house)
        assert await self.post(house, fields, {"origin": "http://test"}) != 403


class TestEveryAnswer:
    async def test_carries_headers_that_protect(self, make_house: MakeHouse) -> None:
        house = await make_house()
        answer = await house.http.get("/sign-in")
        assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
        assert "'unsafe-inline'" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "private, no-store"
        assert len(answer.headers["x-request-id"]) >= 8

    async def test_names_the_request_as_the_client_did(self, make_house: MakeHouse) -> None:
        house = await make_house("identity")
        given = await house.http.get("/healthz", headers={"x-request-id": "client-1234"})
        assert given.headers["x-request-id"] == "client-1234"
        forged = await house.http.get("/healthz", headers={"x-request-id": "a b\tc"})
        assert forged.headers["x-request-id"] != "a b\tc"

    async def test_a_body_that_is_too_large_is_refused(self, make_house: MakeHouse) -> None:
        house = await make_house("identity", body_max_bytes=1000)
        answer = await house.http.post(
            "/api/v1/auth/register",
            content=b"x" * 2000,
            headers={"content-type": "application/json", "idempotency-key": str(uuid4())},
        )
        assert answer.status_code == 413

    async def test_a_refusal_speaks_the_callers_language(self, make_house: MakeHouse) -> None:
        house = await make_house("identity")
        answer = await house.http.get("/api/v1/me", headers={"accept-language": "ru-RU,ru;q=0.9"})
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "unauthenticated"
        assert re.search("[а-я]", answer.json()["detail"])

    async def test_a_character_that_cannot_be_kept_is_refused(self, make_house: MakeHouse) -> None:
        house = await make_house("identity")
        headers = await signed_in(house, "ann") | {"idempotency-key": str(uuid4())}
        answer = await change(house, headers, city="Su\x00zdal")
        assert answer.status_code == 422

    async def test_an_ended_token_may_ask_for_a_new_one(self, make_house: MakeHouse) -> None:
        house = await make_house("identity")
        await signed_in(house, "ann")
        answer = await house.http.post(
            "/api/v1/auth/token",
            json={"email": "ann@dvor.example", "password": PERSON["password"]},
            headers={"authorization": "Bearer stale"},
        )
        assert answer.status_code == 200, answer.text
        assert (
            await house.http.get("/api/v1/me", headers={"authorization": "Bearer stale"})
        ).status_code == 401

    async def test_invalid_fields_are_named_and_not_repeated(self, make_house: MakeHouse) -> None:
        house = await make_house("identity")
        answer = await house.http.post(
            "/api/v1/auth/register",
            json=PERSON | {"email": "<script>", "colour": "red"},
            headers={"idempotency-key": str(uuid4())},
        )
        assert answer.status_code == 422
        assert set(answer.json()["problems"]) == {"email", "colour"}
        assert "<script>" not in answer.text

    async def test_the_documentation_works_without_the_internet(
        self, make_house: MakeHouse
    ) -> None:
        house = await make_house("identity")
        page = await house.http.get("/api/docs")
        assert page.status_code == 200
        assert not re.search(r'(src|href)="(https?:)?//', page.text)
        schema = (await house.http.get("/api/openapi.json")).json()
        assert schema["openapi"].startswith("3.1")
        assert "/api/v1/me" in schema["paths"]


class TestGate:
    """A process that works on no change at a time, and lets nobody wait."""

    @pytest.fixture(params=[False, True], ids=["service", "edge"])
    async def closed(self, request: pytest.FixtureRequest, make_house: MakeHouse) -> House:
        limits = {"changes_at_once": 0, "changes_waiting": 0}
        fakes = {"identity": object(), "orders": object()}
        return await make_house("catalog", fakes=fakes, edge=request.param, **limits)

    async def test_changes_pass_it_and_readers_do_not(self, closed: House) -> None:
        path = "/api/v1/cart/lines" if closed.settings.edge else "/api/v1/listings"
        key = {"idempotency-key": str(uuid4())}
        answer = await closed.http.post(path, json={}, headers=key)
        assert (answer.status_code, answer.json()["code"]) == (503, "batch.busy")
        assert int(answer.headers["retry-after"]) >= 1
        assert (await closed.http.get("/api/v1/categories")).status_code == 200

    async def test_forms_pass_it(self, closed: House) -> None:
        page = (await closed.http.get("/sign-in")).text
        fields = dict(re.findall(r'name="(_csrf|_key)" value="([^"]+)"', page))
        chosen = fields | {"language": "ru"}  # which nobody but the page itself is asked for
        answer = await closed.http.post("/preferences", data=chosen, headers=SAME_SITE)
        assert answer.status_code == 503

    async def test_who_signs_in_needs_no_place_of_those_who_change_something(
        self, make_house: MakeHouse
    ) -> None:
        """A password takes long to check: many at once would keep everybody else from buying."""
        house = await make_house("identity", changes_at_once=1)
        ann = await signed_in(house, "ann")
        async with house.process.gate.passed():
            changing = asyncio.create_task(change(house, ann | {"idempotency-key": str(uuid4())}))
            again = {"email": "ann@dvor.example", "password": PERSON["password"]}
            answer = await house.http.post("/api/v1/auth/token", json=again)
            assert answer.status_code == 200
            assert not changing.done()
        assert (await changing).status_code == 200
