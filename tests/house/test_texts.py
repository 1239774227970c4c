"""Every text for people is said in Russian, whole, and nothing is said that nobody shows."""

import ast
import io
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from importlib import import_module
from pkgutil import walk_packages
from typing import Any

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.pofile import read_po
from jinja2 import Environment

import dvor
from dvor.kernel import errors
from dvor.kernel.errors import Refusal
from tests.house.house_rules import ROOT, Source, written

PARTS = ROOT / "src" / "dvor" / "locales" / "parts"
KEYWORDS = {"_": None, "gettext": None, "N_": None, "ngettext": (1, 2)}
PLACEHOLDER = re.compile(r"\{[\w.]*\}|%\(\w+\)[sd]")
CYRILLIC = re.compile(r"[А-Яа-яЁё]")
ALIKE = {"Dvor", "ID", "CSV", "API", "{title} — {site}"}
"""The same words in both languages."""

Text = str | tuple[str, ...]


def texts_of(source: Source) -> Iterator[Text]:
    """Texts that a file marks for translation."""
    if source.path.endswith(".py"):
        method, options = "python", {}
    elif "/templates/" in source.path:
        method = "jinja2.ext:babel_extract"
        options = {"extensions": "jinja2.ext.do", "silent": "false", "trim_blocks": "true"}
    else:
        return
    file = io.BytesIO(source.text.encode())
    for _line, text, _comments, _context in extract(method, file, KEYWORDS, (), options):
        if isinstance(text, tuple):
            yield tuple(part for part in text[:2] if part)
        elif text:
            yield text


