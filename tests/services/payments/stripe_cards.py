"""Cards of the fake Stripe, and what is done with those that it keeps: deposits, off session."""

from dataclasses import dataclass, field
from typing import Any

VISA, DECLINED, ASKED, DISPUTED, ONCE = (
    "pm_card_visa",
    "pm_card_chargeDeclined",
    "pm_card_authenticationRequired",
    "pm_card_createDispute",
    "pm_card_chargeCustomerFail",
)
"""Names of test cards, as Stripe's documentation has them. `ONCE`: good, but not without its payer."""
ENDINGS = {VISA: "4242", DECLINED: "0002", ASKED: "3184", DISPUTED: "0259", ONCE: "0341"}

_INTENT_FIELDS = {
    "amount",
    "currency",
    "customer",
    "payment_method",
    "off_session",
    "confirm",
    "capture_method",
    "description",
    "metadata[deposit]",
}

Json = dict[str, Any]


class No(Exception):
    """An answer that is an error of Stripe's shape."""

    def __init__(self, status: int, type: str, code: str, **more: Any) -> None:
        super().__init__(code)
        self.status = status
        self.body = {"error": {"type": type, "code": code, "message": f"No: {code}", **more}}


@dataclass
class WithoutPayer:
    """Intents that are confirmed without their payer."""

    sessions: dict[str, Json] = field(default_factory=dict)
    intents: dict[str, Json] = field(default_factory=dict)
    refusing: bool = False
    """Banks set nothing more aside without the payer."""

    def _name(self, kind: str) -> str:
        raise NotImplementedError

    def _tell(self, type: str, about: Json) -> None:
        raise NotImplementedError

    def set_aside(self, deposit_reference: str = "") -> list[Json]:
        """The intents of deposits, newest first; with a reference those of this one."""
        found = [i for i in self.intents.values() if "deposit" in i["metadata"]]
        return [i for i in found[::-1] if deposit_reference in ("", i["metadata"]["deposit"])]

    def sessions_of(self, payment_id: Any) -> list[Json]:
        """The sessions of one of our payments."""
        return [s for s in self.sessions.values() if s["client_reference_id"] == str(payment_id)]

    def _without_payer(self, fields: dict[str, str]) -> Json:
        """An intent that is confirmed at once, with a card that its owner let us keep."""
        if fields.keys() != _INTENT_FIELDS:
            odd = min(fields.keys() ^ _INTENT_FIELDS)
            raise No(400, "invalid_request_error", "parameter_unknown", param=odd)
        wanted = ("true", "true", "manual")
        if (fields["off_session"], fields["confirm"], fields["capture_method"]) != wanted:
            raise No(400, "invalid_request_error", "parameter_invalid_string_empty")
        kept = {
            intent["payment_method"]
            for intent in self.intents.values()
            if intent["customer"] == fields["customer"]
        }
        if fields["payment_method"] not in kept:
            raise No(400, "invalid_request_error", "payment_method_unexpected_state")
        id, amount = self._name("pi"), int(fields["amount"])
        self.intents[id] = {
            "id": id,
            "object": "payment_intent",
            "status": "requires_capture",
            "amount": amount,
            "amount_capturable": amount,
            "amount_received": 0,
            "currency": fields["currency"],
            "capture_method": "manual",
            "payment_method": fields["payment_method"],
            "customer": fields["customer"],
            "metadata": {"deposit": fields["metadata[deposit]"]},
            "last_payment_error": None,
            "latest_charge": {
                "id": self._name("ch"),
                "object": "charge",
                "amount_captured": 0,
                "amount_refunded": 0,
                "currency": fields["currency"],
                "payment_intent": id,
                "disputed": False,
                "metadata": {"deposit": fields["metadata[deposit]"]},
                "payment_method_details": {"card": {"last4": ENDINGS[fields["payment_method"]]}},
            },
        }
        intent = self.intents[id]
        if self.refusing or fields["payment_method"] == ONCE:
            error = {"type": "card_error", "code": "card_declined"}
            intent |= {
                "status": "requires_payment_method",
                "amount_capturable": 0,
                "last_payment_error": error,
            }
            self._tell("payment_intent.payment_failed", intent)
            raise No(402, "card_error", "card_declined")
        self._tell("payment_intent.amount_capturable_updated", intent)
        return intent
