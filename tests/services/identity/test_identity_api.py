"""Identity over REST, as a foreign client sees it."""

from typing import Any
from uuid import uuid4

import pytest
from PIL import Image

from dvor.contracts.identity import Tokens, User

NO_REGISTRATIONS: list[dict[str, Any]] = [
    {},
    {"email": "a@b.cd"},
    {"email": "a@b.cd", "password": "long enough 1", "name": "A", "roles": ["admin"]},
    {"email": "a@b.cd", "password": "long enough 1", "name": "A", "blocked": False},
    {"email": "a@b.cd", "password": 12345678, "name": "A"},
    {"email": "a@b.cd", "password": "long enough 1", "name": ""},
    {"email": "a@b.cd", "password": "long enough 1", "name": "A", "seller": "yes"},
    {"email": "a@b.cd", "password": "p" * 257, "name": "A"},
]


FOR_THE_SIGNED_IN = [
    ("GET", "/me"),
    ("PATCH", "/me"),
    ("DELETE", "/me/avatar"),
    ("GET", "/me/sessions"),
    ("DELETE", f"/me/sessions/{uuid4()}"),
    ("GET", "/users"),
    ("POST", f"/users/{uuid4()}/actions/block"),
]


def bearer(tokens: dict[str, Any] | Tokens, *, key: bool = True) -> dict[str, str]:
    """The headers of a request that changes something."""
    token = tokens.access_token if isinstance(tokens, Tokens) else tokens["access_token"]
    headers = {"authorization": f"Bearer {token}"}
    return headers | ({"idempotency-key": str(uuid4())} if key else {})


@pytest.fixture
def picture(tmp_path: Any) -> bytes:
    """A small PNG."""
    Image.new("RGB", (20, 10), "red").save(tmp_path / "a.png")
    return (tmp_path / "a.png").read_bytes()


@pytest.fixture
async def admin_tokens(house: Any, people: Any, admin: User) -> Tokens:
    """The admin's API client."""
    return await house.identity.issue_tokens(people.credentials(admin.email))


class TestAuth:
    async def test_a_client_registers_signs_in_refreshes_and_signs_out(
        self, house: Any, people: Any
    ) -> None:
        http = house.http
        who = {"email": "api@example.org", "password": people.password}
        made = await http.post("/api/v1/auth/register", json=who | {"name": "Api"})
        assert (made.status_code, made.json()["roles"]) == (201, ["customer"])
        assert "password" not in made.text
        issued = await http.post("/api/v1/auth/token", json=who, headers={"user-agent": "tests/1"})
        assert issued.headers["cache-control"] == "private, no-store"
        first = issued.json()
        shown = await http.get("/api/v1/me", headers=bearer(first))
        assert shown.json() == made.json()
        held = {"refresh_token": first["refresh_token"]}
        second = (await http.post("/api/v1/auth/refresh", json=held)).json()
        sessions = (await http.get("/api/v1/me/sessions", headers=bearer(second))).json()["items"]
        assert [(s["client"], s["current"]) for s in sessions] == [("tests/1", True)]
        ended = await http.post("/api/v1/auth/revoke", json=held)
        assert ended.status_code == 204
        gone = await http.get("/api/v1/me", headers=bearer(second))
        assert (gone.status_code, gone.json()["code"]) == (401, "identity.session_ended")

    async def test_refusals_are_problems(self, house: Any, people: Any, vera: User) -> None:
        wrong = {"email": vera.email, "password": "wrong wrong"}
        unknown = {"email": "nobody@example.org", "password": "wrong wrong"}
        answers = [
            await house.http.post("/api/v1/auth/token", json=given) for given in (wrong, unknown)
        ]
        bodies = [{**a.json(), "request": ""} for a in answers]
        assert [a.status_code for a in answers] == [401, 401]
        assert bodies[0] == bodies[1]
        assert bodies[0]["code"] == "identity.wrong_credentials"
        russian = await house.http.post(
            "/api/v1/auth/token", json=wrong, headers={"accept-language": "ru"}
        )
        assert russian.json()["detail"] == "Почта или пароль не подходят."

    async def test_waits_are_said(self, house: Any, people: Any, vera: User) -> None:
        wrong = {"email": vera.email, "password": "wrong wrong"}
        answers = [await house.http.post("/api/v1/auth/token", json=wrong) for _ in range(12)]
        assert (answers[-1].status_code, answers[-1].headers["retry-after"]) == (429, "60")

    async def test_nothing_but_the_fields_of_a_registration_is_taken(
        self, house: Any, people: Any
    ) -> None:
        for body in NO_REGISTRATIONS:
            answer = await house.http.post("/api/v1/auth/register", json=body)
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid_fields"), body
            assert "long enough" not in answer.text
        assert await people.count("users") == 0

    async def test_neither_passwords_nor_tokens_are_kept_for_replays(
        self, house: Any, people: Any, vera: User, tokens: Tokens
    ) -> None:
        key = {"idempotency-key": str(uuid4())}
        who = {"email": vera.email, "password": people.password}
        await house.http.post("/api/v1/auth/token", json=who, headers=key)
        held = {"refresh_token": tokens.refresh_token}
        await house.http.post("/api/v1/auth/refresh", json=held, headers=key)
        change = {"old": people.password, "new": people.other_password}
        done = await house.http.post("/api/v1/me/password", json=change, headers=bearer(tokens))
        assert done.status_code == 204
        assert await people.count("idempotency_keys") == 0


