"""A call is the same call in one process and between processes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Protocol
from uuid import UUID

import pytest
from pydantic import Field, SecretStr, model_validator

from dvor.kernel import db, deadline, telemetry
from dvor.kernel.caller import Caller, Role, asking, current
from dvor.kernel.config import Settings
from dvor.kernel.errors import (
    Conflict,
    DeadlineExceeded,
    Forbidden,
    Internal,
    InvalidFields,
    Refusal,
)
from dvor.kernel.ids import new
from dvor.kernel.messages import Count, Line, Message
from dvor.kernel.rpc import Server, local, remote

SETTINGS = Settings(secret=b"s" * 32, call_timeout_seconds=5, wait_seconds=5, shutdown_seconds=1)
NO_PASSWORD, OTHER_PASSWORD = SecretStr(""), SecretStr("x")


class Mood(StrEnum):
    """How it is said."""

    WARM = "warm"
    COLD = "cold"


class Guest(Message):
    """Whom to greet."""

    name: Annotated[str, Field(min_length=1, max_length=20)]
    born: date | None = None

    @model_validator(mode="after")
    def _is_not_nobody(self) -> "Guest":
        if self.name == "nobody":
            raise ValueError("nobody is not a name")
        return self


class Greeting(Message):
    """What was said."""

    text: str
    mood: Mood
    names: tuple[str, ...] = ()


class Told(Message):
    """What the implementation saw."""

    caller: Caller
    request_id: str
    remaining_ms: Count


class Unwelcome(Conflict):
    """{name} came {times} times too often."""

    name: str
    times: Count
    guest_id: UUID | None = None


class Greetings(Protocol):
    """A contract of a test."""

    async def greet(
        self,
        guests: Annotated[tuple[Guest, ...], Field(max_length=3)],
        mood: Mood = Mood.WARM,
        times: Annotated[int, Field(strict=True, ge=1, le=9)] = 1,
    ) -> Greeting:
        """Greet."""
        ...

    async def forget(self, guest_id: UUID, password: SecretStr = NO_PASSWORD) -> None:
        """Forget."""
        ...

    async def refuse(self, name: Line, guest_id: UUID) -> Greeting:
        """Refuse."""
        ...

    async def forbid(self) -> None:
        """Refuse without details."""
        ...

    async def fall(self) -> None:
        """Fail as nobody meant it to."""
        ...

    async def lie(self) -> Greeting:
        """Return something else."""
        ...

    async def tell(self) -> Told:
        """Tell who asks."""
        ...

    async def sleep(self) -> None:
        """Take too long."""
        ...

    async def time_out(self) -> None:
        """Let a timeout of one's own escape."""
        ...


class GreetingsService:
    """What a service would be."""

    def __init__(self) -> None:
        self.forgotten: list[tuple[UUID, str]] = []
        self.slept: asyncio.Queue[str] = asyncio.Queue()

    async def greet(
        self, guests: tuple[Guest, ...], mood: Mood = Mood.WARM, times: int = 1
    ) -> Greeting:
        names = tuple(guest.name for guest in guests)
        return Greeting(text="Hello! " * times, mood=mood, names=names)

    async def forget(self, guest_id: UUID, password: SecretStr = NO_PASSWORD) -> None:
        self.forgotten.append((guest_id, password.get_secret_value()))

    async def refuse(self, name: str, guest_id: UUID) -> Greeting:
        raise Unwelcome(name=name, times=3, guest_id=guest_id)

    async def forbid(self) -> None:
        raise Forbidden

    async def fall(self) -> None:
        raise ZeroDivisionError("the secret recipe")

    async def lie(self) -> Any:
        return Guest(name="Ann")

    async def tell(self) -> Told:
        remaining = int(deadline.remaining_seconds(1_000) * 1000)
        return Told(caller=current(), request_id=telemetry.request_id.get(), remaining_ms=remaining)

    async def sleep(self) -> None:
        self.slept.put_nowait("asleep")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.slept.put_nowait("woken")
            raise

    async def time_out(self) -> None:
        raise TimeoutError


Connect = Callable[..., Greetings]


@pytest.fixture
def service() -> GreetingsService:
    """The implementation behind every proxy."""
    return GreetingsService()


