"""Attacks on people with a browser: foreign script, foreign forms, foreign addresses, sessions."""

import csv
import io
import re
from email.parser import BytesParser
from typing import Any
from urllib.parse import urljoin, urlsplit
from uuid import uuid4

import pytest
from pydantic import ValidationError

from dvor.contracts.catalog import Listing, ListingDraft
from dvor.contracts.identity import Contact, ProfileChange, Registration
from dvor.contracts.orders import Wish
from dvor.contracts.payments import PaymentRequest
from dvor.kernel import clock
from dvor.kernel.caller import Role
from dvor.services.notifications import letters
from tests.house.test_authorization import MATRIX, is_page
from tests.house.world import PASSWORD, SAME_SITE, Person, World, draft
from tests.security.markup import PAYLOADS, executable

PAGES = sorted({key.partition(" @")[0] for key in MATRIX["routes"]})
FORMS = [key for key in PAGES if key.startswith("POST") and is_page(key.split(" ")[1])]


SHOWN = {
    "buyer": (
        "/", "/listings/{listing}", "/sellers/{seller}", "/cart", "/checkout", "/orders",
        "/orders/{order}", "/orders/{order}/cancel", "/notifications", "/account",
        "/account/security", "/account/payments", "/mailbox", "/mailbox/{mail}",
        "/mailbox/{mail}/html", "{pay}",
    ),
    "seller": (
        "/selling", "/selling/listings", "/selling/listings/{listing}", "/selling/orders",
        "/selling/orders/{order}",
    ),
    "admin": (
        "/admin", "/admin/users", "/admin/listings", "/admin/orders", "/admin/orders/{order}",
        "/admin/users/{buyer}/block",
    ),
}  # fmt: skip
"""Where what people write is shown: looked at with a few payloads."""
MOST_SHOWN = {
    "buyer": (
        "/listings/{listing}", "/sellers/{seller}", "/cart", "/orders/{order}", "/notifications",
        "/mailbox/{mail}/html",
    ),
    "seller": ("/selling/listings/{listing}",),
    "admin": ("/admin/users",),
}  # fmt: skip
"""The pages of every template part and the longest texts: looked at with every payload."""


def filled(route: str) -> str:
    """A route's address with made-up parameters."""
    return re.sub(r"\{\w+\}", lambda _: str(uuid4()), route.split(" ")[1])


