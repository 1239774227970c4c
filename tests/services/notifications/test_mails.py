"""Mails: one for each notification, in the recipient's language, never lost."""

import asyncio
import re
from typing import Any

import pytest

from dvor.contracts.identity import UserRegistered
from dvor.contracts.notifications import UnknownMail
from dvor.contracts.orders import OrderPaid
from dvor.kernel.caller import Caller, Role
from dvor.kernel.errors import Forbidden, NotFound
from dvor.kernel.ids import new
from dvor.kernel.messages import PageRequest
from dvor.kernel.money import Money
from dvor.services.notifications.tasks import SendMail, send_mail

TOTAL = Money(amount=1_234_50, currency="RUB")


def paid(customer: Any, *sellers: Any) -> OrderPaid:
    return OrderPaid(
        order_id=new(), number="D-7", customer_id=customer, seller_ids=sellers, total=TOTAL
    )


async def next_try(house: Any) -> None:
    """Let what waits for its next try be due."""
    for _ in range(100):
        if await house.db("notifications").fetchval("SELECT bool_and(attempts > 0) FROM tasks"):
            break
        await asyncio.sleep(0.02)
    await house.clock.advance(minutes=6)
    await house.settle()


async def problem(house: Any) -> str:
    return await house.db("notifications").fetchval("SELECT mail_problem FROM notifications")


class TestMailbox:
    async def test_catches_the_mail_in_the_recipients_language(
        self, house: Any, identity: Any, happened: Any
    ) -> None:
        person = identity.meet("Анна <b>", "anna@people.example", "ru")
        event = paid(person)
        await happened(house, event)
        mailbox = house.proxy("notifications", "web")
        (mail,) = (await mailbox.mailbox(PageRequest())).items
        assert mail.subject == "Заказ D-7 оплачен"
        assert mail.recipient == "anna@people.example"
        assert "Здравствуйте, Анна <b>!" in mail.text
        assert "Здравствуйте, Анна &lt;b&gt;!" in mail.html
        link = f"{house.settings.site}/orders/{event.order_id}"
        assert link in mail.text
        assert re.findall(r'href="([^"]*)"', mail.html) == [link]
        assert await mailbox.mail(mail.id) == mail
        assert identity.asked_by == {"notifications"}

    async def test_shows_the_newest_first_and_one_recipients_alone(
        self, house: Any, identity: Any, happened: Any
    ) -> None:
        one, other = identity.meet(email="one@x.example"), identity.meet(email="two@x.example")
        for person in (one, other, one):
            await happened(house, paid(person))
        mailbox = house.proxy("notifications", "web")
        page = await mailbox.mailbox(PageRequest(limit=2))
        assert [m.recipient for m in page.items] == ["one@x.example", "two@x.example"]
        rest = await mailbox.mailbox(PageRequest(cursor=page.next_cursor))
        assert len(rest.items) == 1
        assert len((await mailbox.mailbox(PageRequest(), "two@x.example")).items) == 1

    async def test_is_open_to_the_web_only(self, house: Any) -> None:
        for calling in ("", "orders", "notifications"):
            with house.calling(Caller(user_id=new(), roles=(Role.ADMIN,))):
                closed = house.proxy("notifications", calling)
                with pytest.raises(Forbidden):
                    await closed.mailbox(PageRequest())
                with pytest.raises(Forbidden):
                    await closed.mail(new())

    async def test_has_no_unknown_mail(self, house: Any) -> None:
        with pytest.raises(UnknownMail):
            await house.proxy("notifications", "web").mail(new())

    async def test_is_closed_where_a_mail_server_is_configured(self, mailing_house: Any) -> None:
        mailbox = mailing_house.proxy("notifications", "web")
        with pytest.raises(NotFound):
            await mailbox.mailbox(PageRequest())
        with pytest.raises(UnknownMail):
            await mailbox.mail(new())


