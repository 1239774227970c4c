"""Words for people, in Russian and English: gettext with English as the key."""

import gettext as library
import io
from functools import cache
from importlib.resources import files

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from dvor.kernel.caller import current
from dvor.kernel.errors import Refusal

LANGUAGES = ("ru", "en")


def N_(text: str) -> str:  # noqa: N802 - gettext's own name for "translate this later"
    """Mark a text that is translated when it is shown."""
    return text


@cache
def russian() -> Catalog:
    """All Russian texts: the parts of `locales/parts` together."""
    merged = Catalog(locale="ru")
    parts = files("dvor") / "locales" / "parts"
    for part in sorted(parts.iterdir(), key=lambda f: f.name):
        if part.name.endswith(".po"):
            for message in read_po(io.BytesIO(part.read_bytes()), locale="ru"):
                if message.id and message.string:
                    merged[message.id] = message
    return merged


@cache
def translations(language: str) -> library.NullTranslations:
    """gettext's object for a language."""
    if language == "en":
        return library.NullTranslations()
    compiled = io.BytesIO()
    write_mo(compiled, russian())
    compiled.seek(0)
    return library.GNUTranslations(compiled)


def gettext(text: str, **details: object) -> str:
    """The text in the caller's language, its braces filled."""
    translated = translations(current().language).gettext(text) if text else ""
    return translated.format(**details) if details else translated


def ngettext(one: str, many: str, count: int, **details: object) -> str:
    """The form for `count` in the caller's language; `{n}` is the count."""
    form = translations(current().language).ngettext(one, many, count)
    return form.format(n=count, **details)


def refusal(problem: Refusal) -> str:
    """What a refusal says, in the caller's language."""
    return translations(current().language).gettext(problem.text()).format(**problem.details)
