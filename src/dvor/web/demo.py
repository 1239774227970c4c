"""The demo accounts as the sign-in page shows them."""

from dataclasses import dataclass

from dvor.demo.accounts import PASSWORD, PEOPLE
from dvor.kernel.texts import N_
from dvor.kernel.texts import gettext as _


@dataclass(frozen=True)
class DemoAccount:
    """Somebody a visitor of the demo world may be."""

    key: str
    icon: str
    words: str
    email: str
    password: str = PASSWORD

    def title(self) -> str:
        """Who this is, in the person's language."""
        return _(self.words)


_LOOKS = {
    "customer": ("person", N_("Customer")),
    "seller": ("shop", N_("Seller of goods and things to rent")),
    "hotelier": ("stay", N_("Hotelier")),
    "organiser": ("event", N_("Organiser of events")),
    "admin": ("shield", N_("Admin")),
}

ACCOUNTS = tuple(
    DemoAccount(key, icon, words, PEOPLE[key].email) for key, (icon, words) in _LOOKS.items()
)


def demo_account(key: str) -> DemoAccount | None:
    """The account of a key; None for unknown keys."""
    return next((account for account in ACCOUNTS if account.key == key), None)