class TestSending:
    async def test_hands_over_plain_text_and_html(
        self, mailing_house: Any, identity: Any, happened: Any, server: Any
    ) -> None:
        person = identity.meet("Анна, мл.", "anna@people.example", "ru")
        await happened(mailing_house, paid(person))
        (mail,) = server.taken
        assert server.recipients == ["anna@people.example"]
        assert mail["Subject"] == "Заказ D-7 оплачен"
        assert mail["To"].addresses[0].display_name == "Анна, мл."
        assert mail["From"].addresses[0].addr_spec == "hello@dvor.example"
        assert re.fullmatch(r"<[0-9a-f-]{36}@dvor\.example>", mail["Message-ID"])
        assert mail["Auto-Submitted"] == "auto-generated"
        plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
        assert plain is not None
        assert html is not None
        for part in (plain, html):
            assert "1 234,50 ₽" in part.get_content().replace("\u00a0", " ")
        assert await mailing_house.db("notifications").fetchval("SELECT count(*) FROM mails") == 0

    async def test_an_event_that_comes_again_is_one_mail(
        self, mailing_house: Any, identity: Any, happened: Any, server: Any
    ) -> None:
        event = paid(identity.meet(), identity.meet())
        await asyncio.gather(*(happened(mailing_house, event, event) for _ in range(6)))
        assert len(server.taken) == 2
        assert len({mail["Message-ID"] for mail in server.taken}) == 2

    async def test_two_topics_of_one_order_are_two_mails(
        self, mailing_house: Any, identity: Any, happened: Any, server: Any
    ) -> None:
        person = identity.meet()
        await happened(mailing_house, paid(person, person))
        assert len({mail["Message-ID"] for mail in server.taken}) == 2

    @pytest.mark.parametrize("answer", ["451 later", "554 no", "421 closing"])
    async def test_a_server_that_says_no_is_asked_again(
        self, mailing_house: Any, identity: Any, happened: Any, server: Any, answer: str
    ) -> None:
        server.answers = [answer]
        await happened(mailing_house, paid(identity.meet()))
        await next_try(mailing_house)
        assert len(server.taken) == 1

    async def test_a_server_that_is_down_is_asked_again(
        self, make_house: Any, identity: Any, catalog: Any, happened: Any
    ) -> None:
        house = await make_house(
            "notifications",
            fakes={"identity": identity, "catalog": catalog},
            smtp_url="smtp://127.0.0.1:9",
        )
        await happened(house, paid(identity.meet()))
        async with asyncio.timeout(10):
            while not await house.db("notifications").fetchval("SELECT error FROM tasks"):
                await asyncio.sleep(0.02)
        assert await house.db("notifications").fetchval("SELECT state FROM tasks") == "due"
        assert await problem(house) == ""

    async def test_a_recipient_busy_for_now_is_tried_again(
        self, mailing_house: Any, identity: Any, happened: Any, server: Any
    ) -> None:
        server.refusals = ["450 mailbox busy"]
        await happened(mailing_house, paid(identity.meet()))
        await next_try(mailing_house)
        assert len(server.taken) == 1

    async def test_a_recipient_refused_for_good_is_noted_and_left_alone(
        self, mailing_house: Any, identity: Any, happened: Any, server: Any
    ) -> None:
        server.refusals = ["550 no such mailbox"]
        await happened(mailing_house, paid(identity.meet()))
        await mailing_house.settle()
        assert server.taken == []
        assert "550" in await problem(mailing_house)
        state = await mailing_house.db("notifications").fetchval("SELECT state FROM tasks")
        assert state == "done"

    async def test_a_person_who_is_gone_gets_none(
        self, mailing_house: Any, happened: Any, server: Any
    ) -> None:
        await happened(mailing_house, paid(new()))
        assert server.taken == []
        assert "no such person" in await problem(mailing_house)

    async def test_a_copy_after_a_crash_has_the_same_message_id(
        self, mailing_house: Any, identity: Any, happened: Any, server: Any
    ) -> None:
        await happened(mailing_house, paid(identity.meet()))
        db = mailing_house.db("notifications")
        notification = await db.fetchval("SELECT id FROM notifications")
        await db.execute("UPDATE notifications SET mailed_at = NULL")  # died before the note of it
        service = mailing_house.process.implementation("notifications")
        await send_mail.run(service, SendMail(notification_id=notification))
        first, second = server.taken
        assert first["Message-ID"] == second["Message-ID"]

    @pytest.mark.parametrize(
        "name", ["Eve\r\nBcc: all@x.example", 'Eve" <eve@x.example>, "', "=?utf-8?q?=0ABcc?="]
    )
    async def test_a_name_adds_no_header_and_no_recipient(
        self, mailing_house: Any, identity: Any, happened: Any, server: Any, name: str
    ) -> None:
        person = identity.meet(name, "eve@people.example")
        await happened(mailing_house, UserRegistered(user_id=person, name=name, language="en"))
        (mail,) = server.taken
        assert server.recipients == ["eve@people.example"]
        assert mail["Bcc"] is None
        assert [a.addr_spec for a in mail["To"].addresses] == ["eve@people.example"]

    @pytest.mark.parametrize(
        "email", ["a,b@x.example", "почта@пример.рф", '"@x.example', "a@b@c.d"]
    )
    async def test_a_strange_address_reaches_nobody_else(
        self, mailing_house: Any, identity: Any, happened: Any, server: Any, email: str
    ) -> None:
        await happened(mailing_house, paid(identity.meet(email=email)))
        await mailing_house.settle()
        assert len(server.recipients) <= 1
        assert await mailing_house.db("notifications").fetchval("SELECT count(*) FROM tasks") == 1
