"""Pages that say what happened, what is safe and what to do."""

from typing import Any

from dvor.kernel.errors import Refusal
from dvor.kernel.pages import page
from dvor.kernel.texts import N_
from dvor.kernel.texts import gettext as _
from dvor.kernel.texts import refusal as said
from dvor.web.context import templates

_PAGES = {
    401: ("lock", N_("Sign in first"), N_("This page is for those who have signed in.")),
    403: ("lock", N_("This is not for you"), N_("You may not open this page or do this. Perhaps another account may.")),
    404: ("search", N_("There is nothing here"), N_("The page was moved, taken off sale or never existed.")),
    409: ("clock", N_("This has changed meanwhile"), N_("Somebody was faster, or you did it in another window. Nothing was charged: go back and look at the page anew.")),
    410: ("clock", N_("This has ended"), N_("What this page was about is over. Nothing was charged.")),
    413: ("box", N_("This is too large"), N_("Choose a smaller file and try again.")),
    422: ("edit", N_("Something here does not fit"), N_("Go back, check what you entered and try again. Nothing was changed.")),
    429: ("clock", N_("Too many requests at once"), N_("Wait a few seconds, then open the page again. What you have in the cart stays.")),
    503: ("settings", N_("This part is busy"), N_("Nothing was lost. Try again in a moment.")),
}  # fmt: skip
_UNFORESEEN = (
    "warn",
    N_("Something broke on our side"),
    N_(
        "Your cart, orders and money are safe: nothing is half done. We have written it down; try again in a minute."
    ),
)


def error_page(status: int, refusal: Refusal | None) -> str:
    """The page of an error; the refusal's own words where it has any of its own."""
    icon, title, words = _PAGES.get(503 if status == 504 else status, _UNFORESEEN)
    own = (
        said(refusal)
        if refusal is not None
        and status < 500
        and type(refusal).__module__.startswith("dvor.contracts")
        else ""
    )
    return templates.render(
        "site/error.html", status=status, icon_name=icon, heading=_(title), words=_(words), own=own, **bare()
    )  # fmt: skip


def bare() -> dict[str, Any]:
    """What the base template needs where nobody may be asked for carts and messages."""
    return {
        "path": page.get().path,
        "user": None,
        "cart_count": 0,
        "unread_count": 0,
        "notice": None,
    }
