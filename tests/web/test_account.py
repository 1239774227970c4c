"""Signing in, up and out; the account's pages; the mailbox."""

from uuid import uuid4

from dvor.contracts.identity import BadImage, EmailTaken, TooManyAttempts, WeakPassword
from dvor.contracts.notifications import Mail, Notification
from dvor.kernel import clock
from tests.web.browser import SAME_ORIGIN, Browser
from tests.web.conftest import MakeWeb, Web
from tests.web.fakes import PASSWORD, person


class TestSignIn:
    async def test_leads_on_to_where_the_person_was_going(self, web: Web):
        web.identity.people = [person("Anna")]
        browser = web.browser()
        page = await browser.open("/sign-in?next=/account")
        page = await browser.submit(page, "/sign-in", email="anna@example.com", password=PASSWORD)
        assert page.path == "/account"

    async def test_never_leads_to_another_site(self, web: Web):
        web.identity.people = [person("Anna")]
        for target in ("https://evil.example", "//evil.example", "/\\evil.example", "/%0d%0aX: y"):
            browser = web.browser()
            page = await browser.open("/sign-in")
            values = dict(page.form("/sign-in").values)
            values |= {"next": target, "email": "anna@example.com", "password": PASSWORD}
            answer = await browser.http.post("/sign-in", data=values, headers=SAME_ORIGIN)
            location = answer.headers["location"]
            assert location.startswith("/") and not location.startswith(("//", "/\\"))
            assert "\r" not in location

    async def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(self, web: Web):
        web.identity.people = [person("Anna")]
        browser = web.browser()
        page = await browser.open("/sign-in")
        values = dict(page.form("/sign-in").values)
        values |= {"email": "anna@example.com", "password": PASSWORD}
        answer = await browser.http.post("/sign-in", data=values, headers=SAME_ORIGIN)
        cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith("dvor="))
        assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Path=/" in cookie

    async def test_a_wrong_password_keeps_the_email_and_not_the_password(self, web: Web):
        web.identity.people = [person("Anna")]
        browser = web.browser()
        page = await browser.submit(
            await browser.open("/sign-in"), "/sign-in", email="anna@example.com", password="secret1"
        )
        assert page.status == 401 and "The e-mail or the password is wrong." in page.text
        assert dict(page.form("/sign-in").values)["email"] == "anna@example.com"
        assert "secret1" not in page.html

    async def test_says_to_wait_after_too_many_attempts(self, web: Web):
        web.identity.refuse = TooManyAttempts()
        browser = web.browser()
        page = await browser.submit(
            await browser.open("/sign-in"), "/sign-in", email="a@b.c", password="x"
        )
        assert page.status == 429 and "Wait a minute" in page.text

    async def test_empty_fields_are_named_at_the_field_and_above(self, web: Web):
        browser = web.browser()
        page = await browser.submit(await browser.open("/sign-in"), "/sign-in")
        assert page.status == 422
        assert 'href="#f-email"' in page.html and 'id="email-error"' in page.html

    async def test_the_cart_of_the_guest_comes_along(self, web: Web):
        web.identity.people = [person("Anna")]
        browser = web.browser()
        page = await browser.open("/sign-in")
        await browser.post(page, "/cart/lines", offer_id=str(uuid4()))
        guest = browser.http.cookies["guest"]
        page = await browser.open("/sign-in")
        await browser.submit(page, "/sign-in", email="anna@example.com", password=PASSWORD)
        assert web.orders.claimed == [guest]
        assert "guest" not in browser.http.cookies

    async def test_whoever_is_signed_in_is_led_on(self, web: Web):
        browser, _ = await web.signed_in()
        assert (await browser.open("/sign-in?next=/account")).path == "/account"

    async def test_without_the_demo_world_no_accounts_are_shown(self, web: Web):
        page = await web.browser().open("/sign-in?as=admin")
        assert "Demo accounts" not in page.text and "dvor-demo" not in page.html

    async def test_in_the_demo_world_one_click_fills_the_form(self, make_web: MakeWeb):
        browser = (await make_web(demo=True)).browser()
        page = await browser.open("/sign-in")
        assert "/sign-in?as=hotelier&amp;next=/" in page.html
        page = await browser.open("/sign-in?as=hotelier")
        values = dict(page.form("/sign-in").values)
        assert values["email"] == "hotelier@dvor.example" and values["password"]


