"""REST of identity: sign in, refresh, one's own account, users for admins, public keys."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response
from pydantic import Field, SecretStr

from dvor.contracts.identity import (
    ActiveSessions,
    AdminAction,
    BadImage,
    Credentials,
    Identity,
    KeySet,
    Password,
    ProfileChange,
    Registration,
    Tokens,
    User,
    UserPage,
    UserSearch,
)
from dvor.kernel.http import api_router, contract, page_router
from dvor.kernel.messages import Line, Message
from dvor.services.identity.rules import AVATAR_BYTES_MAX

auth = api_router(prefix="/auth", tags=["auth"])
me = api_router(prefix="/me", tags=["me"])
users = api_router(prefix="/users", tags=["users"])
pages = page_router()

Service = Annotated[Identity, contract(Identity)]

# What carries a password or a token has no idempotency key: neither a fast hash of such a body
# nor an answer with fresh tokens may be stored.
SECRET = {"x-idempotency": "none"}
_IMAGE = {"schema": {"type": "string", "contentMediaType": "image/*"}}
_IMAGE_BODY = {
    "requestBody": {
        "required": True,
        "content": dict.fromkeys(("image/png", "image/jpeg", "image/webp"), _IMAGE),
    }
}


class RefreshToken(Message):
    """A refresh token as it was issued."""

    refresh_token: Line


class PasswordChange(Message):
    """The password of now, and the next one."""

    old: Annotated[SecretStr, Field(max_length=256)]
    new: Password


@auth.post("/register", status_code=201, openapi_extra=SECRET)
async def register(registration: Registration, request: Request, identity: Service) -> User:
    """Open an account."""
    return await identity.register(registration, _address(request))


@auth.post("/token", openapi_extra=SECRET)
async def issue(credentials: Credentials, request: Request, identity: Service) -> Tokens:
    """Sign in: an access token for five minutes, and a refresh token."""
    return await identity.issue_tokens(credentials, _client(request), _address(request))


@auth.post("/refresh", openapi_extra=SECRET)
async def refresh(held: RefreshToken, identity: Service) -> Tokens:
    """Exchange a refresh token for the next pair; using an old one again signs you out."""
    return await identity.refresh_tokens(held.refresh_token)


@auth.post("/revoke", status_code=204, openapi_extra=SECRET)
async def revoke(held: RefreshToken, identity: Service) -> None:
    """Sign out."""
    await identity.revoke_tokens(held.refresh_token)


@me.get("")
async def show_me(identity: Service) -> User:
    """Your account."""
    return await identity.me()


@me.patch("")
async def change_me(change: ProfileChange, identity: Service) -> User:
    """Change your profile; what you leave out stays."""
    return await identity.change_profile(change)


@me.put("/avatar", openapi_extra=_IMAGE_BODY)
async def put_avatar(request: Request, identity: Service) -> User:
    """Set your picture: the image itself is the body."""
    image = await request.body()
    if not 0 < len(image) <= AVATAR_BYTES_MAX:
        raise BadImage
    return await identity.set_avatar(image)


@me.delete("/avatar")
async def delete_avatar(identity: Service) -> User:
    """Remove your picture."""
    return await identity.set_avatar(b"")


@me.post("/password", status_code=204, openapi_extra=SECRET)
async def change_password(change: PasswordChange, identity: Service) -> None:
    """Change your password; you stay signed in here and nowhere else."""
    await identity.change_password(change.old, change.new)


@me.get("/sessions")
async def list_sessions(identity: Service) -> ActiveSessions:
    """Where you are signed in."""
    return await identity.sessions()


@me.delete("/sessions/{session_id}", status_code=204)
async def end_session(session_id: UUID, identity: Service) -> None:
    """Sign out somewhere."""
    await identity.end_session(session_id)


@users.get("")
async def list_users(
    identity: Service,
    text: Line = "",
    cursor: Annotated[str | None, Query(max_length=400)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> UserPage:
    """All accounts, newest first. Admins only."""
    return await identity.users(UserSearch(text=text, cursor=cursor, limit=limit))


@users.post("/{user_id}/actions/{action}")
async def administer(user_id: UUID, action: AdminAction, identity: Service) -> User:
    """Change an account's role or block it. Admins only."""
    return await identity.administer(user_id, action)


@users.get(
    "/{user_id}/avatar",
    response_class=Response,
    responses={200: {"content": {"image/webp": {}}}, 304: {"description": "Unchanged"}},
)
async def show_avatar(user_id: UUID, request: Request, identity: Service, v: Line = "") -> Response:
    """A person's picture. With `v` set to its version it may be kept for ever."""
    avatar = await identity.avatar(user_id)
    age = "31536000, immutable" if v == avatar.version else "60"
    etag = f'"{avatar.version}"'
    headers = {"etag": etag, "cache-control": f"public, max-age={age}"}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(avatar.content, media_type=avatar.content_type, headers=headers)


@pages.get("/.well-known/jwks.json")
async def show_keys(response: Response, identity: Service) -> KeySet:
    """The public keys of access tokens."""
    response.headers["cache-control"] = "public, max-age=300"
    return await identity.keys()


def _client(request: Request) -> str:
    """What the program calls itself."""
    return request.headers.get("user-agent", "")[:200]


def _address(request: Request) -> str:
    """The address of the client; forwarded ones have been settled by the server's settings."""
    return request.client.host[:200] if request.client else ""
