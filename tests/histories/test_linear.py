"""The checker: it accepts what can be explained and rejects planted histories that cannot."""

import pytest

from tests.histories.linear import NEVER, Call, check, parts
from tests.histories.promises import Promises, Shop, touched

SPEC = Promises()
LAMP = (("lamp", None), 1)
ROOM = tuple((("room", night), 1) for night in (1, 2))
SHOP = Shop.of({"lamp": 2, "room": 1}, {"hall": ("A1", "A2", "A3")})


def call(action: tuple[object, ...], answer: object, begun: float, ended: float = NEVER) -> Call:
    return Call(action, answer, begun, ended)


def take(name: str, answer: object, begun: float, ended: float = NEVER, units: int = 1) -> Call:
    return call(("hold", name, ((("lamp", None), units),)), answer, begun, ended)


def free(units: int, begun: float, ended: float) -> Call:
    return call(("free", "lamp", (None,)), units, begun, ended)


def sit(name: str, answer: object, begun: float, ended: float, *seats: str) -> Call:
    return call(("hold", name, tuple((("hall", s), 1) for s in seats)), answer, begun, ended)


def best(name: str, count: int, answer: object, begun: float, ended: float = NEVER) -> Call:
    return call(("best", name, "hall", count), answer, begun, ended)


def seen(begun: float, ended: float, *seats: str) -> Call:
    return call(("taken", "hall"), seats, begun, ended)