class TestSignUp:
    async def test_opens_the_account_and_signs_in(self, web: Web):
        browser = web.browser()
        page = await browser.open("/sign-up?next=/account")
        page = await browser.submit(
            page, "/sign-up", name="Boris", email="boris@example.com", password=PASSWORD
        )
        assert page.path == "/account" and "boris@example.com" in page.text

    async def test_a_seller_asks_for_it_with_one_tick(self, web: Web):
        browser = web.browser()
        page = await browser.open("/sign-up?next=/account")
        await browser.submit(
            page, "/sign-up", name="B", email="b@example.com", password=PASSWORD, seller="1"
        )
        assert "seller" in web.identity.people[0].roles

    async def test_what_was_typed_stays_when_the_email_is_taken(self, web: Web):
        web.identity.refuse = EmailTaken()
        browser = web.browser()
        page = await browser.submit(
            await browser.open("/sign-up"),
            "/sign-up",
            name="Boris",
            email="boris@example.com",
            password=PASSWORD,
            seller="1",
        )
        assert page.status == 422 and "already an account" in page.text
        values = dict(page.form("/sign-up").values)
        assert (values["name"], values["seller"]) == ("Boris", "1")
        assert PASSWORD not in page.html

    async def test_a_weak_password_is_named_at_its_field(self, web: Web):
        web.identity.refuse = WeakPassword()
        browser = web.browser()
        page = await browser.submit(
            await browser.open("/sign-up"),
            "/sign-up",
            name="B",
            email="b@example.com",
            password="password",
        )
        assert 'id="password-error"' in page.html

    async def test_nonsense_is_refused_at_each_field(self, web: Web):
        browser = web.browser()
        page = await browser.submit(
            await browser.open("/sign-up"), "/sign-up", name="", email="nowhere", password="x"
        )
        assert page.status == 422
        assert "Enter your name." in page.text and "At least 8 characters" in page.text
        page = await browser.submit(page, "/sign-up", name="B", password=PASSWORD)
        assert "An e-mail looks like name@example.com." in page.text


class TestSignOut:
    async def test_ends_the_session(self, web: Web):
        browser, _ = await web.signed_in()
        page = await browser.submit(await browser.open("/account"), "/sign-out")
        assert "You are signed out." in page.text and not web.identity.sessions_open
        assert (await browser.open("/account")).path == "/sign-in?next=%2Faccount"


class TestProfile:
    async def test_saves_what_was_changed(self, web: Web):
        browser, _ = await web.signed_in()
        page = await browser.submit(
            await browser.open("/account"), "/account", name="Anna V.", city="Tver", language="ru"
        )
        assert "Saved." in page.text or "Сохранено." in page.text
        assert web.identity.changed is not None and web.identity.changed.city == "Tver"

    async def test_keeps_what_was_typed_when_it_is_too_long(self, web: Web):
        browser, _ = await web.signed_in()
        page = await browser.submit(await browser.open("/account"), "/account", city="x" * 81)
        assert page.status == 422 and "Up to 80 characters" in page.text
        assert dict(page.form("/account").values)["city"] == "x" * 81
        assert web.identity.changed is None


