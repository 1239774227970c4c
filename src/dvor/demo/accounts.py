"""Who lives in the demo world."""

from pydantic import SecretStr

from dvor.contracts.identity import Registration
from dvor.kernel.caller import Language, Role

PASSWORD = "dvor-demo-2026"  # noqa: S105 - see below
"""Of all demo accounts. Shown at the start, so no secret."""


class Account:
    """Somebody to sign in as."""

    def __init__(self, email: str, name: str, language: Language, *roles: Role) -> None:
        self.email = email
        self.name = name
        self.language = language
        self.roles = roles

    def registration(self) -> Registration:
        """As they would have registered."""
        return Registration(
            email=self.email,
            password=SecretStr(PASSWORD),
            name=self.name,
            language=self.language,
            seller=Role.SELLER in self.roles,
        )


CUSTOMER = Account("customer@dvor.example", "Анна Верещагина", "ru", Role.CUSTOMER)
SELLER = Account("seller@dvor.example", "Лавка «Верста»", "ru", Role.CUSTOMER, Role.SELLER)
HOTELIER = Account(
    "hotelier@dvor.example", "Постоялый двор Зимина", "ru", Role.CUSTOMER, Role.SELLER
)
ORGANISER = Account(
    "organiser@dvor.example", "Бюро «Семь вечеров»", "ru", Role.CUSTOMER, Role.SELLER
)
ADMIN = Account("admin@dvor.example", "Администратор", "ru", Role.CUSTOMER, Role.ADMIN)

PEOPLE = {
    "customer": CUSTOMER,
    "seller": SELLER,
    "hotelier": HOTELIER,
    "organiser": ORGANISER,
    "admin": ADMIN,
}
ACCOUNTS = {who: account.email for who, account in PEOPLE.items()}
"""What somebody is -> the e-mail to sign in with."""
