"""Who people are: accounts, sessions, tokens, profiles."""

from enum import StrEnum
from typing import Annotated, Protocol
from uuid import UUID

from pydantic import Field, SecretStr

from dvor.kernel.caller import Caller, Language, Role
from dvor.kernel.errors import Conflict, Invalid, NotFound, TooMany, Unauthenticated
from dvor.kernel.events import Event
from dvor.kernel.messages import Bool, Count, Instant, Line, Message, PageRequest

Email = Annotated[str, Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
Password = Annotated[SecretStr, Field(min_length=8, max_length=256)]
Name = Annotated[str, Field(min_length=1, max_length=80)]


class Registration(Message):
    """A new account. `seller` asks for the seller's role from the start."""

    email: Email
    password: Password
    name: Name
    language: Language = "en"
    seller: Bool = False


class Credentials(Message):
    """What a person proves themselves with."""

    email: Annotated[str, Field(max_length=254)]
    password: Annotated[SecretStr, Field(max_length=256)]


class User(Message):
    """A person as they and admins see them."""

    id: UUID
    email: str
    name: str
    roles: tuple[Role, ...]
    language: Language
    phone: str = ""
    city: str = ""
    about: str = ""
    avatar: str = ""
    """Version of the picture, empty where there is none; part of its address."""
    blocked: Bool = False
    created_at: Instant


class UserPage(Message):
    """Some users, newest first."""

    items: tuple[User, ...]
    next_cursor: str | None = None


class UserSearch(PageRequest):
    """Which users an admin wants to see."""

    text: Line = ""


class ProfileChange(Message):
    """What to change; None leaves a field as it is."""

    name: Name | None = None
    language: Language | None = None
    phone: Annotated[str, Field(max_length=40)] | None = None
    city: Annotated[str, Field(max_length=80)] | None = None
    about: Annotated[str, Field(max_length=2000)] | None = None


class BrowserSession(Message):
    """A signed-in browser. `token` is known to the browser only; we keep its hash."""

    token: str
    user: User
    expires_at: Instant


class Tokens(Message):
    """What an API client holds: a short access token (JWT) and a single-use refresh token."""

    access_token: str
    refresh_token: str
    token_type: str = "Bearer"  # noqa: S105 - the name of a scheme
    expires_in_seconds: Count
    user: User


class ActiveSession(Message):
    """One place where a person is signed in."""

    id: UUID
    client: str
    """Browser or program, as it called itself."""
    current: Bool
    created_at: Instant
    used_at: Instant


class ActiveSessions(Message):
    """Everywhere a person is signed in."""

    items: tuple[ActiveSession, ...]


class PublicProfile(Message):
    """What everybody may know of a seller."""

    id: UUID
    name: str
    city: str
    about: str
    avatar: str
    since: Instant


class PublicProfiles(Message):
    """Public profiles of those that exist, in no order."""

    items: tuple[PublicProfile, ...]


class Contact(Message):
    """Where and in which language to reach a person. For services only."""

    user_id: UUID
    email: str
    name: str
    language: Language


class Contacts(Message):
    """Contacts of those that exist."""

    items: tuple[Contact, ...]


class Avatar(Message):
    """A square picture, re-encoded by us."""

    content: bytes
    content_type: str
    version: str


class Key(Message):
    """A public signing key as RFC 8037 writes it."""

    kty: str
    crv: str
    x: str
    kid: str
    alg: str
    use: str


class KeySet(Message):
    """The keys that access tokens are signed with (RFC 7517)."""

    keys: tuple[Key, ...]


class EmailTaken(Conflict):
    """There is already an account with this e-mail. Sign in, or use another one."""


class WrongCredentials(Unauthenticated):
    """The e-mail or the password is wrong."""


class WeakPassword(Invalid):
    """This password is too easy to guess. Choose a longer or a rarer one."""


class SessionEnded(Unauthenticated):
    """You have been signed out. Sign in again."""


class TooManyAttempts(TooMany):
    """Too many attempts. Wait a minute and try again."""

    retry_after_seconds = 60


class BadImage(Invalid):
    """This is not a picture we can use: PNG, JPEG or WebP up to 5 MB and 20 megapixels."""


class UnknownUser(NotFound):
    """There is no such person."""


class LastAdmin(Conflict):
    """This is the last admin: give the role to somebody else first."""


class UserRegistered(Event):
    """A person opened an account."""

    aggregate = "user_id"
    user_id: UUID
    name: str
    language: Language


class UserChanged(Event):
    """A profile, a role or a block changed."""

    aggregate = "user_id"
    user_id: UUID
    name: str
    roles: tuple[Role, ...]
    blocked: Bool


class AdminAction(StrEnum):
    """What an admin does to an account."""

    MAKE_SELLER = "make_seller"
    MAKE_ADMIN = "make_admin"
    MAKE_CUSTOMER = "make_customer"
    BLOCK = "block"
    UNBLOCK = "unblock"


class Identity(Protocol):
    """Accounts, sessions and tokens."""

    async def register(self, registration: Registration, address: Line = "") -> User:
        """Open an account. Raises EmailTaken, WeakPassword, TooManyAttempts.

        `address` here and below: the network address of the person's client where the edge knows
        it, else empty. It only slows guessing down and decides nothing else.
        """
        ...

    async def sign_in(
        self, credentials: Credentials, client: Line = "", address: Line = ""
    ) -> BrowserSession:
        """Start a browser session. Raises WrongCredentials, TooManyAttempts."""
        ...

    async def session(self, token: Line) -> Caller:
        """Who holds this browser session. Raises SessionEnded."""
        ...

    async def sign_out(self, token: Line) -> None:
        """End a browser session; unknown tokens are fine."""
        ...

    async def issue_tokens(
        self, credentials: Credentials, client: Line = "", address: Line = ""
    ) -> Tokens:
        """Sign in an API client. Raises WrongCredentials, TooManyAttempts."""
        ...

    async def refresh_tokens(self, refresh_token: Line) -> Tokens:
        """Exchange a refresh token for the next pair.

        The same token within 10 s gives the same successor; later it ends the whole family and
        raises SessionEnded.
        """
        ...

    async def revoke_tokens(self, refresh_token: Line) -> None:
        """Sign an API client out: its access tokens die within seconds."""
        ...

    async def authenticate(self, access_token: Annotated[str, Field(max_length=4096)]) -> Caller:
        """Who holds this access token. Raises SessionEnded."""
        ...

    async def me(self) -> User:
        """The signed-in person."""
        ...

    async def change_profile(self, change: ProfileChange) -> User:
        """Change one's own profile."""
        ...

    async def change_password(self, old: SecretStr, new: Password) -> None:
        """Change one's own password; other sessions end.

        Raises WrongCredentials, WeakPassword, TooManyAttempts.
        """
        ...

    async def set_avatar(self, image: Annotated[bytes, Field(max_length=5_000_000)]) -> User:
        """Replace one's own picture; empty bytes remove it. Raises BadImage."""
        ...

    async def avatar(self, user_id: UUID) -> Avatar:
        """A person's picture. Raises UnknownUser where there is none."""
        ...

    async def sessions(self) -> ActiveSessions:
        """Where the signed-in person is signed in."""
        ...

    async def end_session(self, session_id: UUID) -> None:
        """End one of one's own sessions."""
        ...

    async def profiles(
        self, user_ids: Annotated[tuple[UUID, ...], Field(max_length=200)]
    ) -> PublicProfiles:
        """Public profiles: for listings."""
        ...

    async def contacts(
        self, user_ids: Annotated[tuple[UUID, ...], Field(max_length=200)]
    ) -> Contacts:
        """Where to reach people. Services only."""
        ...

    async def users(self, search: UserSearch) -> UserPage:
        """All accounts. Admins only."""
        ...

    async def administer(self, user_id: UUID, action: AdminAction) -> User:
        """Change an account's role or block it. Admins only. Raises UnknownUser, LastAdmin."""
        ...

    async def keys(self) -> KeySet:
        """The public keys of access tokens."""
        ...

    async def ensure_user(
        self, registration: Registration, roles: Annotated[tuple[Role, ...], Field(max_length=3)]
    ) -> User:
        """Services only (`setup`): create an account or leave it as it is."""
        ...
