"""Messages survive the wire, whatever they hold, and what does not fit is refused."""

import importlib
import pkgutil
import types
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from typing import Annotated, Any, Protocol, Union, get_args, get_origin
from uuid import UUID

import annotated_types
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import AwareDatetime, Field, SecretStr, ValidationError, create_model

import dvor.contracts
from dvor.contracts.catalog import ListingStatus, Search, Sort
from dvor.contracts.orders import CartLine, Wish
from dvor.kernel.ids import new
from dvor.kernel.messages import Instant, Message
from dvor.kernel.periods import DateRange, HourRange
from dvor.kernel.rpc import schema
from dvor.kernel.rpc.codec import Undecodable, codec
from dvor.kernel.rpc.contract import methods

_MODULES = [f"dvor.contracts.{m.name}" for m in pkgutil.iter_modules(dvor.contracts.__path__)]


def _everything() -> list[type[Message]]:
    found: dict[type[Message], None] = {}
    for module in _MODULES:
        importlib.import_module(module)
        for name in [module, *schema.dependencies(module)]:
            found |= dict.fromkeys(schema.messages_in(name))
    return list(found)


def _text(bounds: dict[str, Any]) -> st.SearchStrategy[str]:
    if pattern := bounds.get("pattern"):
        return st.from_regex(pattern, fullmatch=True).filter(lambda s: s == s.strip())
    longest = min(bounds.get("max_length", 30), 30)
    return st.text(st.characters(exclude_categories=["Cs"]), max_size=longest)


_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    bytes: st.binary(max_size=50),
    UUID: st.uuids(),
    date: st.dates(),
    AwareDatetime: st.datetimes(datetime(1, 1, 2), timezones=st.just(UTC)),
    SecretStr: st.text(st.characters(exclude_categories=["Cs"]), min_size=8, max_size=20),
}


def _bounds(metadata: Any) -> dict[str, Any]:
    bounds: dict[str, Any] = {}
    for item in metadata:
        for part in getattr(item, "metadata", [item]):
            for name in ("ge", "le", "min_length", "max_length", "pattern"):
                if (value := getattr(part, name, None)) is not None:
                    bounds[name] = value
            if isinstance(part, annotated_types.GroupedMetadata):
                bounds |= _bounds(part)
    return bounds


def values(hint: Any, metadata: Any = ()) -> st.SearchStrategy[Any]:
    """Values of a type that fit its constraints, mostly."""
    bounds = _bounds(metadata)
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return values(args[0], (*args[1:], *metadata))
    if origin in (Union, types.UnionType):
        inner = [arg for arg in args if arg is not type(None)]
        return st.none() | values(inner[0], metadata)
    if origin is tuple:
        least = bounds.get("min_length", 0)
        return st.lists(values(args[0]), min_size=least, max_size=least + 2).map(tuple)
    if origin is dict:
        return st.dictionaries(_text({}), _text({}), max_size=3)
    if hint is str:
        return _text(bounds)
    if hint is int:
        return st.integers(bounds.get("ge", -(2**63)), bounds.get("le", 2**63 - 1))
    if hint is DateRange:
        return st.builds(
            lambda start, days: DateRange(start=start, end=start + timedelta(days=days)),
            st.dates(max_value=date(9000, 1, 1)),
            st.integers(1, 366),
        )
    if hint is HourRange:
        return st.builds(
            lambda start, hours: HourRange(start=start, end=start + timedelta(hours=hours)),
            st.datetimes(max_value=datetime(9000, 1, 1), timezones=st.just(UTC)),
            st.integers(1, 744),
        )
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return st.sampled_from(list(hint))
    if isinstance(hint, type) and issubclass(hint, Message):
        return instances(hint)
    return _PLAIN[hint]


def instances(model: type[Message]) -> st.SearchStrategy[Message]:
    """Instances of a message; those its own rules refuse are left out."""

    def built(fields: dict[str, Any]) -> Message | None:
        try:
            return model(**fields)
        except ValidationError:
            return None

    parts = {n: values(f.annotation, f.metadata) for n, f in model.model_fields.items()}
    return st.fixed_dictionaries(parts).map(built).filter(lambda m: m is not None)  # type: ignore[return-value]