class TestForeignScript:
    """Everything a person can write, everywhere it is shown."""

    @pytest.fixture(params=PAYLOADS, ids=range(len(PAYLOADS)))
    async def scene(self, request: pytest.FixtureRequest, world: World) -> dict[str, Any]:
        payload: str = request.param
        seller = await world.person(payload[:80], role=Role.SELLER)
        buyer = await world.person(payload[:80])
        for who in (seller, buyer):
            with who.asking():
                change = ProfileChange(phone=payload[:40], city=payload[:80], about=payload)
                await world.house.identity.change_profile(change)
        written = draft().model_dump(mode="json") | {
            "title": {"en": payload, "ru": payload},
            "description": {"en": payload, "ru": payload},
            "attributes": {payload[:80]: payload},
            "place": {"city": payload[:80], "address": payload, "timezone": "UTC"},
        }
        written["offers"] = [{"price": 100, "name": {"en": payload, "ru": payload}}]
        made: Listing = await world.listing(seller, ListingDraft.model_validate(written))
        await world.house.settle()
        with buyer.asking():
            await world.house.orders.add_to_cart(Wish(offer_id=made.offers[0].id))
        order = await world.order(buyer, made)
        return {
            "payload": payload, "seller": seller, "buyer": buyer, "listing": made, "order": order,
        }  # fmt: skip

    async def test_none_of_it_runs(self, world: World, scene: dict[str, Any]) -> None:
        listing, order, payload = scene["listing"].id, scene["order"].id, scene["payload"]
        await world.house.settle()
        mail = await world.house.db("notifications").fetchval(
            "SELECT id FROM mails WHERE recipient = $1 LIMIT 1", scene["buyer"].user.email
        )
        known = {
            "listing": listing, "order": order, "mail": mail, "seller": scene["seller"].id,
            "buyer": scene["buyer"].id, "pay": scene["order"].pay_path,
        }  # fmt: skip
        whole = payload in PAYLOADS[:3]
        asked = [
            (scene.get(who, world.admin), path.format(**known), {})
            for who, paths in (SHOWN if whole else MOST_SHOWN).items()
            for path in paths
        ]
        echo = ("text", "city", "least", "start", "category", "kind", "cursor", "to", "next", "as")
        asked += [
            (world.nobody, path, dict.fromkeys(echo, payload))
            for path in ("/search", "/sign-in", "/mailbox", f"/listings/{listing}", f"/{payload}")
        ]
        found = {}
        for who, path, params in asked:
            answer = await world.page(who, "GET", path, params=params)
            assert answer.status_code < 500, path
            if executable(answer.text):
                found[path] = executable(answer.text)
        assert found == {}

    @pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
    async def test_nor_when_a_form_is_shown_again(self, world: World, payload: str) -> None:
        names = ("email", "name", "password", "next", "title-en", "category", "offer-0-price")
        typed = dict.fromkeys((*names, "quantity", "phone", "kind"), payload)
        for who, path in (
            (world.nobody, "/sign-in"),
            (world.nobody, "/sign-up"),
            (world.customer, "/account"),
            (world.customer, "/account/password"),
            (world.seller, "/selling/listings/new"),
        ):
            form = typed | ({"kind": "product"} if path.startswith("/selling") else {})
            answer = await world.page(who, "POST", path, form)
            assert answer.status_code < 500
            assert executable(answer.text) == [], path

    def test_what_runs_is_found(self) -> None:
        for payload in PAYLOADS[:12]:
            shown = f"<p>{payload}</p><input value='{payload}'><input value=\"{payload}\">"
            assert executable(shown), payload
        assert executable(f'<a href="{PAYLOADS[12]}">x</a>')
        assert executable(f'<a href="{PAYLOADS[13]}">x</a>')
        assert executable("<p>1787569</p>") == ["calculated"]
        assert executable('<script nonce="x">ours()</script><p title="&lt;b&gt;">') == []

    async def test_scripts_of_others_are_forbidden_anyway(self, world: World) -> None:
        answer = await world.page(world.customer, "GET", "/")
        policy = answer.headers["content-security-policy"]
        assert "'unsafe-" not in policy
        assert "object-src 'none'" in policy
        assert "base-uri 'none'" in policy
        again = await world.page(world.customer, "GET", "/")
        assert policy != again.headers["content-security-policy"], "a nonce is used once"

    async def test_a_picture_of_a_listing_carries_no_words(self, world: World) -> None:
        for name in ("<script>", "x%22onload=alert(1)", "..%2f..%2fetc%2fpasswd", "%3C/svg%3E"):
            answer = await world.page(world.nobody, "GET", f"/pictures/product/{name}/{name}.svg")
            assert answer.status_code in (200, 404)
            assert "<script" not in answer.text or answer.status_code == 404
            assert "onload" not in answer.text or answer.status_code == 404


EVIL = "evil.example"
ADDRESSES = (
    f"//{EVIL}", f"///{EVIL}", f"https://{EVIL}", f"https:{EVIL}", f"/\\{EVIL}", f"\\\\{EVIL}",
    f"/\t/{EVIL}", f"/\n/{EVIL}", f"\t//{EVIL}", f" //{EVIL}", f"/\r\n/{EVIL}", f"//{EVIL}/%2f..",
    f"javascript:alert('{EVIL}')", f"data:text/html,{EVIL}", f"http://test@{EVIL}",
    f"//test.{EVIL}", f"/％2f{EVIL}", f".{EVIL}", f"@{EVIL}", f"/\x00/{EVIL}", f"/\u2028/{EVIL}",
)  # fmt: skip


