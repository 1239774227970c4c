"""What the simulated bank says to card numbers."""

import random

import pytest

from dvor.services.payments.rules import BAD_CARD, GOOD_CARD, Verdict, digits, verdict


class TestVerdict:
    @pytest.mark.parametrize(
        "typed",
        [GOOD_CARD, "4242 4242 4242 4242", "4242-4242-4242-4242", "4242\u00a04242 42424242"],
    )
    def test_the_good_card_is_approved_however_it_is_typed(self, typed: str) -> None:
        assert verdict(typed) is Verdict.APPROVED

    def test_the_bad_card_is_declined(self) -> None:
        assert verdict("4000 0000 0000 0002") is Verdict.DECLINED

    def test_any_other_possible_number_is_unknown(self) -> None:
        assert verdict("5555 5555 5555 4444") is Verdict.UNKNOWN
        assert verdict("378282246310005") is Verdict.UNKNOWN

    @pytest.mark.parametrize(
        "typed",
        [
            "",
            "0",
            "abc",
            "4242 4242 4242 4243",
            "4242",
            "4" * 40,
            "4242٤242 4242 4242",
            "4242.4242",
        ],
    )
    def test_what_no_card_is_called_is_mistyped(self, typed: str) -> None:
        assert verdict(typed) is Verdict.MISTYPED

    def test_one_wrong_digit_is_always_noticed(self) -> None:
        for card in (GOOD_CARD, BAD_CARD):
            for place in range(len(card)):
                wrong = str((int(card[place]) + random.randint(1, 9)) % 10)
                assert verdict(card[:place] + wrong + card[place + 1 :]) is Verdict.MISTYPED


class TestDigits:
    def test_leave_out_spaces_and_dashes_only(self) -> None:
        assert digits("42-42 x1") == "4242x1"