class TestRoundTrip:
    @pytest.mark.parametrize("model", _everything(), ids=schema.full_name)
    def test_every_message_of_every_contract_comes_back_equal(self, model: type[Message]) -> None:
        @settings(
            max_examples=15,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
        )
        @given(values(model))
        def check(value: Message) -> None:
            assert codec(model).decode(codec(model).encode(value)) == value

        check()

    def test_an_instant_keeps_its_microseconds_before_1970_and_its_moment_in_any_zone(self) -> None:
        at = datetime(1935, 5, 15, 6, 7, 8, 999_999, tzinfo=timezone(timedelta(hours=3)))
        request = methods(_Walks)["meet"].bind((at,), {})
        assert codec(type(request)).decode(codec(type(request)).encode(request)) == request


class TestAbsence:
    def test_an_absent_number_with_a_default_is_the_default_and_zero_is_zero(self) -> None:
        wire = schema.message_class(Wish)(offer_id=str(new()))
        assert codec(Wish).decode(wire.SerializeToString()).model_dump()["quantity"] == 1
        wire.quantity = 0
        with pytest.raises(ValidationError, match="greater than or equal to 1"):
            codec(Wish).decode(wire.SerializeToString())

    def test_none_differs_from_the_default_where_both_can_be_meant(self) -> None:
        plan = codec(Search)
        assert plan.decode(b"") == Search(status=ListingStatus.PUBLISHED)
        assert plan.decode(plan.encode(Search(status=None))) == Search(status=None)

    def test_an_enum_that_was_not_said_is_its_default(self) -> None:
        wire = schema.message_class(Search)(sort=0)
        decoded = codec(Search).decode(wire.SerializeToString())
        assert decoded == Search(sort=Sort.NEWEST)

    def test_a_required_none_comes_back(self) -> None:
        field = next(f for f in schema.fields(CartLine) if f.name == "dates")
        assert field.nullable and field.default is schema.REQUIRED
        values = codec(CartLine).values(schema.message_class(CartLine)())
        assert values["dates"] is None

    def test_a_missing_message_is_named(self) -> None:
        request = methods(_Walks)["walk"].request
        with pytest.raises(ValidationError) as refused:
            codec(request).decode(b"")
        assert refused.value.errors()[0]["loc"] == ("during",)
        assert refused.value.errors()[0]["type"] == "missing"


class TestRefusing:
    def test_an_enum_number_we_do_not_know_is_refused(self) -> None:
        wire = schema.message_class(Search)(sort=99)
        with pytest.raises(ValidationError, match="sort"):
            codec(Search).decode(wire.SerializeToString())

    def test_an_instant_beyond_time_is_refused(self) -> None:
        request = methods(_Walks)["meet"].request
        wire = schema.message_class(request)()
        wire.at.seconds = 10**17
        with pytest.raises(ValidationError, match="at"):
            codec(request).decode(wire.SerializeToString())

    def test_bytes_that_are_no_message_are_undecodable(self) -> None:
        with pytest.raises(Undecodable):
            codec(Search).decode(b"\xff\xff\xff")

    def test_fields_of_a_newer_version_are_ignored(self) -> None:
        newer = codec(Search).encode(Search(text="lamp")) + b"\x9a\x3f\x03new"
        assert codec(Search).decode(newer) == Search(text="lamp")


class _Walks(Protocol):
    """A contract of a test."""

    async def walk(self, during: DateRange) -> None:
        """Walk."""
        ...

    async def meet(self, at: Instant) -> None:
        """Meet."""
        ...


class TestFields:
    @pytest.mark.parametrize(
        ("annotation", "default"),
        [
            (float, ...),
            (list[str], ...),
            (tuple[str, int], ...),
            (dict[str, int], ...),
            (int | str, ...),
            (tuple[str, ...] | None, None),
            (tuple[str, ...], ("a",)),
            (int | None, 3),
        ],
    )
    def test_what_has_no_clear_place_on_the_wire_is_a_type_error(
        self, annotation: Any, default: Any
    ) -> None:
        model = create_model("Odd", __base__=Message, field=(annotation, Field(default=default)))
        with pytest.raises(TypeError, match=r"Odd\.field"):
            schema.fields(model)

    def test_numbers_follow_the_declaration(self) -> None:
        assert [(f.name, f.number) for f in schema.fields(Wish)] == [
            ("offer_id", 1),
            ("quantity", 2),
            ("dates", 3),
            ("hours", 4),
            ("seats", 5),
        ]