def leads_away(location: str) -> bool:
    """Whether a browser would follow this to another site."""
    seen = re.sub(r"[\t\r\n]", "", location.strip("\x00 \x1f")).replace("\\", "/")
    seen = re.sub(r"^/{2,}", "//", seen)
    target = urlsplit(urljoin("http://test/here", seen))
    return target.scheme not in ("http", "https") or target.netloc != "test"


class TestAddresses:
    @pytest.mark.parametrize("address", ADDRESSES, ids=range(len(ADDRESSES)))
    async def test_no_redirect_leads_away(self, world: World, address: str) -> None:
        user = world.stranger.user
        assert user is not None
        credentials = {"email": user.email, "password": PASSWORD, "next": address}
        answers = [
            await world.page(world.customer, "GET", "/sign-in", params={"next": address}),
            await world.page(world.customer, "GET", "/sign-up", params={"next": address}),
            await world.page(world.nobody, "POST", "/preferences", {"back": address}),
            await world.page(world.customer, "POST", "/cart/lines", {"back": address}),
            await world.page(
                world.customer, "POST", f"/notifications/{uuid4()}/open", {"next": address}
            ),
        ]
        if address in ADDRESSES[:3]:  # signing in costs a hash
            answers.append(await world.page(world.nobody, "POST", "/sign-in", credentials))
        for answer in answers:
            assert answer.status_code == 303, answer.request.url
            assert not leads_away(answer.headers["location"]), answer.headers["location"]

    def test_what_leads_away_is_found(self) -> None:
        assert all(map(leads_away, ADDRESSES[:2]))
        assert leads_away(f"/\\{EVIL}")
        assert leads_away(f"/\t/{EVIL}")
        assert leads_away(ADDRESSES[12])
        assert not leads_away("/orders?next=//x")

    async def test_a_form_from_a_foreign_referer_leads_home(self, world: World) -> None:
        for referer in (
            f"https://{EVIL}/cart",
            f"http://test.{EVIL}/x",
            "http://test//evil.example",
        ):
            answer = await world.page(
                world.customer, "POST", "/cart/lines", {}, headers={"referer": referer}
            )
            assert not leads_away(answer.headers["location"])

    async def test_the_bank_sends_nobody_away(self, world: World) -> None:
        order = await world.order()
        asked = world.payment_request(world.customer, order).model_dump()
        for path in (f"//{EVIL}", f"/\\{EVIL}", f"https://{EVIL}", "", "orders"):
            with pytest.raises(ValidationError):
                PaymentRequest.model_validate(asked | {"return_path": path})

    async def test_a_line_break_adds_no_header(self, world: World) -> None:
        split = "/about\r\nSet-Cookie: stolen=1\r\n\r\n<script>"
        for answer in (
            await world.page(world.customer, "GET", "/sign-in", params={"next": split}),
            await world.page(world.nobody, "POST", "/preferences", {"back": split, "theme": split}),
            await world.page(world.nobody, "POST", "/preferences", {"language": "en\r\nx: y"}),
            await world.page(
                world.customer, "GET", "/about", headers={"x-request-id": "a\tb; x=y" * 3}
            ),
        ):
            assert "stolen" not in str(answer.headers.get_list("set-cookie"))
            assert all("\n" not in v and "\r" not in v for v in answer.headers.values())
            assert "x=y" not in answer.headers["x-request-id"]

    async def test_a_line_break_adds_no_header_to_mail(self, world: World) -> None:
        name = "Eve\r\nBcc: all@example.org\r\n\r\nBuy now"
        contact = Contact(user_id=uuid4(), email="eve@example.org", name=name, language="en")
        letter = letters.letter(
            "welcome",
            uuid4(),
            {"name": name},
            contact,
            sender="Dvor <a@dvor.example>",
            site="http://x",
        )
        mime = BytesParser().parsebytes(bytes(letters.message(letter, clock.now())))
        assert mime["Bcc"] is None
        assert len(mime.get_all("To", [])) == 1
        assert "\n" not in str(mime["Subject"])

    async def test_a_link_in_mail_leads_to_the_configured_site(self, world: World) -> None:
        user = Registration.model_validate(
            {"email": "host@example.org", "password": PASSWORD, "name": "Host"}
        )
        body = user.model_dump(mode="json") | {"password": PASSWORD}
        headers = {"host": EVIL, "x-forwarded-host": EVIL, "forwarded": f"host={EVIL}"}
        made = await world.api(world.nobody, "POST", "/api/v1/auth/register", body, headers=headers)
        assert made.status_code == 201
        await world.house.settle()
        mail = await world.house.db("notifications").fetchrow(
            "SELECT text, html FROM mails WHERE recipient = 'host@example.org'"
        )
        assert mail is not None
        assert world.house.settings.site in mail["text"]
        assert EVIL not in mail["text"] + mail["html"]

    async def test_a_spreadsheet_runs_no_formula(self, world: World) -> None:
        seller = await world.person("Sheet", role=Role.SELLER)
        formula = '=HYPERLINK("http://evil.example","x")'
        listing = await world.listing(seller, draft(title=formula))
        await world.house.settle()
        await world.order(world.customer, listing)
        answer = await world.page(seller, "GET", "/selling/orders.csv")
        rows = list(csv.reader(io.StringIO(answer.text.lstrip("\ufeff"))))
        assert any(formula in cell for cell in rows[1])
        assert not [cell for row in rows for cell in row if cell[:1] in ("=", "+", "-", "@", "\t")]


