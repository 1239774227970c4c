"""Decisions about accounts: no I/O, no clock, no randomness."""

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from dvor.contracts.identity import AdminAction, Registration
from dvor.kernel.caller import Role

AUDIENCE = "dvor"
"""Whom access tokens are for."""
REPLAY_GRACE = timedelta(seconds=10)
"""A used refresh token gives its successor again for so long: tabs and lost answers."""
TOUCH_AFTER = timedelta(seconds=60)
"""How exactly we know when a session was last used; more exact would write on every request."""
FORGET_ATTEMPTS = timedelta(hours=1)
"""A subject that was quiet for so long starts anew."""
FORGET_NETWORKS = timedelta(days=90)
"""A network not signed in from for so long is no longer familiar."""
KEY_LIFETIME = timedelta(days=90)
"""A signing key is replaced at this age."""
KEY_AFTERLIFE = timedelta(days=1)
"""How long a replaced key still verifies; far longer than any access token lives."""
AVATAR_SIDE_PX = 256
AVATAR_BYTES_MAX = 5_000_000
SESSIONS_SHOWN_MAX = 100

CONTACT_READERS = ("notifications", "orders", "payments")
"""Services that may learn e-mail addresses."""


def growing(*, free: int, first_seconds: int, longest_seconds: int) -> tuple[timedelta, ...]:
    """How long to wait after the n-th attempt: nothing for `free` of them, then ever longer."""
    waits = [timedelta()] * free
    seconds = first_seconds
    while seconds < longest_seconds:
        waits.append(timedelta(seconds=seconds))
        seconds *= 2
    return (*waits, timedelta(seconds=longest_seconds))


ACCOUNT_WAITS = growing(free=10, first_seconds=30, longest_seconds=900)
"""At most 18 guesses in the first hour, 4 in every later one."""
NETWORK_WAITS = growing(free=50, first_seconds=1, longest_seconds=60)
"""Many people share one address, so it is never slowed down by more than a minute."""


@dataclass(frozen=True)
class Subject:
    """Something that makes attempts, and how long it waits after each."""

    name: str
    waits: tuple[timedelta, ...]


def subjects(what: str, account: str, network: str, *, familiar: bool = False) -> list[Subject]:
    """Who makes this attempt, in the order their rows are locked.

    From a familiar network an account has a count of its own, so that strangers who guess cannot
    lock its owner out. The account is hashed: people type passwords where an e-mail belongs.
    """
    place = f"@{network}" if familiar else ""
    hashed = hashlib.sha256(f"{account}{place}".encode()).hexdigest()
    found = [Subject(f"{what}:account:{hashed}", ACCOUNT_WAITS)]
    if network:
        found.append(Subject(f"{what}:network:{network}", NETWORK_WAITS))
    return found


def network_of(address: str) -> str:
    """The network that an address counts as: IPv4 itself, the /64 of IPv6.

    Empty for what is no public address: a proxy's or this machine's says nothing of who asks.
    """
    try:
        parsed = ipaddress.ip_address(address.strip())
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv6Address):
        parsed = parsed.ipv4_mapped or parsed
    if not parsed.is_global or parsed.is_multicast:
        return ""
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


def canonical_email(email: str) -> str:
    """One spelling of an e-mail address for all its spellings."""
    return email.strip().lower()


def opening_roles(registration: Registration) -> list[Role]:
    """What somebody who registers may do."""
    return with_roles([], [Role.SELLER] if registration.seller else [])


def with_roles(roles: Iterable[Role], more: Iterable[Role]) -> list[Role]:
    """Roles in their fixed order; everybody is a customer."""
    held = {Role.CUSTOMER, *roles, *more}
    return [role for role in Role if role in held]


def roles_after(roles: Sequence[Role], action: AdminAction) -> list[Role]:
    """`make_seller` and `make_admin` add a role, `make_customer` takes all others away."""
    match action:
        case AdminAction.MAKE_SELLER:
            return with_roles(roles, [Role.SELLER])
        case AdminAction.MAKE_ADMIN:
            return with_roles(roles, [Role.ADMIN])
        case AdminAction.MAKE_CUSTOMER:
            return [Role.CUSTOMER]
        case AdminAction.BLOCK | AdminAction.UNBLOCK:
            return list(roles)


def blocked_after(blocked: bool, action: AdminAction) -> bool:
    """Whether an account is blocked after this action."""
    return {AdminAction.BLOCK: True, AdminAction.UNBLOCK: False}.get(action, blocked)


def leaves_no_admin(
    active_admins: Iterable[UUID], target: UUID, roles: Iterable[Role], blocked: bool
) -> bool:
    """Whether giving `target` these roles and this block takes away the last working admin."""
    admins = set(active_admins)
    if target not in admins:
        return False
    stays = Role.ADMIN in roles and not blocked
    return not stays and admins == {target}


def successor(secret: bytes, token_hash: bytes) -> str:
    """The refresh token after the one with this hash: always the same, so a replay can be answered.

    Derived with our secret, so neither the token before nor a copy of the database gives it away.
    """
    digest = hmac.digest(secret, b"dvor refresh successor\0" + token_hash, "sha256")
    return token_of(digest)


def token_of(random_bytes: bytes) -> str:
    """256 bits as people's programs carry them."""
    return random_bytes.hex()


def token_hash(token: str) -> bytes:
    """What we keep of a token. 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(token.encode()).digest()
