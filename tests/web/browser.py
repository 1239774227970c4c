"""A browser without scripts: opens pages, fills forms, presses buttons, follows redirects."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from tests.conftest import House

SAME_ORIGIN = {"sec-fetch-site": "same-origin"}


@dataclass
class HtmlForm:
    """A form of a page: where it goes and what it holds before anybody types."""

    action: str
    method: str
    values: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[HtmlForm] = []
        self.text: list[str] = []
        self._form: HtmlForm | None = None
        self._select: str | None = None
        self._area: tuple[str, list[str]] | None = None
        self._mute = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in ("script", "style"):
            self._mute += 1
        elif tag == "form":
            self._form = HtmlForm(given.get("action", ""), given.get("method", "get"))
            self.forms.append(self._form)
        elif self._form is not None:
            self._control(tag, given)

    def _control(self, tag: str, given: dict[str, str]) -> None:
        assert self._form is not None
        name, kind = given.get("name", ""), given.get("type", "text")
        if tag == "input" and name and (kind not in ("checkbox", "radio") or "checked" in given):
            self._form.values.append((name, given.get("value", "")))
        elif tag == "button" and name:
            self._form.buttons.append((name, given.get("value", "")))
        elif tag == "select":
            self._select = name
            self._form.values.append((name, ""))
        elif tag == "option" and self._select and "selected" in given:
            self._form.values[-1] = (self._select, given.get("value", ""))
        elif tag == "textarea":
            self._area = (name, [])

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._mute -= 1
        elif tag == "form":
            self._form = None
        elif tag == "select":
            self._select = None
        elif tag == "textarea" and self._area and self._form is not None:
            self._form.values.append((self._area[0], "".join(self._area[1])))
            self._area = None

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self._area[1].append(data)
        elif not self._mute:
            self.text.append(data)


class Page:
    """What a browser shows."""

    def __init__(self, answer: Any) -> None:
        self.status: int = answer.status_code
        self.path: str = answer.url.path + (
            f"?{answer.url.query.decode()}" if answer.url.query else ""
        )
        self.headers = answer.headers
        self.html: str = answer.text
        reader = _Reader()
        reader.feed(self.html)
        self.forms = reader.forms
        self.text = re.sub(r"\s+", " ", " ".join(reader.text))

    def form(self, action: str) -> HtmlForm:
        """The form that goes to `action`."""
        return next(form for form in self.forms if form.action == action)

    def offers(self, action: str) -> bool:
        """Whether there is a form to `action`."""
        return any(form.action == action for form in self.forms)


class Browser:
    """One person at one browser."""

    def __init__(self, house: House, language: str = "en") -> None:
        self.http = house.client()
        self.http.cookies.set("lang", language)

    async def open(self, path: str, **headers: str) -> Page:
        """Go to an address."""
        return Page(await self.http.get(path, follow_redirects=True, headers=headers))

    async def submit(self, page: Page, action: str, press: str = "", **typed: str) -> Page:
        """Fill the form to `action` and send it; `press` is `name=value` of the button.

        Names of fields have dashes: write `title__ru` for `title-ru`.
        """
        form = page.form(action)
        values = dict(form.values) | {name.replace("__", "-"): v for name, v in typed.items()}
        if press:
            name, _, value = press.partition("=")
            assert (name, value) in form.buttons
            values[name] = value
        return await self.send(action, values)

    async def send(self, action: str, values: dict[str, str], **headers: str) -> Page:
        """Send form values as they are."""
        answer = await self.http.post(
            action, data=values, follow_redirects=True, headers=SAME_ORIGIN | headers
        )
        return Page(answer)

    async def post(self, from_page: Page, action: str, **values: str) -> Page:
        """Send values with the token of a page's forms: a form that scripts or tests built."""
        token = next(v for form in from_page.forms for n, v in form.values if n == "_csrf")
        return await self.send(action, {"_csrf": token} | values)
