"""A house of notifications alone: events come in by hand, mails go to a mailbox or an SMTP sink."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any
from uuid import UUID

import pytest
from aiosmtpd.controller import Controller

from dvor.contracts.catalog import NotOnSale, Quote, QuoteLine
from dvor.contracts.identity import Contact, Contacts, Identity
from dvor.kernel.caller import Caller, current
from dvor.kernel.events import Event
from dvor.kernel.ids import new
from dvor.kernel.money import Money
from dvor.services.notifications import SERVICE


class FakeIdentity(Identity):
    """Knows whom a test introduced."""

    def __init__(self) -> None:
        self.people: dict[UUID, Contact] = {}
        self.callers: dict[str, Caller] = {}
        self.asked_by: set[str] = set()

    def meet(self, name: str = "Anna", email: str = "", language: str = "en") -> UUID:
        """A new person."""
        person = new()
        email = email or f"{person.hex[-12:]}@people.example"
        self.people[person] = Contact(user_id=person, email=email, name=name, language=language)
        return person

    async def contacts(self, user_ids: tuple[UUID, ...]) -> Contacts:
        self.asked_by.add(current().service)
        return Contacts(items=tuple(self.people[i] for i in user_ids if i in self.people))

    async def authenticate(self, access_token: str) -> Caller:
        return self.callers.get(access_token, Caller())


@dataclass
class FakeCatalog:
    """Quotes one price for anything."""

    price: Money | None = None

    async def quote(self, lines: tuple[QuoteLine, ...], promo: str = "") -> Quote:
        if self.price is None:
            raise NotOnSale(offer_id=lines[0].offer_id)
        return Quote(lines=(), total=self.price)


@dataclass
class Server:
    """A mail server: keeps what it takes, answers with the next of `answers` first."""

    url: str = ""
    taken: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    """To DATA."""
    refusals: list[str] = field(default_factory=list)
    """To RCPT."""

    async def handle_RCPT(self, _s: Any, _e: Any, envelope: Any, address: str, _o: Any) -> str:
        if self.refusals:
            return self.refusals.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        if self.answers:
            return self.answers.pop(0)
        message = message_from_bytes(envelope.content, policy=default)
        assert isinstance(message, EmailMessage)
        self.taken.append(message)
        self.recipients += envelope.rcpt_tos
        return "250 OK"


class _Controller(Controller):
    """On a port that the system chooses."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        super()._trigger_server()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    controller = _Controller(server, hostname="127.0.0.1", port=0)
    await asyncio.to_thread(controller.start)
    server.url = f"smtp://127.0.0.1:{controller.port}"
    yield server
    await asyncio.to_thread(controller.stop)


@pytest.fixture
def identity() -> FakeIdentity:
    return FakeIdentity()


@pytest.fixture
def catalog() -> FakeCatalog:
    return FakeCatalog()


@pytest.fixture
async def house(make_house: Any, identity: FakeIdentity, catalog: FakeCatalog) -> Any:
    return await make_house("notifications", fakes={"identity": identity, "catalog": catalog})


@pytest.fixture
async def mailing_house(
    make_house: Any, identity: FakeIdentity, catalog: FakeCatalog, server: Server
) -> Any:
    fakes = {"identity": identity, "catalog": catalog}
    return await make_house("notifications", fakes=fakes, smtp_url=server.url)


async def happen(house: Any, *events: Event) -> None:
    """Have the service take events, as its consumer does."""
    async with house.db("notifications").tx() as tx:
        for event in events:
            await SERVICE.handlers[type(event)](tx, event)
    await house.settle()


@pytest.fixture
def happened() -> Any:
    return happen
