"""API tokens: refreshing, theft, forged access tokens, keys."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dvor.contracts.identity import AdminAction, SessionEnded, Tokens, User
from dvor.kernel import clock
from dvor.kernel import tokens as door
from dvor.kernel.caller import Role
from dvor.kernel.errors import InvalidFields

OTHER_CLAIMS: list[dict[str, Any]] = [
    {"aud": "other"},
    {"aud": None},
    {"aud": ["other"]},
    {"iss": "https://evil.example"},
    {"iss": None},
    {"exp": 1},
    {"exp": None},
    {"exp": "9999999999"},
    {"exp": 1e300},
    {"iat": None},
    {"iat": 99999999999},
    {"nbf": 99999999999},
    {"nbf": "soon"},
    {"jti": None},
    {"sid": None},
    {"sid": str(uuid4())},
    {"sid": "x"},
    {"sid": 5},
    {"sub": None},
    {"sub": str(uuid4())},
    {"sub": "admin"},
]
OTHER_HEADERS: list[dict[str, Any]] = [
    {"typ": "JWT"},
    {"typ": None},
    {"alg": "none"},
    {"alg": "HS256"},
    {"alg": "RS256"},
    {"alg": "ES256"},
    {"alg": "Ed25519"},
    {"alg": None},
    {"kid": "other"},
    {"kid": None},
    {"kid": 7},
    {"kid": "../../etc/passwd"},
    {"kid": "' OR 1=1 --"},
    {"jku": "https://evil.example/keys"},
    {"jwk": {"kty": "OKP"}},
    {"x5u": "https://evil.example/cert"},
    {"crit": ["exp"]},
    {"b64": False, "crit": ["b64"]},
]


def decoded(part: str) -> dict[str, Any]:
    """A part of a token, whoever signed it."""
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def encoded(content: Any) -> str:
    """A part of a token."""
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


class TestRefreshTokens:
    async def test_each_exchange_gives_the_next_pair(
        self, house: Any, vera: User, tokens: Tokens
    ) -> None:
        held = tokens
        for _ in range(3):
            after = await house.identity.refresh_tokens(held.refresh_token)
            assert after.refresh_token != held.refresh_token
            assert (await house.identity.authenticate(after.access_token)).user_id == vera.id
            held = after

    async def test_fifty_at_once_get_one_successor(
        self, house: Any, people: Any, tokens: Tokens
    ) -> None:
        found = await asyncio.gather(
            *(house.identity.refresh_tokens(tokens.refresh_token) for _ in range(50))
        )
        assert len({after.refresh_token for after in found}) == 1
        assert await people.count("refresh_tokens") == 2
        await house.identity.refresh_tokens(found[0].refresh_token)

    async def test_many_tabs_are_never_taken_for_thieves(
        self, house: Any, people: Any, tokens: Tokens
    ) -> None:
        held = tokens
        for _ in range(20):
            await house.clock.advance(minutes=5)
            found = await asyncio.gather(
                *(house.identity.refresh_tokens(held.refresh_token) for _ in range(5))
            )
            held = found[-1]
        assert await people.count("refresh_tokens") == 21

    async def test_a_lost_answer_can_be_asked_for_again(self, house: Any, tokens: Tokens) -> None:
        first = await house.identity.refresh_tokens(tokens.refresh_token)
        await house.clock.advance(seconds=9)
        again = await house.identity.refresh_tokens(tokens.refresh_token)
        assert again.refresh_token == first.refresh_token

    async def test_theft_ends_the_whole_family(self, house: Any, tokens: Tokens) -> None:
        thief = await house.identity.refresh_tokens(tokens.refresh_token)
        await house.clock.advance(seconds=11)
        with pytest.raises(SessionEnded):
            await house.identity.refresh_tokens(tokens.refresh_token)
        with pytest.raises(SessionEnded):
            await house.identity.refresh_tokens(thief.refresh_token)
        for held in (tokens, thief):
            with pytest.raises(SessionEnded):
                await house.identity.authenticate(held.access_token)

    async def test_theft_leaves_other_families_alone(
        self, house: Any, people: Any, vera: User, tokens: Tokens
    ) -> None:
        other = await house.identity.issue_tokens(people.credentials(vera.email))
        await house.identity.refresh_tokens(tokens.refresh_token)
        await house.clock.advance(seconds=11)
        with pytest.raises(SessionEnded):
            await house.identity.refresh_tokens(tokens.refresh_token)
        await house.identity.refresh_tokens(other.refresh_token)

    async def test_a_family_lives_thirty_days_however_it_is_used(
        self, house: Any, tokens: Tokens
    ) -> None:
        await house.clock.advance(days=29)
        held = await house.identity.refresh_tokens(tokens.refresh_token)
        await house.clock.advance(days=1, seconds=1)
        with pytest.raises(SessionEnded):
            await house.identity.refresh_tokens(held.refresh_token)

    async def test_the_successor_is_not_to_be_guessed_from_the_token(self, tokens: Tokens) -> None:
        kept = hashlib.sha256(tokens.refresh_token.encode()).digest()
        guesses = {hmac.digest(key, kept, "sha256").hex() for key in (b"", kept, b"s" * 31)}
        assert tokens.refresh_token not in guesses

    async def test_tokens_themselves_are_not_kept(self, house: Any, tokens: Tokens) -> None:
        after = await house.identity.refresh_tokens(tokens.refresh_token)
        rows = await house.db("identity").fetch("SELECT * FROM refresh_tokens")
        kept = {row["hash"].hex() for row in rows} | {(row["parent"] or b"").hex() for row in rows}
        assert not kept & {tokens.refresh_token, after.refresh_token}

    async def test_what_is_no_refresh_token_is_refused(self, house: Any, tokens: Tokens) -> None:
        for held in ("", "x", "00" * 32):
            with pytest.raises(SessionEnded):
                await house.identity.refresh_tokens(held)
        with pytest.raises(InvalidFields):
            await house.identity.refresh_tokens(tokens.access_token)

    async def test_the_blocked_get_no_more(
        self, house: Any, people: Any, admin: User, vera: User, tokens: Tokens
    ) -> None:
        with people.calling(admin):
            await house.identity.administer(vera.id, AdminAction.BLOCK)
        with pytest.raises(SessionEnded):
            await house.identity.refresh_tokens(tokens.refresh_token)

    async def test_refreshing_and_signing_out_at_once_ends_signed_out(
        self, house: Any, people: Any, tokens: Tokens, outcomes: Any
    ) -> None:
        found = await outcomes(
            *(house.identity.refresh_tokens(tokens.refresh_token) for _ in range(5)),
            house.identity.revoke_tokens(tokens.refresh_token),
            *(house.identity.refresh_tokens(tokens.refresh_token) for _ in range(5)),
        )
        assert all(f is None or isinstance(f, Tokens | SessionEnded) for f in found)
        assert await people.count("sessions") == await people.count("refresh_tokens") == 0


class TestRevokeTokens:
    async def test_access_dies_with_the_session(self, house: Any, tokens: Tokens) -> None:
        await house.identity.authenticate(tokens.access_token)
        await house.identity.revoke_tokens(tokens.refresh_token)
        await house.identity.revoke_tokens(tokens.refresh_token)
        with pytest.raises(SessionEnded):
            await house.identity.authenticate(tokens.access_token)
        with pytest.raises(SessionEnded):
            await house.identity.refresh_tokens(tokens.refresh_token)

    async def test_an_older_token_of_the_family_revokes_too(
        self, house: Any, tokens: Tokens
    ) -> None:
        after = await house.identity.refresh_tokens(tokens.refresh_token)
        await house.identity.revoke_tokens(tokens.refresh_token)
        with pytest.raises(SessionEnded):
            await house.identity.authenticate(after.access_token)


class TestAuthenticate:
    async def test_it_answers_the_roles_of_now(
        self, house: Any, people: Any, admin: User, vera: User, tokens: Tokens
    ) -> None:
        with people.calling(admin):
            await house.identity.administer(vera.id, AdminAction.MAKE_SELLER)
        caller = await house.identity.authenticate(tokens.access_token)
        assert caller.roles == (Role.CUSTOMER, Role.SELLER)
        assert decoded(tokens.access_token.split(".")[1])["roles"] == ["customer"]

    async def test_a_token_lives_five_minutes_and_the_leeway(
        self, house: Any, tokens: Tokens
    ) -> None:
        await house.clock.advance(seconds=325)
        await house.identity.authenticate(tokens.access_token)
        await house.clock.advance(seconds=6)
        with pytest.raises(SessionEnded):
            await house.identity.authenticate(tokens.access_token)

    async def test_a_token_from_the_future_is_refused(self, house: Any, tokens: Tokens) -> None:
        await house.clock.advance(seconds=-60)
        with pytest.raises(SessionEnded):
            await house.identity.authenticate(tokens.access_token)

    async def test_the_blocked_lose_access_at_once(
        self, house: Any, people: Any, admin: User, vera: User, tokens: Tokens
    ) -> None:
        with people.calling(admin):
            await house.identity.administer(vera.id, AdminAction.BLOCK)
        with pytest.raises(SessionEnded):
            await house.identity.authenticate(tokens.access_token)

    async def test_it_says_what_rfc_9068_asks_for(self, tokens: Tokens, vera: User) -> None:
        header, claims = map(decoded, tokens.access_token.split(".")[:2])
        assert header.keys() == {"alg", "typ", "kid"}
        assert (header["alg"], header["typ"]) == ("EdDSA", "at+jwt")
        assert (claims["iss"], claims["aud"]) == ("http://localhost:8000", "dvor")
        assert claims["sub"] == str(vera.id)
        assert claims["exp"] - claims["iat"] == 300
        assert {"jti", "sid"} <= claims.keys()


class TestForgedTokens:
    """Each attack differs from a good token in one thing; the good one passes beside it."""

    @pytest.fixture
    async def key(self, house: Any) -> door.SigningKey:
        """Our own signing key, as if it had been stolen for the test."""
        return await house.process.implementation("identity").keyring.newest()

    @pytest.fixture
    def forge(self, house: Any, tokens: Tokens, key: door.SigningKey) -> Callable[..., str]:
        """A token signed by us, with other claims or another header."""

        def make(header: dict[str, Any] | None = None, **claims: Any) -> str:
            known = decoded(tokens.access_token.split(".")[1])
            said = {n: v for n, v in (known | claims).items() if v is not None}
            head = {"alg": "EdDSA", "typ": "at+jwt", "kid": key.kid} | (header or {})
            head = {n: v for n, v in head.items() if v is not None}
            signed = f"{encoded(head)}.{encoded(said)}"
            signature = key.private.sign(signed.encode())
            return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"

        return make

    async def refused(self, house: Any, token: str, what: object = "") -> None:
        try:
            caller = await house.identity.authenticate(token)
        except SessionEnded:
            return
        pytest.fail(f"{what} was taken for {caller}")

    async def test_the_forge_makes_good_tokens(
        self, house: Any, vera: User, forge: Callable[..., str]
    ) -> None:
        assert (await house.identity.authenticate(forge())).user_id == vera.id

    async def test_other_claims(self, house: Any, forge: Callable[..., str]) -> None:
        for claims in OTHER_CLAIMS:
            await self.refused(house, forge(**claims), claims)

    async def test_other_headers(self, house: Any, forge: Callable[..., str]) -> None:
        for header in OTHER_HEADERS:
            await self.refused(house, forge(header), header)

    async def test_no_signature(self, house: Any, tokens: Tokens, key: door.SigningKey) -> None:
        claims = tokens.access_token.split(".")[1]
        for alg in ("none", "None", "NONE", "nOnE"):
            head = encoded({"alg": alg, "typ": "at+jwt", "kid": key.kid})
            await self.refused(house, f"{head}.{claims}.", alg)
        await self.refused(house, ".".join(tokens.access_token.split(".")[:2]) + ".")

    async def test_hmac_with_the_public_key(
        self, house: Any, tokens: Tokens, key: door.SigningKey
    ) -> None:
        jwk = (await house.identity.keys()).keys[0].model_dump_json().encode()
        secrets = [
            key.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            key.public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            key.public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
            key.public.public_bytes_raw(),
            jwk,
            b"",
        ]
        claims = tokens.access_token.split(".")[1]
        head = encoded({"alg": "HS256", "typ": "at+jwt", "kid": key.kid})
        for secret in secrets:
            signature = hmac.digest(secret, f"{head}.{claims}".encode(), "sha256")
            tail = base64.urlsafe_b64encode(signature).rstrip(b"=").decode()
            await self.refused(house, f"{head}.{claims}.{tail}")

    async def test_another_key_with_our_kid(
        self, house: Any, tokens: Tokens, key: door.SigningKey
    ) -> None:
        claims = decoded(tokens.access_token.split(".")[1])
        mine = Ed25519PrivateKey.generate()
        header = {"typ": "at+jwt", "kid": key.kid}
        await self.refused(house, jwt.encode(claims, mine, algorithm="EdDSA", headers=header))

    async def test_changed_after_signing(self, house: Any, tokens: Tokens, admin: User) -> None:
        head, claims, signature = tokens.access_token.split(".")
        changed = encoded(decoded(claims) | {"sub": str(admin.id)})
        await self.refused(house, f"{head}.{changed}.{signature}")

    async def test_another_persons_session(
        self, house: Any, people: Any, forge: Callable[..., str], admin: User
    ) -> None:
        await self.refused(house, forge(sub=str(admin.id)))

    async def test_a_refresh_token_or_a_browsers_session(
        self, house: Any, people: Any, vera: User, tokens: Tokens
    ) -> None:
        browser = await house.identity.sign_in(people.credentials(vera.email))
        await self.refused(house, tokens.refresh_token)
        await self.refused(house, browser.token)

    async def test_a_browsers_session_as_sid(
        self, house: Any, people: Any, vera: User, forge: Callable[..., str]
    ) -> None:
        browser = await house.identity.sign_in(people.credentials(vera.email))
        caller = await house.identity.session(browser.token)
        await self.refused(house, forge(sid=str(caller.session_id)))

    async def test_no_token_at_all(self, house: Any) -> None:
        for token in ("", ".", "..", "a.b.c", "é.é.é", "[]." * 3, "e30.e30.e30"):
            await self.refused(house, token, token)

    async def test_a_token_of_a_megabyte_is_not_looked_at(self, house: Any, tokens: Tokens) -> None:
        with pytest.raises(InvalidFields):
            await house.identity.authenticate(tokens.access_token + "A" * 1_000_000)
        with pytest.raises(door.BadToken, match="too long"):
            door.kid("A" * 1_000_000)

    async def test_deeply_nested_json_is_refused(self, house: Any, tokens: Tokens) -> None:
        nest = base64.urlsafe_b64encode(b"[" * 2800).decode()
        await self.refused(house, f"{nest}.e30.e30")


class TestKeys:
    async def test_they_are_public_halves_as_rfc_8037_writes_them(
        self, house: Any, tokens: Tokens
    ) -> None:
        (key,) = (await house.identity.keys()).keys
        assert (key.kty, key.crv, key.alg, key.use) == ("OKP", "Ed25519", "EdDSA", "sig")
        found = jwt.PyJWK(key.model_dump()).key
        claims = jwt.decode(
            tokens.access_token, found, algorithms=["EdDSA"], audience="dvor", leeway=30
        )
        assert claims["sid"]

    async def test_workers_who_start_at_once_agree(self, house: Any, people: Any) -> None:
        from dvor.services.identity.keyring import KeyRing

        db = house.db("identity")
        await db.execute("DELETE FROM signing_keys")
        rings = [KeyRing(db) for _ in range(8)]
        await asyncio.gather(*(ring.renew() for ring in rings))
        assert len({(await ring.newest()).kid for ring in rings}) == 1
        assert await people.count("signing_keys") == 1

    async def test_a_new_key_signs_and_the_old_one_verifies_for_a_day(
        self, house: Any, people: Any, tokens: Tokens
    ) -> None:
        ring = house.process.implementation("identity").keyring
        old = await ring.newest()
        await house.db("identity").execute(
            "UPDATE signing_keys SET created_at = dvor_now() - interval '91 days'"
        )
        await ring.renew()
        new = await ring.newest()
        assert new.kid != old.kid
        assert len((await house.identity.keys()).keys) == 2
        await house.identity.authenticate(tokens.access_token)
        after = await house.identity.refresh_tokens(tokens.refresh_token)
        assert decoded(after.access_token.split(".")[0])["kid"] == new.kid
        await house.identity.authenticate(after.access_token)
        await house.clock.advance(days=1, minutes=1)
        await ring.renew()
        assert [key.kid for key in await ring.all()] == [new.kid]

    async def test_a_worker_learns_a_key_that_another_made(
        self, house: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from dvor.services.identity import keyring

        db = house.db("identity")
        late = keyring.KeyRing(db)
        await late.renew()
        await db.execute("UPDATE signing_keys SET created_at = dvor_now() - interval '91 days'")
        early = keyring.KeyRing(db)
        await early.renew()
        made = await early.newest()
        monkeypatch.setattr(keyring, "UNKNOWN_RELOAD_SECONDS", 0.0)
        assert await late.public(made.kid) is not None
        assert await late.public("unknown") is None


class TestDoor:
    def test_the_thumbprint_is_rfc_8037s(self) -> None:
        private = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
        key = door.load_key(base64.urlsafe_b64decode(private))
        assert key.jwk()["x"] == "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
        assert key.kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"

    def test_what_it_signs_it_verifies(self) -> None:
        key = door.load_key(door.new_key().private_bytes())
        now = clock.now()
        claims = {
            "iss": "us",
            "aud": "them",
            "sub": "a",
            "jti": "b",
            "sid": "c",
            "iat": int(now.timestamp()),
            "exp": int(now.timestamp()) + 1,
        }
        token = door.sign(claims, key)
        assert door.kid(token) == key.kid
        said = door.verify(token, key.public, issuer="us", audience="them", now=now)
        assert said == claims