class TestAvatar:
    async def send(self, browser: Browser, content: bytes):
        page = await browser.open("/account")
        values = {"_csrf": dict(page.form("/account/avatar").values)["_csrf"]}
        files = {"picture": ("me.png", content, "image/png")}
        return await browser.http.post(
            "/account/avatar",
            data=values,
            files=files,
            headers=SAME_ORIGIN,
            follow_redirects=True,
        )

    async def test_hands_the_bytes_over(self, web: Web):
        browser, _ = await web.signed_in()
        answer = await self.send(browser, b"\x89PNG rest")
        assert web.identity.avatar_sent == b"\x89PNG rest"
        assert "This is your new picture." in answer.text

    async def test_what_is_no_picture_is_refused_at_the_field(self, web: Web):
        browser, _ = await web.signed_in()
        web.identity.refuse = BadImage()
        answer = await self.send(browser, b"nonsense")
        assert answer.status_code == 422 and 'id="picture-error"' in answer.text

    async def test_too_large_a_file_never_reaches_identity(self, web: Web):
        browser, _ = await web.signed_in()
        answer = await self.send(browser, b"x" * 5_000_001)
        assert "larger than 5 MB" in answer.text and web.identity.avatar_sent is None


class TestSecurity:
    async def test_lists_where_one_is_signed_in_and_ends_a_session(self, web: Web):
        browser, _ = await web.signed_in()
        page = await browser.open("/account/security")
        assert "Firefox, Windows" in page.text and "curl" in page.text
        ends = [form.action for form in page.forms if form.action.endswith("/end")]
        assert len(ends) == 1
        await browser.submit(page, ends[0])
        assert len(web.identity.ended) == 1

    async def test_the_new_password_needs_the_old_one(self, web: Web):
        browser, _ = await web.signed_in()
        page = await browser.submit(
            await browser.open("/account/security"), "/account/password", new=PASSWORD
        )
        assert page.status == 422 and "Enter the password you have now." in page.text


class TestNotifications:
    def note(self) -> Notification:
        return Notification(
            id=uuid4(),
            topic="order_paid",
            title="Paid",
            body="All is well.",
            path="/account/security",
            created_at=clock.now(),
        )

    async def test_shows_them_with_the_count_in_the_head(self, web: Web):
        browser, _ = await web.signed_in()
        web.notifications.items = [self.note(), self.note()]
        page = await browser.open("/notifications")
        assert "All is well." in page.text
        assert 'id="unread-count">2<' in page.html

    async def test_opening_one_marks_it_and_leads_to_it(self, web: Web):
        browser, _ = await web.signed_in()
        told = self.note()
        web.notifications.items = [told]
        page = await browser.open("/notifications")
        page = await browser.submit(page, f"/notifications/{told.id}/open")
        assert page.path == "/account/security" and web.notifications.read == [(told.id,)]

    async def test_all_are_marked_at_once(self, web: Web):
        browser, _ = await web.signed_in()
        web.notifications.items = [self.note()]
        await browser.submit(await browser.open("/notifications"), "/notifications/read")
        assert web.notifications.read == [()]

    async def test_looking_changes_nothing(self, web: Web):
        browser, _ = await web.signed_in()
        web.notifications.items = [self.note()]
        await browser.open("/notifications")
        assert web.notifications.read == []


class TestMailbox:
    def mail(self) -> Mail:
        return Mail(
            id=uuid4(),
            message_id="<1@dvor>",
            sender="Dvor <hello@dvor.example>",
            recipient="anna@example.com",
            subject="Order <b>1</b>",
            text="Plain words",
            html="<p>Rich <script>alert(1)</script>words</p>",
            sent_at=clock.now(),
        )

    async def test_shows_a_mail_in_a_frame_that_runs_nothing(self, web: Web):
        web.notifications.mails = [self.mail()]
        browser = web.browser()
        page = await browser.open("/mailbox")
        assert "Order &lt;b&gt;1&lt;/b&gt;" in page.html
        page = await browser.open(f"/mailbox/{web.notifications.mails[0].id}")
        assert "Plain words" in page.text and "<script>alert" not in page.html
        assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page.html
        frame = await browser.open(f"/mailbox/{web.notifications.mails[0].id}/html")
        policy = frame.headers["content-security-policy"]
        assert policy.startswith("sandbox ") and "default-src 'none'" in policy
        assert "allow-scripts" not in policy

    async def test_is_closed_where_mails_are_really_sent(self, make_web: MakeWeb):
        browser = (await make_web(smtp_url="smtp://localhost:25")).browser()
        assert (await browser.open("/mailbox")).status == 404