@pytest.fixture(params=["local", "remote"])
async def connect(
    request: pytest.FixtureRequest, service: GreetingsService
) -> AsyncIterator[Connect]:
    """The contract as a named service calls it: in this process, or over gRPC."""
    if request.param == "local":
        yield lambda calling=None: local(Greetings, service, calling, SETTINGS, complete=True)
        return
    server = Server({Greetings: service}, SETTINGS)
    address = await server.start("127.0.0.1:0")
    proxies: list[Any] = []

    def make(calling: str | None = None) -> Greetings:
        proxies.append(remote(Greetings, address, calling, SETTINGS))
        return proxies[-1]

    yield make
    for proxy in proxies:
        await proxy.close()
    await server.stop(0)


class TestAnswers:
    async def test_a_message_comes_back_equal(self, connect: Connect) -> None:
        guests = (Guest(name="Аня", born=date(1990, 2, 3)), Guest(name="Bo"))
        answer = await connect().greet(guests, Mood.COLD, 2)
        assert answer == Greeting(text="Hello! Hello! ", mood=Mood.COLD, names=("Аня", "Bo"))

    async def test_names_positions_and_defaults_mean_the_same(self, connect: Connect) -> None:
        greetings = connect()
        answers = [
            await greetings.greet(()),
            await greetings.greet(guests=()),
            await greetings.greet((), times=1, mood=Mood.WARM),
        ]
        assert answers == [Greeting(text="Hello! ", mood=Mood.WARM)] * 3

    async def test_nothing_is_none_and_a_secret_arrives(
        self, connect: Connect, service: GreetingsService
    ) -> None:
        guest = new()
        assert await connect().forget(guest, SecretStr("пароль")) is None
        assert service.forgotten == [(guest, "пароль")]

    async def test_many_at_once_do_not_mix(self, connect: Connect) -> None:
        greetings = connect()
        names = [f"guest {n}" for n in range(50)]
        answers = await asyncio.gather(*(greetings.greet((Guest(name=n),)) for n in names))
        assert [answer.names for answer in answers] == [(name,) for name in names]


class TestRefusals:
    async def test_the_same_class_arrives_with_its_details(self, connect: Connect) -> None:
        guest = new()
        with pytest.raises(Unwelcome) as refused:
            await connect().refuse("Аня", guest)
        assert refused.value.details == {"name": "Аня", "times": 3, "guest_id": guest}
        assert refused.value.message == "Аня came 3 times too often."

    async def test_a_refusal_without_details_arrives(self, connect: Connect) -> None:
        with pytest.raises(Forbidden):
            await connect().forbid()

    async def test_what_nobody_meant_becomes_internal_and_says_nothing(
        self, connect: Connect
    ) -> None:
        with pytest.raises(Internal) as refused:
            await connect().fall()
        assert "recipe" not in str(refused.value)

    async def test_an_answer_of_another_type_becomes_internal(self, connect: Connect) -> None:
        with pytest.raises(Internal):
            await connect().lie()

    async def test_a_timeout_of_its_own_is_no_deadline(self, connect: Connect) -> None:
        with pytest.raises(Internal):
            await connect().time_out()


class TestArguments:
    async def test_each_problem_is_named_by_its_path(self, connect: Connect) -> None:
        wrong: Any = ({"name": ""}, {"name": "nobody"})
        with pytest.raises(InvalidFields) as refused:
            await connect().greet(wrong, "lukewarm", "3")  # type: ignore[arg-type]
        assert refused.value.details["problems"] == {
            "guests.0.name": "String should have at least 1 character",
            "guests.1": "nobody is not a name",
            "mood": "Input should be 'warm' or 'cold'",
            "times": "Input should be a valid integer",
        }

    async def test_the_implementation_is_not_reached_and_nothing_sent_is_repeated(
        self, connect: Connect, service: GreetingsService
    ) -> None:
        with pytest.raises(InvalidFields) as refused:
            await connect().forget("secret-id", 7)  # type: ignore[arg-type]
        assert service.forgotten == []
        assert "secret-id" not in str(refused.value.details)

    async def test_a_long_list_of_problems_is_cut(self, connect: Connect) -> None:
        wrong: Any = [{f"odd{n}": 1} for n in range(3)] * 30
        with pytest.raises(InvalidFields) as refused:
            await connect().greet(wrong)
        assert 0 < len(refused.value.details["problems"]) <= 20

    @pytest.mark.parametrize(
        ("args", "kwargs"),
        [((), {}), (((),), {"guests": ()}), (((),), {"tone": "x"}), (((), "warm", 1, 2), {})],
        ids=["missing", "twice", "unknown", "too many"],
    )
    async def test_a_call_python_would_refuse_is_a_type_error(
        self, connect: Connect, args: Any, kwargs: Any
    ) -> None:
        with pytest.raises(TypeError, match=r"Greetings\.greet"):
            await connect().greet(*args, **kwargs)


