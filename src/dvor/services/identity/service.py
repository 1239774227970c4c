"""What identity does: one method for each of its contract."""

import os
from datetime import timedelta
from functools import partial
from uuid import UUID

from pydantic import SecretStr

from dvor.contracts import identity as contract
from dvor.contracts.identity import (
    ActiveSession,
    ActiveSessions,
    AdminAction,
    Avatar,
    BadImage,
    BrowserSession,
    Contact,
    Contacts,
    Credentials,
    EmailTaken,
    Key,
    KeySet,
    LastAdmin,
    ProfileChange,
    PublicProfile,
    PublicProfiles,
    Registration,
    SessionEnded,
    Tokens,
    UnknownUser,
    User,
    UserPage,
    UserRegistered,
    UserSearch,
    WeakPassword,
)
from dvor.kernel import clock, telemetry, tokens
from dvor.kernel.batch import reader
from dvor.kernel.cache import SESSIONS, Cache
from dvor.kernel.caller import Caller, Role, current, require_role, require_service, require_user
from dvor.kernel.config import Settings
from dvor.kernel.db import Database, Record
from dvor.kernel.errors import Unauthenticated
from dvor.kernel.ids import new
from dvor.kernel.images import NotAPicture, square
from dvor.services.identity import queries, rules, session_queries, views
from dvor.services.identity.keyring import KeyRing
from dvor.services.identity.password_strength import canonical_password, is_weak
from dvor.services.identity.passwords import Passwords
from dvor.services.identity.proofs import Proofs
from dvor.services.identity.threads import Threads

LOG = telemetry.log("identity")
WAITING_MAX = 5000
"""So many may wait for their session to be read."""