class TestForeignForms:
    """Each layer holds alone."""

    @pytest.mark.parametrize("route", FORMS)
    async def test_no_form_of_another_page_is_taken(self, world: World, route: str) -> None:
        path, who = filled(route), world.admin
        token = world.csrf(who)
        sent: list[tuple[dict[str, str], dict[str, str]]] = [
            ({"_csrf": ""}, SAME_SITE),
            ({"_csrf": world.csrf(world.customer)}, SAME_SITE),
            ({"_csrf": world.csrf(Person())}, SAME_SITE),
            ({"_csrf": token}, {"sec-fetch-site": "cross-site"}),
            ({"_csrf": token}, {"sec-fetch-site": "same-site"}),
            ({"_csrf": token}, {"origin": f"https://{EVIL}"}),
            ({"_csrf": token}, {"referer": f"https://{EVIL}/http://test/"}),
            ({"_csrf": token}, {}),
        ]
        cookie = f"{world.house.settings.session_cookie}={who.session}"
        for form, headers in sent:
            world.http.cookies.clear()
            answer = await world.http.post(path, data=form, headers=headers | {"cookie": cookie})
            assert answer.status_code == 403, (form, headers)

    async def test_json_and_disguised_methods_are_no_forms(self, world: World) -> None:
        cookie = f"{world.house.settings.session_cookie}={world.customer.session}"
        headers = SAME_SITE | {"cookie": cookie}
        for more in (
            {"content": b'{"_csrf":"x"}', "headers": headers | {"content-type": "text/plain"}},
            {"json": {"_csrf": world.csrf(world.customer)}, "headers": headers},
            {"headers": headers | {"x-http-method-override": "POST"}, "data": {"_method": "POST"}},
        ):
            answer = await world.http.post("/sign-out", **more)  # type: ignore[arg-type]
            assert answer.status_code == 403
        answer = await world.http.get(
            "/sign-out", params={"_method": "POST"}, headers=headers, follow_redirects=False
        )
        assert answer.status_code in (404, 405)

    async def test_the_api_takes_no_cookie_for_a_person(self, world: World) -> None:
        cookie = f"{world.house.settings.session_cookie}={world.customer.session}"
        headers = SAME_SITE | {"cookie": cookie, "idempotency-key": str(uuid4())}
        for method, path in (("GET", "/api/v1/me"), ("PATCH", "/api/v1/me")):
            answer = await world.http.request(
                method, path, headers=headers, json={} if method == "PATCH" else None
            )
            assert answer.status_code == 401
