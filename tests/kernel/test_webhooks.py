"""Webhooks: what is accepted, and every forgery refused."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from dvor.kernel import webhooks

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
OLD, NEW, FOREIGN = b"o" * 32, b"n" * 32, b"f" * 32
BODY = '{"type": "payment.authorised", "name": "Двор"}'.encode()


def signed(secret: bytes = NEW, at: datetime = NOW, body: bytes = BODY) -> dict[str, str]:
    return webhooks.sign(secret, "msg_1", at, body)


class TestSign:
    def test_writes_what_the_standard_library_accepts(self) -> None:
        now = datetime.now(UTC)
        headers = webhooks.sign(NEW, "msg_1", now, BODY)
        Webhook(NEW).verify(BODY, headers)

    def test_refuses_an_id_with_a_dot(self) -> None:
        with pytest.raises(ValueError, match="webhook id"):
            webhooks.sign(NEW, "msg.1", NOW, BODY)

    def test_each_sender_has_its_own_secret(self) -> None:
        assert webhooks.secrets_of("payments", NEW) != webhooks.secrets_of("orders", NEW)

    def test_secrets_keep_the_order_of_their_masters(self) -> None:
        new, old = webhooks.secrets_of("payments", NEW, OLD)
        assert (new,) == webhooks.secrets_of("payments", NEW)
        assert (old,) == webhooks.secrets_of("payments", OLD)


class TestVerify:
    def test_accepts_what_was_signed(self) -> None:
        webhooks.verify([NEW], signed(), BODY, NOW)

    def test_header_names_may_be_written_in_any_case(self) -> None:
        headers = {name.title(): value for name, value in signed().items()}
        webhooks.verify([NEW], headers, BODY, NOW)

    def test_accepts_the_old_secret_while_secrets_change(self) -> None:
        webhooks.verify([NEW, OLD], signed(OLD), BODY, NOW)

    def test_accepts_one_fitting_signature_among_several(self) -> None:
        headers = signed()
        headers["webhook-signature"] = f"v1,AAAA v1a,zzz {headers['webhook-signature']}"
        webhooks.verify([NEW], headers, BODY, NOW)

    @pytest.mark.parametrize("seconds", [-300, 300])
    def test_accepts_a_clock_five_minutes_off(self, seconds: int) -> None:
        webhooks.verify([NEW], signed(at=NOW + timedelta(seconds=seconds)), BODY, NOW)

    @pytest.mark.parametrize("seconds", [-301, 301])
    def test_refuses_a_clock_further_off(self, seconds: int) -> None:
        refused(signed(at=NOW + timedelta(seconds=seconds)), BODY)

    @pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
    def test_refuses_a_missing_header(self, name: str) -> None:
        headers = signed()
        del headers[name]
        refused(headers, BODY)

    @pytest.mark.parametrize(
        "signature",
        ["", "v1", "v1,", "v1,!!!", "v2,AAAA", ",", "v1,Ж", "v1,\x00", "v1," + "A" * 10_000],
    )
    def test_refuses_a_signature_that_is_none(self, signature: str) -> None:
        refused(signed() | {"webhook-signature": signature}, BODY)

    def test_refuses_a_truncated_signature(self) -> None:
        whole = signed()["webhook-signature"]
        for length in range(len(whole)):
            refused(signed() | {"webhook-signature": whole[:length]}, BODY)

    def test_refuses_a_wrong_signature(self) -> None:
        wrong = base64.b64encode(b"\x00" * 32).decode()
        refused(signed() | {"webhook-signature": f"v1,{wrong}"}, BODY)

    def test_refuses_the_key_of_another_endpoint(self) -> None:
        refused(signed(FOREIGN), BODY)

    def test_refuses_a_retired_key(self) -> None:
        refused(signed(OLD), BODY)

    def test_refuses_the_same_json_written_otherwise(self) -> None:
        refused(signed(), json.dumps(json.loads(BODY)).encode())

    def test_refuses_a_changed_body(self) -> None:
        refused(signed(), BODY.replace(b"authorised", b"captured__"))

    def test_refuses_a_body_that_is_not_text(self) -> None:
        refused(signed(), b"\xff\xfe")

    def test_refuses_a_body_that_is_too_long(self) -> None:
        body = b" " * (webhooks.BODY_BYTES_MAX + 1)
        refused(signed(body=body), body)

    def test_refuses_another_id_or_timestamp_under_the_same_signature(self) -> None:
        refused(signed() | {"webhook-id": "msg_2"}, BODY)
        refused(signed() | {"webhook-timestamp": str(int(NOW.timestamp()) + 1)}, BODY)

    @pytest.mark.parametrize(
        "timestamp", ["", "now", "1e9", "-1", " 1", "1.5", "٣", "9" * 13, "nan", "inf"]
    )
    def test_refuses_a_timestamp_that_is_none(self, timestamp: str) -> None:
        refused(signed() | {"webhook-timestamp": timestamp}, BODY)

    def test_refuses_a_dot_in_the_id_that_moves_the_border_of_the_message(self) -> None:
        # "a.b" + "." + "1" and "a" + "." + "b.1" would be signed as the same bytes.
        at = int(NOW.timestamp())
        signature = Webhook(NEW).sign(f"msg_1.{at}", NOW, BODY.decode())
        headers = {"webhook-id": f"msg_1.{at}", "webhook-timestamp": str(at)}
        refused(headers | {"webhook-signature": signature}, BODY)

    def test_refuses_everything_where_no_secret_is_known(self) -> None:
        with pytest.raises(ValueError, match="webhook"):
            webhooks.verify([], signed(), BODY, NOW)


def refused(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any reason will do: it is not accepted
        webhooks.verify([NEW], headers, body, NOW)