class IdentityService(contract.Identity):
    """Accounts, sessions and tokens, in one database."""

    def __init__(self, *, db: Database, settings: Settings, cache: Cache) -> None:
        self.db = db
        self.cache = cache
        self.settings = settings
        self.keyring = KeyRing(db)
        self._passwords = Passwords()
        self._proofs = Proofs(db, self._passwords)
        # One at a time: decoding takes up to 90 MB, of a WebP up to 310 MB.
        self._pictures = Threads(at_once=1, waiting_max=50)
        self.idle = timedelta(seconds=settings.session_idle_seconds)
        self._touch_after = min(rules.TOUCH_AFTER, self.idle / 10)
        read = partial(session_queries.api_sessions, db, touch_after=self._touch_after)
        self._sessions = reader(read, queue_max=WAITING_MAX)

    async def start(self) -> None:
        """Have a signing key that all processes share."""
        await self.keyring.renew()
        await self._passwords.prepare()

    async def stop(self) -> None:
        """Answer those who wait."""
        await self._sessions.close()

    # Accounts

    async def register(self, registration: Registration, address: str = "") -> User:
        """Open an account."""
        email = rules.canonical_email(registration.email)
        if is_weak(_plain(registration.password), email=email, name=registration.name):
            raise WeakPassword
        subjects = rules.subjects("register", email, rules.network_of(address))
        await self._proofs.count(subjects)
        if await queries.user_by_email(self.db, email, ""):
            raise EmailTaken
        user = await self._open_account(registration, rules.opening_roles(registration))
        if user is None:
            raise EmailTaken
        return user

    async def ensure_user(self, registration: Registration, roles: tuple[Role, ...]) -> User:
        """Create an account or leave it as it is. Its password is taken as the operator set it."""
        require_service("setup")
        email = rules.canonical_email(registration.email)
        row = await queries.user_by_email(self.db, email, "")
        if row is None:
            opening = rules.with_roles(rules.opening_roles(registration), roles)
            user = await self._open_account(registration, opening)
            if user is not None:
                return user
            row = await queries.user_by_email(self.db, email, "")
        return views.user(_found(row))

    async def _open_account(self, registration: Registration, roles: list[Role]) -> User | None:
        password_hash = await self._passwords.hashed(_plain(registration.password))
        async with self.db.tx() as tx:
            row = await queries.insert_user(
                tx,
                new(),
                email=rules.canonical_email(registration.email),
                password_hash=password_hash,
                name=registration.name,
                roles=roles,
                language=registration.language,
            )
            if row is None:
                return None
            tx.emit(UserRegistered(user_id=row["id"], name=row["name"], language=row["language"]))
        return views.user(row)

    async def me(self) -> User:
        """The signed-in person."""
        return views.user(await self._myself())

    async def change_profile(self, change: ProfileChange) -> User:
        """Change one's own profile."""
        user_id = require_user()
        async with self.db.tx() as tx:
            before = _signed_in(await queries.lock_user(tx, user_id))
            row = _found(await queries.update_profile(tx, user_id, **change.model_dump()))
            if row != before:
                tx.emit(views.changed(row))
        await self._tell_changed(user_id)
        return views.user(row)

    async def change_password(self, old: SecretStr, new: SecretStr) -> None:
        """Change one's own password; other sessions end."""
        row = await self._myself()
        if is_weak(_plain(new), email=row["email"], name=row["name"]):
            raise WeakPassword
        proof = await self._proofs.by_password(row, _plain(old))
        password_hash = await self._passwords.hashed(_plain(new))
        async with self.db.tx() as tx:
            await self._proofs.admit(tx, proof)
            await queries.set_password_hash(tx, row["id"], password_hash)
            await session_queries.delete_other_sessions(tx, row["id"], current().session_id)
        await self._tell_changed(row["id"])

    async def set_avatar(self, image: bytes) -> User:
        """Replace one's own picture; empty bytes remove it."""
        user_id = require_user()
        picture = None
        if image:
            try:
                picture = await self._pictures.run(
                    square, image, side_px=rules.AVATAR_SIDE_PX, bytes_max=rules.AVATAR_BYTES_MAX
                )
            except NotAPicture as problem:
                LOG.info("picture refused", problem=str(problem))
                raise BadImage from problem
        async with self.db.tx() as tx:
            before = _signed_in(await queries.lock_user(tx, user_id))
            if picture is None:
                await queries.delete_avatar(tx, user_id)
            else:
                await queries.put_avatar(
                    tx, user_id, picture.content, picture.content_type, picture.version
                )
            version = picture.version if picture else ""
            row = _found(await queries.set_avatar_version(tx, user_id, version))
            if version != before["avatar"]:
                tx.emit(views.changed(row))
        return views.user(row)

    async def avatar(self, user_id: UUID) -> Avatar:
        """A person's picture."""
        row = _found(await queries.avatar(self.db, user_id))
        return Avatar(
            content=row["content"], content_type=row["content_type"], version=row["version"]
        )

    async def profiles(self, user_ids: tuple[UUID, ...]) -> PublicProfiles:
        """Public profiles: for listings."""
        rows = await queries.users_among(self.db, user_ids)
        items = [
            PublicProfile(
                id=row["id"],
                name=row["name"],
                city=row["city"],
                about=row["about"],
                avatar=row["avatar"],
                since=row["created_at"],
            )
            for row in rows
        ]
        return PublicProfiles(items=tuple(items))

    async def contacts(self, user_ids: tuple[UUID, ...]) -> Contacts:
        """Where to reach people."""
        require_service(*rules.CONTACT_READERS)
        rows = await queries.users_among(self.db, user_ids)
        items = [
            Contact(
                user_id=row["id"], email=row["email"], name=row["name"], language=row["language"]
            )
            for row in rows
        ]
        return Contacts(items=tuple(items))

    async def users(self, search: UserSearch) -> UserPage:
        """All accounts."""
        require_role(Role.ADMIN)
        before = views.place(search.cursor)
        rows = await queries.users_page(self.db, search.text, before, search.limit + 1)
        return views.page(rows, search.limit)

    async def administer(self, user_id: UUID, action: AdminAction) -> User:
        """Change an account's role or block it."""
        require_role(Role.ADMIN)
        async with self.db.tx() as tx:
            rows = await queries.lock_user_and_admins(tx, user_id)
            before = _found(next((row for row in rows if row["id"] == user_id), None))
            roles = rules.roles_after(views.roles(before), action)
            blocked = rules.blocked_after(before["blocked"], action)
            admins = (row["id"] for row in rows if views.is_working_admin(row))
            if rules.leaves_no_admin(admins, user_id, roles, blocked):
                raise LastAdmin
            row = _found(await queries.set_standing(tx, user_id, roles, blocked))
            if blocked:
                await session_queries.delete_other_sessions(tx, user_id, None)
            if row != before:
                tx.emit(views.changed(row))
        await self._tell_changed(user_id)
        return views.user(row)

    # Browser sessions

    async def sign_in(
        self, credentials: Credentials, client: str = "", address: str = ""
    ) -> BrowserSession:
        """Start a browser session."""
        proof = await self._proofs.by_credentials(credentials, address)
        token = rules.token_of(os.urandom(32))
        async with self.db.tx() as tx:
            row = await self._proofs.admit(tx, proof)
            expires_at = await session_queries.insert_session(
                tx,
                new(),
                row["id"],
                kind="browser",
                token_hash=rules.token_hash(token),
                client=client,
                lifetime=timedelta(seconds=self.settings.session_lifetime_seconds),
            )
        return BrowserSession(token=token, user=views.user(row), expires_at=expires_at)

    async def session(self, token: str) -> Caller:
        """Who holds this browser session."""
        return await self._caller(
            await session_queries.browser_session(
                self.db, rules.token_hash(token), self.idle, self._touch_after
            )
        )

    async def sign_out(self, token: str) -> None:
        """End a browser session; unknown tokens are fine."""
        token_hash = rules.token_hash(token)
        await self._tell_changed(await session_queries.delete_browser_session(self.db, token_hash))

    async def sessions(self) -> ActiveSessions:
        """Where the signed-in person is signed in."""
        rows = await session_queries.live_sessions(
            self.db, require_user(), self.idle, rules.SESSIONS_SHOWN_MAX
        )
        items = [
            ActiveSession(
                id=row["id"],
                client=row["client"],
                current=row["id"] == current().session_id,
                created_at=row["created_at"],
                used_at=row["used_at"],
            )
            for row in rows
        ]
        return ActiveSessions(items=tuple(items))

    async def end_session(self, session_id: UUID) -> None:
        """End one of one's own sessions; others' and ended ones stay as they are."""
        await session_queries.delete_own_session(self.db, require_user(), session_id)
        await self._tell_changed(require_user())

    # Tokens

    async def issue_tokens(
        self, credentials: Credentials, client: str = "", address: str = ""
    ) -> Tokens:
        """Sign in an API client."""
        proof = await self._proofs.by_credentials(credentials, address)
        session_id, token = new(), rules.token_of(os.urandom(32))
        async with self.db.tx() as tx:
            row = await self._proofs.admit(tx, proof)
            await session_queries.insert_session(
                tx,
                session_id,
                row["id"],
                kind="api",
                token_hash=None,
                client=client,
                lifetime=timedelta(seconds=self.settings.refresh_token_seconds),
            )
            await session_queries.insert_refresh_token(tx, rules.token_hash(token), session_id)
        return await self._tokens(row, session_id, token)

    async def refresh_tokens(self, refresh_token: str) -> Tokens:
        """Exchange a refresh token for the next pair."""
        used_hash = rules.token_hash(refresh_token)
        token = rules.successor(self.settings.secret, used_hash)
        async with self.db.tx() as tx:
            row = await session_queries.lock_family(tx, used_hash)
            good = row is not None and (
                await session_queries.rotate_refresh_token(tx, used_hash, rules.token_hash(token))
                or await session_queries.used_within(tx, used_hash, rules.REPLAY_GRACE)
            )
            if row is not None and not good:
                # Two hold this token, and one of them is a thief: neither goes on.
                await session_queries.delete_session(tx, row["session_id"])
        if row is None:
            raise SessionEnded
        if not good:
            await self._tell_changed(row["id"])
            LOG.warning("refresh token replayed, family ended", user=str(row["id"]))
            raise SessionEnded
        return await self._tokens(row, row["session_id"], token)

    async def revoke_tokens(self, refresh_token: str) -> None:
        """Sign an API client out."""
        token_hash = rules.token_hash(refresh_token)
        await self._tell_changed(await session_queries.delete_family(self.db, token_hash))

    async def authenticate(self, access_token: str) -> Caller:
        """Who holds this access token, with the roles of now."""
        try:
            key = await self.keyring.public(tokens.kid(access_token))
            if key is None:
                raise tokens.BadToken("unknown key")
            claims = tokens.verify(
                access_token,
                key,
                issuer=self.settings.site,
                audience=rules.AUDIENCE,
                now=clock.now(),
            )
            session_id, user_id = UUID(claims["sid"]), UUID(claims["sub"])
        except (tokens.BadToken, ValueError, AttributeError) as problem:
            LOG.info("access token refused", problem=str(problem))
            raise SessionEnded from problem
        row = (await self._sessions.ask([session_id])).get(session_id)
        return await self._caller(row if row and row["user_id"] == user_id else None)

    async def keys(self) -> KeySet:
        """The public keys of access tokens."""
        return KeySet(keys=tuple(Key(**key.jwk()) for key in await self.keyring.all()))

    # What several of these need

    async def _tell_changed(self, user_id: UUID | None) -> None:
        """Have every process ask again who this person's tokens and sessions stand for."""
        if user_id is not None:
            await self.cache.tell(SESSIONS, str(user_id))

    async def _tokens(self, row: Record, session_id: UUID, refresh_token: str) -> Tokens:
        issued_at = int(clock.now().timestamp())
        claims = {
            "iss": self.settings.site,
            "aud": rules.AUDIENCE,
            "sub": str(row["id"]),
            "iat": issued_at,
            "exp": issued_at + self.settings.access_token_seconds,
            "jti": str(new()),
            "sid": str(session_id),
            "roles": row["roles"],
        }
        return Tokens(
            access_token=tokens.sign(claims, await self.keyring.newest()),
            refresh_token=refresh_token,
            expires_in_seconds=self.settings.access_token_seconds,
            user=views.user(row),
        )

    async def _caller(self, row: Record | None) -> Caller:
        if row is None:
            raise SessionEnded
        if row["stale"]:
            await session_queries.touch_session(self.db, row["id"])
        return Caller(
            user_id=row["user_id"],
            roles=tuple(views.roles(row)),
            language=row["language"],
            session_id=row["id"],
        )

    async def _myself(self) -> Record:
        return _signed_in(await queries.user(self.db, require_user()))


def _plain(password: SecretStr) -> str:
    return canonical_password(password.get_secret_value())


def _found(row: Record | None) -> Record:
    if row is None:
        raise UnknownUser
    return row


def _signed_in(row: Record | None) -> Record:
    """The caller's own row; without one their session is of no use."""
    if row is None:
        raise Unauthenticated
    return row
