"""Identifiers."""

import pickle
from uuid import UUID, SafeUUID

from dvor.kernel.ids import derived, new


class TestNew:
    def test_is_an_ordinary_uuid_of_version_7(self) -> None:
        made = new()
        assert (made.version, made.variant) == (7, "specified in RFC 4122")
        assert made == UUID(str(made))
        assert hash(made) == hash(UUID(int=made.int))
        assert made.is_safe is SafeUUID.unknown
        assert pickle.loads(pickle.dumps(made)) == made

    def test_is_another_each_time_and_sorts_by_time(self) -> None:
        made = [new() for _ in range(1000)]
        assert len(set(made)) == len(made)
        assert [one.int >> 80 for one in made] == sorted(one.int >> 80 for one in made)


class TestDerived:
    def test_is_the_same_for_the_same_parts_and_of_version_5(self) -> None:
        assert derived("cart", 1) == derived("cart", 1) != derived("cart", 2)
        assert derived("cart", 1) == UUID("9e5a82fe-db68-535d-9cae-5f8721eab6c1")
        assert derived("cart", 1).version == 5
