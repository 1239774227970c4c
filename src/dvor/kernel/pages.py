"""HTML: templates with our filters, in the caller's language. The only door to Jinja2."""

import hmac
import json
import secrets
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_skeleton
from babel.numbers import format_decimal
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dvor.kernel import clock, money, texts
from dvor.kernel.caller import current
from dvor.kernel.ids import new
from dvor.kernel.periods import DateRange


@dataclass
class PageContext:
    """What a page being made needs to know of its request."""

    path: str = "/"
    address: str = "/"
    """Path with the query, as the browser shows it."""
    binding: str = ""
    """The session, or the visit, that forms of this page are bound to."""
    secret: bytes = b""
    time_zone: str = "UTC"
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    theme: str = ""


page: ContextVar[PageContext] = ContextVar("page", default=PageContext())  # noqa: B039 - read only


def csrf_token(context: PageContext) -> str:
    """A token that only a page of this session can carry."""
    salt = secrets.token_hex(8)
    return f"{salt}.{_csrf_seal(context, salt)}"


def csrf_valid(context: PageContext, token: str) -> bool:
    """Whether `csrf_token` made this token for this session."""
    salt, _, seal = token.partition(".")
    return hmac.compare_digest(seal.encode(), _csrf_seal(context, salt).encode())


def _csrf_seal(context: PageContext, salt: str) -> str:
    text = f"csrf {context.binding} {salt}".encode()
    return hmac.new(context.secret, text, sha256).hexdigest()[:32]


def csrf_field() -> Markup:
    """The hidden field that proves a form is ours. In every form."""
    return Markup('<input type="hidden" name="_csrf" value="{}">').format(csrf_token(page.get()))


def form_key() -> Markup:
    """The hidden field that makes a form single-use: a double click is one request."""
    return Markup('<input type="hidden" name="_key" value="{}">').format(str(new()))


@cache
def _manifest() -> dict[str, str]:
    found = files("dvor.web") / "static" / "manifest.json"
    return json.loads(found.read_text()) if found.is_file() else {}


def asset(name: str) -> str:
    """The address of a built asset, which changes with its content."""
    return f"/static/{_manifest().get(name, name)}"


def shown_date(day: date, form: str = "short") -> str:
    """A day: `short` 5 Aug · `long` 5 August 2026 · `weekday` Wed, 5 Aug."""
    language = current().language
    if form == "long":
        return format_date(day, "long", locale=language)
    skeleton = {"short": "MMMd", "weekday": "MMMEd"}[form]
    if day.year != clock.now().astimezone(ZoneInfo(page.get().time_zone)).year:
        skeleton = "y" + skeleton
    return format_skeleton(skeleton, day, locale=language)


def shown_datetime(moment: datetime, zone: str = "", form: str = "medium") -> str:
    """A moment in `zone`, or in the site's zone: `medium` with day and time, `time`, `weekday`."""
    local = moment.astimezone(ZoneInfo(zone or page.get().time_zone))
    language = current().language
    if form == "time":
        return format_datetime(local, "HH:mm", locale=language)
    if form == "weekday":
        return f"{shown_date(local.date(), 'weekday')}, {format_datetime(local, 'HH:mm', locale=language)}"
    return f"{shown_date(local.date(), 'long')}, {format_datetime(local, 'HH:mm', locale=language)}"


def shown_range(dates: DateRange) -> str:
    """From the first day to the day of leaving: `5 Aug – 8 Aug`."""
    return f"{shown_date(dates.start)} – {shown_date(dates.end)}"


def shown_days(dates: DateRange) -> str:
    """From the first day to the last one: `5 Aug – 7 Aug`, or the only one."""
    last = dates.end - timedelta(days=1)
    return (
        shown_date(last)
        if last == dates.start
        else f"{shown_date(dates.start)} – {shown_date(last)}"
    )


class Templates:
    """The templates of one package's `templates` folder."""

    def __init__(self, package: str) -> None:
        self.environment = Environment(
            loader=PackageLoader(package),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,  # asking the file of each template cost a tenth of drawing it
            extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
        )
        install: Any = self.environment
        install.install_gettext_callables(
            lambda text: texts.translations(current().language).gettext(text),
            lambda one, many, n: texts.translations(current().language).ngettext(one, many, n),
            newstyle=True,
        )
        self.environment.globals.update(
            asset=asset,
            csrf_field=csrf_field,
            form_key=form_key,
            csp_nonce=lambda: page.get().nonce,
            language=lambda: current().language,
            caller=current,
            page=page.get,
        )
        self.environment.filters.update(
            money=lambda value: money.shown(value, current().language),
            date=shown_date,
            datetime=shown_datetime,
            daterange=shown_range,
            days=shown_days,
            number=lambda value: format_decimal(value, locale=current().language),
            text=lambda value: value.of(current().language),
        )

    def render(self, template: str, **context: Any) -> str:
        """A template in the caller's language."""
        return self.environment.get_template(template).render(**context)

    def render_block(self, template: str, block: str, **context: Any) -> str:
        """One block of a template: the fragment that a live page asks for."""
        loaded = self.environment.get_template(template)
        made = loaded.new_context(context)
        return "".join(loaded.blocks[block](made))