class TestMe:
    async def test_a_profile_is_changed(self, house: Any, tokens: Tokens) -> None:
        answer = await house.http.patch("/api/v1/me", json={"city": "Tver"}, headers=bearer(tokens))
        assert (answer.status_code, answer.json()["city"]) == (200, "Tver")

    async def test_no_other_field_can_be_set(self, house: Any, tokens: Tokens) -> None:
        for field in ("id", "email", "roles", "blocked", "avatar", "created_at"):
            answer = await house.http.patch("/api/v1/me", json={field: "x"}, headers=bearer(tokens))
            assert answer.status_code == 422, field

    async def test_strangers_are_asked_to_sign_in(self, house: Any) -> None:
        for method, path in FOR_THE_SIGNED_IN:
            body = {"json": {}} if method == "PATCH" else {}
            answer = await house.http.request(
                method, f"/api/v1{path}", headers={"idempotency-key": str(uuid4())}, **body
            )
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), path
            assert answer.headers["www-authenticate"].startswith("Bearer")

    async def test_a_session_is_ended(self, house: Any, tokens: Tokens) -> None:
        listed = await house.http.get("/api/v1/me/sessions", headers=bearer(tokens))
        path = f"/api/v1/me/sessions/{listed.json()['items'][0]['id']}"
        assert (await house.http.delete(path, headers=bearer(tokens))).status_code == 204
        assert (await house.http.get("/api/v1/me", headers=bearer(tokens))).status_code == 401


class TestAvatar:
    async def test_everybody_sees_it_and_caches_may_keep_it(
        self, house: Any, vera: User, tokens: Tokens, picture: bytes
    ) -> None:
        put = await house.http.put("/api/v1/me/avatar", content=picture, headers=bearer(tokens))
        version = put.json()["avatar"]
        path = f"/api/v1/users/{vera.id}/avatar"
        shown = await house.http.get(path)
        assert (shown.headers["content-type"], shown.headers["etag"]) == (
            "image/webp",
            f'"{version}"',
        )
        assert shown.headers["cache-control"] == "public, max-age=60"
        assert shown.headers["x-content-type-options"] == "nosniff"
        exact = await house.http.get(f"{path}?v={version}")
        assert exact.headers["cache-control"] == "public, max-age=31536000, immutable"
        again = await house.http.get(path, headers={"if-none-match": f'"{version}"'})
        assert (again.status_code, again.content) == (304, b"")
        gone = await house.http.delete("/api/v1/me/avatar", headers=bearer(tokens))
        assert gone.json()["avatar"] == ""
        assert (await house.http.get(path)).status_code == 404

    async def test_what_is_no_picture_is_refused(self, house: Any, tokens: Tokens) -> None:
        for body in (b"", b"<svg/>", b"\x89PNG" + bytes(5_000_001)):
            answer = await house.http.put("/api/v1/me/avatar", content=body, headers=bearer(tokens))
            assert (answer.status_code, answer.json()["code"]) == (422, "identity.bad_image")


class TestUsers:
    async def test_an_admin_finds_and_blocks(
        self, house: Any, vera: User, admin_tokens: Tokens, tokens: Tokens
    ) -> None:
        found = await house.http.get(
            "/api/v1/users?text=vera@&limit=1", headers=bearer(admin_tokens)
        )
        assert [user["id"] for user in found.json()["items"]] == [str(vera.id)]
        path = f"/api/v1/users/{vera.id}/actions"
        blocked = await house.http.post(f"{path}/block", headers=bearer(admin_tokens))
        assert blocked.json()["blocked"] is True
        assert (await house.http.get("/api/v1/me", headers=bearer(tokens))).status_code == 401
        unknown = await house.http.post(f"{path}/crown", headers=bearer(admin_tokens))
        assert unknown.status_code == 422

    async def test_customers_may_not(self, house: Any, vera: User, tokens: Tokens) -> None:
        answers = [
            await house.http.get("/api/v1/users", headers=bearer(tokens)),
            await house.http.post(
                f"/api/v1/users/{vera.id}/actions/make_admin", headers=bearer(tokens)
            ),
        ]
        assert [a.status_code for a in answers] == [403, 403]


class TestKeys:
    async def test_they_are_public_and_hold_nothing_private(self, house: Any) -> None:
        answer = await house.http.get("/.well-known/jwks.json")
        assert answer.headers["cache-control"] == "public, max-age=300"
        (key,) = answer.json()["keys"]
        assert key.keys() == {"kty", "crv", "x", "kid", "alg", "use"}