GOOD = {
    "one after the other": [take("a", "held", 0, 1), free(1, 2, 3), take("b", "held", 4, 5)],
    "the later call was first": [
        take("a", ("SoldOut", 1), 0, 9, units=2),
        take("b", "held", 1, 2),
    ],
    "a read beside a hold may see either": [
        take("a", "held", 0, 9),
        free(1, 1, 2),
        free(1, 3, 4),
        take("b", "held", 0, 9),
        free(0, 5, 6),
    ],
    "an unknown hold happened": [take("a", None, 0), free(1, 2, 3), free(1, 4, 5)],
    "an unknown hold happened late": [take("a", None, 0), free(2, 2, 3), free(1, 4, 5)],
    "an unknown hold never happened": [take("a", None, 0), free(2, 2, 3), take("b", "held", 4, 5)],
    "what failed has happened, or not": [take("a", None, 0, 1), free(1, 2, 3)],
    "a release frees": [
        take("a", "held", 0, 1, units=2),
        take("b", ("SoldOut", 0), 2, 3),
        call(("release", "a"), "released", 4, 5),
        take("b", "held", 6, 7),
        take("a", "HoldEnded", 8, 9),
    ],
    "confirmed twice, sold once": [
        take("a", "held", 0, 1),
        call(("confirm", "a"), "confirmed", 2, 5),
        call(("confirm", "a"), "confirmed", 3, 4),
        free(1, 6, 7),
    ],
    "time ends holds": [
        take("a", "held", 0, 1, units=2),
        call(("time",), "passed", 2, 3),
        call(("confirm", "a"), "HoldEnded", 4, 5),
        free(2, 6, 7),
    ],
    "a stay is in every night or in none": [
        call(("hold", "a", ROOM), "held", 0, 5),
        call(("calendar", "room", (0, 1, 2)), [1, 0, 0], 1, 2),
    ],
    "whoever names no seats gets those that are free": [
        sit("a", "held", 0, 1, "A2"),
        best("b", 2, ("held", ("A1", "A3")), 2, 3),
        best("c", 1, ("SoldOut", 0), 4, 5),
        call(("left", "hall"), 0, 4, 5),
    ],
    "one of two who want a seat at once gets another": [
        sit("a", "held", 0, 9, "A2"),
        best("b", 1, ("held", ("A1",)), 0, 9),
        call(("pick", "hall", 1), ("A3",), 9, 10),
    ],
    "own seats are free for their hold": [
        best("a", 2, ("held", ("A1", "A2")), 0, 1),
        best("a", 3, ("held", ("A1", "A2", "A3")), 2, 3),
        sit("a", "held", 4, 5, "A2"),
        seen(6, 7, "A2"),
    ],
    "an unknown choice may have been any": [
        best("a", 2, None, 0),
        seen(1, 2),
        seen(3, 4, "A1", "A3"),
        sit("b", "held", 5, 6, "A2"),
    ],
}
BAD = {
    "one seat, two owners": [
        sit("a", "held", 0, 1, "A1", "A2"),
        sit("b", "held", 2, 3, "A2", "A3"),
    ],
    "a chosen seat is chosen for somebody else": [
        sit("a", "held", 0, 9, "A1"),
        best("b", 2, ("held", ("A1", "A2")), 0, 9),
    ],
    "a paid seat is chosen again": [
        best("a", 3, ("held", ("A1", "A2", "A3")), 0, 1),
        call(("confirm", "a"), "confirmed", 2, 3),
        call(("time",), "passed", 4, 5),
        best("b", 1, ("held", ("A3",)), 6, 7),
    ],
    "refused though there are seats": [
        sit("a", "held", 0, 1, "A1"),
        best("b", 2, ("SoldOut", 1), 2, 3),
    ],
    "fewer seats than were asked for": [best("a", 2, ("held", ("A1",)), 0, 1)],
    "a seat that is not there": [best("a", 1, ("held", ("Z9",)), 0, 1)],
    "a seat that was let go stays taken": [
        sit("a", "held", 0, 1, "A1"),
        call(("release", "a"), "released", 2, 3),
        seen(4, 5, "A1"),
    ],
    "an unknown choice took more than it was asked for": [
        best("a", 1, None, 0),
        seen(1, 2, "A1", "A2"),
    ],
    "an unknown choice moved": [best("a", 1, None, 0), seen(1, 2, "A1"), seen(3, 4, "A2")],
    "a seat to pick that somebody has": [
        sit("a", "held", 0, 1, "A1"),
        call(("pick", "hall", 1), ("A1",), 2, 3),
    ],
    "oversold": [
        take("a", "held", 0, 1, units=2),
        take("b", "held", 2, 3),
    ],
    "oversold at once": [take(name, "held", 0, 9) for name in "abc"],
    "a lost release": [
        take("a", "held", 0, 1, units=2),
        call(("release", "a"), "released", 2, 3),
        take("b", ("SoldOut", 0), 4, 5),
    ],
    "a stale read": [take("a", "held", 0, 1), free(2, 2, 3)],
    "reads that go back": [take("a", "held", 0, 9), free(1, 1, 2), free(2, 3, 4)],
    "confirmed twice, sold twice": [
        take("a", "held", 0, 1),
        call(("confirm", "a"), "confirmed", 2, 3),
        call(("confirm", "a"), "confirmed", 4, 5),
        free(0, 6, 7),
    ],
    "refused though there is enough": [take("a", "held", 0, 1), take("b", ("SoldOut", 0), 2, 3)],
    "refused for what nobody can have taken yet": [
        take("a", ("SoldOut", 0), 0, 1),
        take("b", None, 2, NEVER, units=2),
    ],
    "an unknown hold happened twice": [take("a", None, 0), free(0, 2, 3)],
    "what failed happened after its end": [take("a", None, 0, 1), free(2, 2, 3), free(1, 4, 5)],
    "confirmed after time ended it": [
        take("a", "held", 0, 1),
        call(("time",), "passed", 2, 3),
        call(("confirm", "a"), "confirmed", 4, 5),
    ],
    "half a stay": [
        call(("hold", "a", ROOM), "held", 0, 5),
        call(("calendar", "room", (0, 1, 2)), [1, 0, 1], 1, 2),
    ],
    "cut below what is promised": [
        take("a", "held", 0, 1, units=2),
        call(("supply", "lamp", 1), "set", 2, 3),
    ],
}


class TestCheck:
    @pytest.mark.parametrize("name", GOOD)
    def test_it_accepts(self, name: str) -> None:
        assert check(GOOD[name], SPEC, SHOP).linearizable is True

    @pytest.mark.parametrize("name", BAD)
    def test_it_rejects(self, name: str) -> None:
        verdict = check(BAD[name], SPEC, SHOP)
        assert verdict.linearizable is False
        assert verdict.stuck

    def test_it_gives_up_in_time(self) -> None:
        crowd = [take(str(n), None, 0) for n in range(40)]
        shop = Shop.of({"lamp": 40})
        verdict = check([*crowd, free(99, 1, 2)], SPEC, shop, steps_max=500)
        assert verdict.linearizable is None


class TestParts:
    def test_what_has_nothing_in_common_is_apart(self) -> None:
        one, other = take("a", "held", 0, 1), call(("hold", "b", ROOM), "held", 0, 1)
        both = call(("confirm", "b"), "confirmed", 2, 3)
        passing = call(("time",), "passed", 4, 5)
        assert parts([one, other, both, passing], touched) == [
            [one, passing],
            [other, both, passing],
        ]

    def test_a_mixed_cart_ties_its_offers_together(self) -> None:
        calls = [take("a", "held", 0, 1), call(("hold", "b", (*ROOM, LAMP)), "held", 0, 1)]
        assert parts(calls, touched) == [calls]
