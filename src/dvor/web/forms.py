"""Forms: what a person typed, kept as text so that a refused form can be shown again."""

import re
from collections.abc import Awaitable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from babel.numbers import format_decimal, get_currency_precision
from fastapi import Request
from pydantic import ValidationError
from starlette.datastructures import UploadFile

from dvor.kernel import caller
from dvor.kernel.errors import Refusal
from dvor.kernel.messages import Message
from dvor.kernel.money import Money, decimal
from dvor.kernel.texts import gettext as _

MINOR_MAX = 10**15

_Answer = TypeVar("_Answer")
_Refusal = TypeVar("_Refusal", bound=Refusal)

_SPACES = re.compile(r"[\s\u00a0\u202f]+")


async def attempt(work: Awaitable[_Answer], *refusals: type[_Refusal]) -> "_Answer | _Refusal":
    """The answer, or the refusal when it is one that the page can show."""
    try:
        return await work
    except refusals as refusal:
        return refusal


def minor(text: str, currency: str, language: str) -> int | None:
    """Kopecks of an amount typed by a person, exactly; None when it is no amount.

    `1 234,50` and `1234.5` in Russian, `1,234.50` in English. More digits than the currency has
    are refused, never rounded.
    """
    bare = _SPACES.sub("", text).strip("₽$€£")
    group, point = (",", ".") if language == "en" else (".", ",")
    if re.fullmatch(rf"[1-9]\d{{0,2}}([{group}]\d{{3}})+([{point}]\d+)?", bare, re.ASCII):
        bare = bare.replace(group, "")
    plain = bare.replace(point, ".")
    if not re.fullmatch(r"\d{1,16}(\.\d+)?", plain, re.ASCII):
        return None
    digits = get_currency_precision(currency)
    if len(plain.partition(".")[2]) > digits:
        return None
    amount = int(Decimal(plain).scaleb(digits))
    return amount if amount <= MINOR_MAX else None


def typed_amount(money: Money, language: str) -> str:
    """An amount as a person would type it: what `minor` reads back."""
    digits = get_currency_precision(money.currency)
    text = (
        f"{decimal(money):.{digits}f}"
        if money.amount % 10**digits
        else str(decimal(money).to_integral_value())
    )
    return text.replace(".", ",") if language == "ru" else text


@dataclass
class Form:
    """Typed values and what is wrong with them; field names are those of the page."""

    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    """Field -> message, in the order the fields were read."""
    trouble: str = ""
    """What is wrong with the form as a whole."""

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "")

    def refuse(self, name: str, message: str) -> None:
        """Note what is wrong with a field; the first note stays."""
        self.errors.setdefault(name, message)

    def problems(self) -> dict[str, str]:
        """All that is wrong, for the summary above the form; `form` is the form as a whole."""
        return ({"form": self.trouble} if self.trouble else {}) | self.errors

    @property
    def refused(self) -> bool:
        """Whether anything is wrong."""
        return bool(self.errors or self.trouble)

    def text(self, name: str, most: int = 200, *, needed: str = "") -> str:
        """Text of up to `most` characters; `needed` is the message for an empty one."""
        value = self[name].strip()
        if not value and needed:
            self.refuse(name, needed)
        if len(value) > most:
            self.refuse(
                name,
                _(
                    "Up to {most} characters, please: these are {typed}.",
                    most=most,
                    typed=len(value),
                ),
            )
        return value

    def whole(self, name: str, least: int, most: int, *, empty: int | None = None) -> int:
        """A whole number from `least` to `most`; `empty` stands for a field left empty."""
        value = _SPACES.sub("", self[name])
        if not value and empty is not None:
            return empty
        if not re.fullmatch(r"\d{1,18}", value, re.ASCII) or not least <= int(value) <= most:
            shown_most = format_decimal(most, locale=caller.current().language)
            words = _("A whole number from {least} to {most}.", least=least, most=shown_most)
            self.refuse(name, words)
            return least
        return int(value)

    def amount(self, name: str, currency: str) -> int:
        """An amount of money in minor units."""
        value = minor(self[name], currency, caller.current().language)
        if value is None:
            example = "1234,50" if caller.current().language == "ru" else "1234.50"
            self.refuse(name, _("A price looks like {example}.", example=example))
        return value or 0

    def day(self, name: str, *, needed: bool = True) -> date | None:
        """A date: 2027-06-01, as date fields send it, or 01.06.2027 as people type it."""
        value = self[name].strip()
        if not value and not needed:
            return None
        for layout in ("%Y-%m-%d", "%d.%m.%Y"):
            try:
                return datetime.strptime(value, layout).date()  # noqa: DTZ007 - a day only
            except ValueError:
                continue
        self.refuse(name, _("A date looks like 2027-06-01.") if value else _("Choose a date."))
        return None

    def moment(self, name: str, zone: ZoneInfo, *, needed: str = "") -> datetime | None:
        """A local date and time in `zone`."""
        value = self[name].strip()
        if not value:
            if needed:
                self.refuse(name, needed)
            return None
        try:
            return datetime.fromisoformat(value).replace(tzinfo=zone)
        except ValueError:
            self.refuse(name, _("A date and time look like 2027-06-01 19:00."))
            return None

    def choice(self, name: str, options: Collection[str], needed: str) -> str:
        """One of `options`."""
        if self[name] not in options:
            self.refuse(name, needed)
            return ""
        return self[name]

    def identifier(self, name: str) -> UUID | None:
        """A UUID from a hidden field; None when it is empty or none."""
        return identifier(self[name])

    def blame(self, error: ValidationError, fields: Mapping[str, str]) -> None:
        """Note what a message refused: at the field its path maps to, else at the whole form."""
        for problem in error.errors():
            path = ".".join(str(part) for part in problem["loc"])
            if path in fields:
                self.refuse(fields[path], _("This does not fit."))
            else:
                self.trouble = _("Something here does not fit: {what}", what=problem["msg"])


def identifier(text: str) -> UUID | None:
    """A UUID, None when the text is none."""
    try:
        return UUID(text)
    except ValueError:
        return None


def clean(text: str) -> str:
    """Text without the characters that no database stores."""
    return text.replace("\x00", "").replace("\r\n", "\n")


async def typed(request: Request) -> Form:
    """What was sent with a form. Files are left out: read them with `uploaded`."""
    sent = await request.form()
    return Form(
        {name: clean(value) for name, value in sent.multi_items() if isinstance(value, str)}
    )


async def uploaded(request: Request, name: str, most_bytes: int) -> bytes | None:
    """Content of an uploaded file, cut just past `most_bytes`; None when there is none."""
    sent = (await request.form()).get(name)
    if not isinstance(sent, UploadFile) or not sent.filename:
        return None
    content = await sent.read(most_bytes + 1)
    await sent.close()
    return content


def filled(message: Message) -> Form:
    """A form that shows what a message says."""
    return Form(
        {
            name: str(value)
            for name, value in message.model_dump(mode="json").items()
            if value is not None
        }
    )


def local_path(text: str, otherwise: str) -> str:
    """`text` when it is a path on our own site, else `otherwise`: redirects never lead away."""
    inside = re.fullmatch(r"/(?![/\\])[^\s\\]{0,400}", text, re.ASCII)
    return text if inside else otherwise
