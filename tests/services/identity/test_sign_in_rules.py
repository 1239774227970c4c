"""Pure decisions of identity."""

from datetime import timedelta
from itertools import accumulate
from uuid import UUID

import pytest

from dvor.contracts.identity import AdminAction
from dvor.kernel.caller import Role
from dvor.services.identity import rules
from dvor.services.identity.password_strength import canonical_password, is_weak

CUSTOMER, SELLER, ADMIN = Role.CUSTOMER, Role.SELLER, Role.ADMIN
A, B = UUID(int=1), UUID(int=2)


class TestWaits:
    def test_they_grow_and_end(self) -> None:
        waits = rules.ACCOUNT_WAITS
        assert waits[:10] == (timedelta(),) * 10
        assert list(waits) == sorted(waits)
        assert waits[-1] == timedelta(minutes=15)

    def test_an_hour_allows_few_guesses(self) -> None:
        waits = [*rules.ACCOUNT_WAITS, *[rules.ACCOUNT_WAITS[-1]] * 20]
        within = [at for at in accumulate(waits, initial=timedelta()) if at < timedelta(hours=1)]
        assert len(within) == 18


class TestNetworkOf:
    @pytest.mark.parametrize(
        ("address", "network"),
        [
            ("8.8.8.8", "8.8.8.8"),
            (" 8.8.8.8 ", "8.8.8.8"),
            ("::ffff:8.8.8.8", "8.8.8.8"),
            ("2a00:1450:4010:c0a::66", "2a00:1450:4010:c0a::/64"),
            ("2a00:1450:4010:c0a:1:2:3:4", "2a00:1450:4010:c0a::/64"),
            ("127.0.0.1", ""),
            ("::1", ""),
            ("10.1.2.3", ""),
            ("::ffff:10.1.2.3", ""),
            ("fe80::1%eth0", ""),
            ("224.0.0.1", ""),
            ("testclient", ""),
            ("8.8.8.8, 9.9.9.9", ""),
            ("", ""),
        ],
    )
    def test_only_public_addresses_count(self, address: str, network: str) -> None:
        assert rules.network_of(address) == network


class TestSubjects:
    def test_an_account_and_a_network_count(self) -> None:
        names = [s.name for s in rules.subjects("sign_in", "a@b.cd", "8.8.8.8")]
        assert len(names) == 2
        assert "a@b.cd" not in names[0]
        assert names == sorted(names)

    def test_a_familiar_network_has_its_own_count(self) -> None:
        strange = rules.subjects("sign_in", "a@b.cd", "8.8.8.8")
        familiar = rules.subjects("sign_in", "a@b.cd", "8.8.8.8", familiar=True)
        assert strange[0].name != familiar[0].name
        assert strange[1] == familiar[1]


class TestRoles:
    @pytest.mark.parametrize(
        ("roles", "action", "after"),
        [
            ([CUSTOMER], AdminAction.MAKE_SELLER, [CUSTOMER, SELLER]),
            ([CUSTOMER, SELLER], AdminAction.MAKE_ADMIN, [CUSTOMER, SELLER, ADMIN]),
            ([CUSTOMER, ADMIN], AdminAction.MAKE_SELLER, [CUSTOMER, SELLER, ADMIN]),
            ([CUSTOMER, SELLER, ADMIN], AdminAction.MAKE_CUSTOMER, [CUSTOMER]),
            ([CUSTOMER, ADMIN], AdminAction.BLOCK, [CUSTOMER, ADMIN]),
            ([CUSTOMER, ADMIN], AdminAction.UNBLOCK, [CUSTOMER, ADMIN]),
        ],
    )
    def test_actions(self, roles: list[Role], action: AdminAction, after: list[Role]) -> None:
        assert rules.roles_after(roles, action) == after

    @pytest.mark.parametrize(
        ("admins", "roles", "blocked", "verdict"),
        [
            ([A], [CUSTOMER], False, True),
            ([A], [CUSTOMER, ADMIN], True, True),
            ([A], [CUSTOMER, ADMIN], False, False),
            ([A, B], [CUSTOMER], True, False),
            ([B], [CUSTOMER], True, False),
            ([], [CUSTOMER], True, False),
        ],
    )
    def test_the_last_admin(
        self, admins: list[UUID], roles: list[Role], blocked: bool, verdict: bool
    ) -> None:
        assert rules.leaves_no_admin(admins, A, roles, blocked) is verdict


class TestWeakPasswords:
    @pytest.mark.parametrize(
        "password",
        [
            "password",
            "Password1",
            "p@ssw0rd",
            "P@$$w0rd!",
            "passw0rd2024",
            "123password",
            "drowssap",
            "12345678",
            "123456789012",
            "19850412",
            "79161234567",
            "11111111",
            "aaaaaaaa",
            "abababab",
            "abcabcabc",
            "abcdefgh",
            "hgfedcba",
            "qwertyuiop",
            "qwerty123",
            "1q2w3e4r",
            "1qaz2wsx",
            "zxcvbnm1",
            "asdfghjkl",
            "qazwsxedc",
            "iloveyou2",
            "Sunshine!!",
            "dragon1987",
            "letmein!!!",
            "admin123",
            "administrator",
            "monkeymonkey",
            "пароль123",
            "йцукенгш",
            "ЙЦУКЕН123",
            "любовь2020",
            "наташа1990",
            "vera1234",
            "veralund",
            "VeraLund1985",
            "vera.lund",
            "vera.lund@example.org",
            "dnularev1234",
            "Dvor2026!",
            "short",
            "",
        ],
    )
    def test_favourites_and_their_disguises_are_weak(self, password: str) -> None:
        assert is_weak(password, email="vera.lund@example.org", name="Vera Lund")

    @pytest.mark.parametrize(
        "password",
        [
            "korova-moloko-82-luna",
            "parovoz.edet.v.tundru",
            "correct horse battery staple",
            "Tr0ub4dor&3xplain",
            "x7#Kq9!mZw",
            "hV9-tnR2-pLc8",
            "зелёный трамвай на луне",
            "dragonsdrinkcoffee",
            "lampa7kofe3more",
            "9f86d081884c7d65",
            "60223140760012345",
        ],
    )
    def test_longer_and_rarer_ones_are_not(self, password: str) -> None:
        assert not is_weak(password, email="vera.lund@example.org", name="Vera Lund")

    def test_long_ones_are_judged_quickly(self) -> None:
        for password in ("a1" * 128, "абвг" * 64, "qwerty" * 42, "x" * 256, "!" * 256):
            assert is_weak(password, email="a@b.cd", name="A")

    def test_one_spelling_for_all_keyboards(self) -> None:
        assert canonical_password(" cafe\u0301 ") == canonical_password("caf\u00e9")


class TestSuccessor:
    def test_it_is_the_same_for_the_same_token_and_secret(self) -> None:
        first = rules.successor(b"s" * 32, b"h" * 32)
        assert first == rules.successor(b"s" * 32, b"h" * 32)
        assert first != rules.successor(b"t" * 32, b"h" * 32)
        assert first != rules.successor(b"s" * 32, b"i" * 32)
        assert len(bytes.fromhex(first)) == 32
