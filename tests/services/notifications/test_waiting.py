"""What those are told who waited for something sold out."""

import re
from datetime import UTC, date, datetime
from typing import Any

from dvor.contracts.catalog import Text
from dvor.contracts.inventory import WaitingLapsed, WaitingOffered
from dvor.contracts.waiting import Waiting, WaitingStatus
from dvor.kernel.caller import Caller
from dvor.kernel.ids import new
from dvor.kernel.messages import PageRequest
from dvor.kernel.periods import DateRange

UNTIL = datetime(2027, 3, 5, 15, 30, tzinfo=UTC)


def entry(**more: Any) -> Waiting:
    usual: dict[str, Any] = {
        "id": new(),
        "status": WaitingStatus.OFFERED,
        "offer_id": new(),
        "listing_id": new(),
        "title": Text(ru="Гостиница", en="Hotel"),
        "name": Text(ru="Люкс", en="Suite"),
        "quantity": 2,
        "dates": DateRange(start=date(2027, 3, 8), end=date(2027, 3, 10)),
        "timezone": "Europe/Moscow",
        "joined_at": UNTIL,
        "offered_until": UNTIL,
    }
    return Waiting(**usual | more)


def offered(customer: Any, what: Waiting) -> WaitingOffered:
    return WaitingOffered(waiting_id=what.id, customer_id=customer, entry=what, token="t0k3n")


def lapsed(customer: Any, what: Waiting) -> WaitingLapsed:
    return WaitingLapsed(waiting_id=what.id, customer_id=customer, entry=what)


async def mails(house: Any, address: str) -> list[Any]:
    mailbox = house.proxy("notifications", "web")
    return list((await mailbox.mailbox(PageRequest(), address)).items)


class TestAnOffer:
    async def test_says_what_until_when_and_how_to_decline(
        self, house: Any, identity: Any, happened: Any
    ) -> None:
        person, what = identity.meet("Anna", "anna@x.example"), entry()
        await happened(house, offered(person, what))
        (mail,) = await mails(house, "anna@x.example")
        assert mail.subject == "Free for you: Hotel, Suite, Mar 8, 2027 – Mar 10, 2027 × 2"
        assert "until March 5, 2027, 18:30" in mail.text
        site = house.settings.site
        links = [f"{site}/waiting", f"{site}/waiting/{what.id}/decline?token=t0k3n"]
        assert re.findall(r'href="([^"]*)"', mail.html) == links
        assert all(link in mail.text for link in links)

    async def test_is_told_in_russian_and_in_the_interface(
        self, house: Any, identity: Any, happened: Any
    ) -> None:
        person = identity.meet("Анна", "anna@x.example", "ru")
        await happened(house, offered(person, entry(dates=None, quantity=1)))
        (mail,) = await mails(house, "anna@x.example")
        assert mail.subject == "Освободилось для вас: Гостиница, Люкс"
        assert "до 5 марта 2027" in mail.text and "Больше не нужно" in mail.text
        with house.calling(Caller(user_id=person, language="ru")):
            (told,) = (await house.notifications.notifications(PageRequest())).items
        assert (told.title, told.path) == (mail.subject, "/waiting")
        assert "t0k3n" not in told.body + told.path

    async def test_other_mails_have_one_link(
        self, house: Any, identity: Any, happened: Any
    ) -> None:
        person, what = identity.meet(email="anna@x.example"), entry()
        await happened(house, lapsed(person, what))
        (mail,) = await mails(house, "anna@x.example")
        assert re.findall(r'href="([^"]*)"', mail.html) == [f"{house.settings.site}/waiting"]


class TestALapse:
    async def test_follows_its_offer(self, house: Any, identity: Any, happened: Any) -> None:
        person, what = identity.meet("Anna", "anna@x.example"), entry()
        await happened(house, offered(person, what), lapsed(person, what))
        subjects = {mail.subject.partition(":")[0] for mail in await mails(house, "anna@x.example")}
        assert subjects == {"Free for you", "No longer held for you"}