class TestCaller:
    async def test_person_key_and_language_are_forwarded_and_the_service_is_set(
        self, connect: Connect
    ) -> None:
        person = Caller(
            user_id=new(), roles=(Role.SELLER,), language="ru", session_id=new(), key=new()
        )
        with asking(person):
            told = await connect("orders").tell()
            assert current() == person
        assert told.caller == person.model_copy(update={"service": "orders"})

    async def test_a_proxy_of_no_service_leaves_the_service_as_it_is(
        self, connect: Connect
    ) -> None:
        with asking(Caller(service="web")):
            assert (await connect(None).tell()).caller.service == "web"
        with asking(Caller(service="web")):
            assert (await connect("").tell()).caller.service == ""

    async def test_the_request_id_is_forwarded(self, connect: Connect) -> None:
        token = telemetry.request_id.set("req-1")
        try:
            assert (await connect().tell()).request_id == "req-1"
        finally:
            telemetry.request_id.reset(token)


class TestDeadline:
    async def test_the_callee_sees_what_is_left(self, connect: Connect) -> None:
        greetings = connect()
        assert (await greetings.tell()).remaining_ms <= 5100
        with deadline.within(2):
            assert (await greetings.tell()).remaining_ms <= 2100  # gRPC rounds up a little

    async def test_too_long_is_refused_and_the_callee_stopped(
        self, connect: Connect, service: GreetingsService
    ) -> None:
        with deadline.within(0.3), pytest.raises(DeadlineExceeded):
            await connect().sleep()
        assert [await service.slept.get(), await service.slept.get()] == ["asleep", "woken"]

    async def test_no_time_left_means_no_call(
        self, connect: Connect, service: GreetingsService
    ) -> None:
        with deadline.within(0), pytest.raises(DeadlineExceeded):
            await connect().sleep()
        assert service.slept.empty()

    async def test_whoever_stops_waiting_stops_the_callee(
        self, connect: Connect, service: GreetingsService
    ) -> None:
        call = asyncio.create_task(connect().sleep())  # type: ignore[arg-type]
        assert await service.slept.get() == "asleep"
        call.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await call
        assert await service.slept.get() == "woken"


class TestTransaction:
    async def test_a_call_inside_an_open_transaction_is_an_assertion(
        self, connect: Connect, service: GreetingsService
    ) -> None:
        token = db._open_transaction.set("orders")
        try:
            with pytest.raises(AssertionError, match=r"Greetings\.forget inside an open"):
                await connect().forget(new())
        finally:
            db._open_transaction.reset(token)
        assert service.forgotten == []


class TestImplementation:
    def test_a_missing_method_is_refused_unless_a_fake_may_lack_it(self) -> None:
        class Half:
            async def forbid(self) -> None: ...

        with pytest.raises(TypeError, match=r"Half\.greet is missing"):
            local(Greetings, Half(), complete=True)
        with pytest.raises(TypeError, match=r"Half\.greet is missing"):
            Server({Greetings: Half()}, SETTINGS)
        assert local(Greetings, Half())

    async def test_calling_what_a_fake_lacks_is_internal(self) -> None:
        class Half:
            async def forbid(self) -> None: ...

        with pytest.raises(Internal):
            await local(Greetings, Half()).fall()

    def test_other_parameters_or_defaults_are_refused(self) -> None:
        class Other(GreetingsService):
            async def refuse(self, name: str, guest: UUID) -> Greeting:  # type: ignore[override]
                raise Refusal

        class Default(GreetingsService):
            async def forget(  # type: ignore[override]
                self, guest_id: UUID, password: SecretStr = OTHER_PASSWORD
            ) -> None: ...

        for wrong in (Other(), Default()):
            with pytest.raises(TypeError, match="Greetings promises"):
                local(Greetings, wrong)

    def test_a_proxy_satisfies_its_own_contract(self, service: GreetingsService) -> None:
        assert Server({Greetings: local(Greetings, service)}, SETTINGS)