def refusals() -> Iterator[type[Refusal]]:
    """Every refusal of Dvor's own, by code."""
    for module in walk_packages(dvor.__path__, "dvor."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    for refusal in (Refusal, *errors._ALL.values()):
        if refusal.__module__.startswith("dvor."):
            yield refusal


def shown() -> dict[str, Text]:
    """What people may be told: msgid -> text, with its plural where it has one."""
    texts = [
        text
        for source in written()
        if source.path.startswith("src/dvor/")
        for text in texts_of(source)
    ]
    texts += [refusal.text() for refusal in refusals()]
    return {text if isinstance(text, str) else text[0]: text for text in texts}


def parts() -> dict[str, Catalog]:
    """The Russian texts, file by file."""
    return {path.name: read_po(io.BytesIO(path.read_bytes()), "ru") for path in PARTS.glob("*.po")}


def said(catalogs: Iterable[Catalog]) -> dict[str, Message]:
    """What is said in Russian: msgid -> message."""
    return {
        message.id if isinstance(message.id, str) else message.id[0]: message
        for catalog in catalogs
        for message in catalog
        if message.id
    }


def placeholders(text: str) -> set[str]:
    """What code fills in."""
    return set(PLACEHOLDER.findall(text))


def problems(texts: dict[str, Text], russian: dict[str, Message]) -> list[str]:
    """What is missing, superfluous or wrong in the Russian texts."""
    found = [f"not said in Russian: {key!r}" for key in texts.keys() - russian.keys()]
    found += [f"said, but never shown: {key!r}" for key in russian.keys() - texts.keys()]
    for key in texts.keys() & russian.keys():
        found += [f"{what}: {key!r}" for what in wrong(texts[key], russian[key])]
    return sorted(found)


def wrong(text: Text, message: Message) -> Iterator[str]:
    """What is wrong with one translation."""
    if message.fuzzy:
        yield "fuzzy"
    plural = not isinstance(text, str)
    said: Any = message.string
    forms: tuple[str, ...] = said if isinstance(said, tuple) else (said,)
    if len(forms) != (3 if plural else 1):
        yield f"{len(forms)} forms"
    wanted = placeholders(text[-1] if plural else str(text))
    for form in forms:
        if not form:
            yield "empty"
        elif placeholders(form) != wanted:
            yield f"fills in {sorted(placeholders(form))} instead of {sorted(wanted)}"
        elif (
            not CYRILLIC.search(form)
            and re.search(r"[A-Za-z]{2}", form)
            and key_of(text) not in ALIKE
        ):
            yield "English"


def key_of(text: Text) -> str:
    """The msgid."""
    return text if isinstance(text, str) else text[0]


def contradictions(catalogs: Iterable[Catalog]) -> list[str]:
    """Texts that two parts say differently: which of them is shown would be chance."""
    sayings: dict[str, set[Any]] = defaultdict(set)
    for catalog in catalogs:
        for key, message in said([catalog]).items():
            sayings[key].add(message.string)
    return sorted(key for key, found in sayings.items() if len(found) > 1)


class TestRussian:
    def test_every_text_is_said_and_every_saying_is_used(self) -> None:
        found = problems(shown(), said(parts().values()))
        assert found == [], "\n".join(["", *found])

    def test_parts_do_not_contradict_each_other(self) -> None:
        assert contradictions(parts().values()) == []
        one, other = Catalog(locale="ru"), Catalog(locale="ru")
        one["Paid"], other["Paid"] = Message("Paid", "Оплачен"), Message("Paid", "Оплачено")
        assert contradictions([one, other]) == ["Paid"]

    @pytest.mark.parametrize(
        ("text", "russian", "complaint"),
        [
            ("Sold out", None, "not said in Russian: 'Sold out'"),
            (None, ("Gone", "Нет"), "said, but never shown: 'Gone'"),
            ("Sold out", ("Sold out", ""), "empty: 'Sold out'"),
            ("Sold out", ("Sold out", "Sold out"), "English: 'Sold out'"),
            ("Only {left} left", ("Only {left} left", "Осталось {last}"), "fills in ['{last}']"),
            ("%(n)s left", ("%(n)s left", "Осталось мало"), "fills in []"),
            (
                ("one day", "%(num)d days"),
                (("one day", "%(num)d days"), ("%(num)d день", "%(num)d дня")),
                "2 forms",
            ),
        ],
    )
    def test_it_finds_what_is_wrong(self, text: Any, russian: Any, complaint: str) -> None:
        catalog = Catalog(locale="ru")
        if russian:
            catalog[russian[0]] = Message(*russian)
        texts = {key_of(text): text} if text else {}
        (found,) = problems(texts, said([catalog]))
        assert found.startswith(complaint)

    def test_it_finds_what_is_fuzzy(self) -> None:
        catalog = Catalog(locale="ru")
        catalog["Paid"] = Message("Paid", "Оплачен", flags={"fuzzy"})
        assert problems({"Paid": "Paid"}, said([catalog])) == ["fuzzy: 'Paid'"]

    def test_it_reads_python_and_templates(self) -> None:
        python = Source("src/dvor/x.py", 'a = _("One")\nb = N_("Two")\nc = ngettext("d", "ds", n)')
        assert [*texts_of(python)] == ["One", "Two", ("d", "ds")]
        html = Source("src/dvor/web/templates/x.html", '<p>{{ _("Three") }}{% do x() %}</p>')
        assert [*texts_of(html)] == ["Three"]


# Words that stand in the code without being marked

GAP = "\x1f"
"""Stands where a template fills something in."""
SHOWN_ATTRIBUTES = ("title", "alt", "aria-label", "placeholder", "content")
BARE = {
    "Dvor", "English", "Русский", "width", "RU", "EN", "JSON", "REST", "API", "CSV", "e-mail",
    "Test bank", "UTC", "404",
}  # fmt: skip
"""Names, and what stands in no page's language."""


class _Words(HTMLParser):
    """Words that a reader of a template sees."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style"):
            self._inside.append(tag)
        named = dict(attrs)
        self.found += [
            value
            for name, value in attrs
            if name in SHOWN_ATTRIBUTES and value and not (tag == "meta" and "name" in named)
        ]

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.found += data.split(GAP)


def bare_words(source: Source) -> list[str]:
    """Words of a template that are not marked for translation."""
    tokens = Environment(extensions=["jinja2.ext.do"], autoescape=True).lex(source.text)
    words = _Words()
    words.feed("".join(text if kind == "data" else GAP for _, kind, text in tokens))
    seen = (" ".join(text.replace(GAP, " ").split()) for text in words.found)
    return [
        text
        for text in seen
        if re.search(r"[^\W\d_]{3}", text)
        and text not in BARE
        and not re.match(r'[\w-]+="', text)  # attributes that a macro writes
    ]


def bare_messages(source: Source) -> list[str]:
    """Texts that a page of Python gives to people without marking them."""
    found: list[ast.expr] = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in ("refuse", "Notice") and len(node.args) > 1:
                found.append(node.args[1])
        elif isinstance(node, ast.Assign):
            named = [t.attr for t in node.targets if isinstance(t, ast.Attribute)]
            found += [node.value] if named == ["trouble"] else []
    return [str(n.value) for n in found if isinstance(n, ast.Constant) and n.value]


CYRILLIC_FILES = {
    "src/dvor/services/catalog/searches.py": "folds Russian letters that are typed alike",
    "src/dvor/services/identity/password_strength.py": "knows passwords typed in the wrong layout",
    "src/dvor/web/pictures/subjects.py": "finds what a title names",
    "src/dvor/web/templates/account/profile.html": "names a language in that language",
    "src/dvor/services/payments/templates/bank.html": "names a language in that language",
    "src/dvor/web/templates/parts/foot.html": "names a language in that language",
    "src/dvor/replay/hotel.py": "the hotel's own title, in both languages of its listing",
}
CYRILLIC_PLACES = ("src/dvor/locales/", "src/dvor/demo/", "src/dvor/importing/")


def cyrillic(source: Source) -> list[str]:
    """Russian in code: there it cannot be English."""
    if source.path.endswith(".py"):
        return [text for _, text in source.strings() if CYRILLIC.search(text)]
    bare = re.sub(r"\{#.*?#\}", "", source.text, flags=re.DOTALL)
    return [line for line in bare.splitlines() if CYRILLIC.search(line)]


class TestUnmarked:
    def test_templates_say_nothing_by_themselves(self) -> None:
        templates = [s for s in written() if "/templates/" in s.path and s.path.endswith(".html")]
        assert templates
        found = {s.path: words for s in templates if (words := bare_words(s))}
        assert found == {}

    def test_pages_say_nothing_by_themselves(self) -> None:
        pages = [s for s in written() if fits(s, "src/dvor/web/", ".py")]
        assert {s.path: words for s in pages if (words := bare_messages(s))} == {}

    def test_code_speaks_english(self) -> None:
        code = [s for s in written() if fits(s, "src/dvor/", ".py") or fits(s, "src/", ".html")]
        found = {s.path for s in code if not s.path.startswith(CYRILLIC_PLACES) and cyrillic(s)}
        assert found - CYRILLIC_FILES.keys() == set()
        assert CYRILLIC_FILES.keys() - found == set(), "these exceptions are not needed"

    def test_it_finds_what_is_planted(self) -> None:
        place = "src/dvor/web/templates/x.html"
        assert bare_words(Source(place, '<p>{{ _("Hi") }} Welcome back</p>')) == ["Welcome back"]
        assert bare_words(Source(place, '<img alt="A lamp">')) == ["A lamp"]
        assert bare_words(Source(place, '<p>{{ _("Hi") }}, {{ name }}!</p>')) == []
        page = Source("src/dvor/web/x.py", 'form.refuse("name", "Too long")\nform.trouble = "Bad"')
        assert sorted(bare_messages(page)) == ["Bad", "Too long"]
        assert cyrillic(Source("src/dvor/web/x.py", '"""Про."""\nx = "Корзина"')) == ["Корзина"]
        assert cyrillic(Source(place, "<p>Корзина</p>{# Пусто #}")) == ["<p>Корзина</p>"]


def fits(source: Source, start: str, end: str) -> bool:
    """Whether a file is there and of this sort."""
    return source.path.startswith(start) and source.path.endswith(end)
