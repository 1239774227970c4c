"""Signing in, up and out; the account: profile, security, notifications, payments."""

from typing import Annotated
from uuid import UUID

from fastapi import Request
from fastapi.responses import RedirectResponse, Response
from pydantic import SecretStr, ValidationError

from dvor.contracts.identity import (
    BadImage,
    BrowserSession,
    Credentials,
    EmailTaken,
    Identity,
    ProfileChange,
    Registration,
    TooManyAttempts,
    WeakPassword,
    WrongCredentials,
)
from dvor.contracts.notifications import Notifications
from dvor.contracts.orders import Orders
from dvor.contracts.payments import Payments, PaymentSearch
from dvor.kernel import caller
from dvor.kernel.errors import Refusal
from dvor.kernel.http import clear_session, contract, page_router, set_session
from dvor.kernel.messages import PageRequest
from dvor.kernel.texts import gettext as _
from dvor.kernel.texts import refusal as said
from dvor.web import notices
from dvor.web.context import GUEST_COOKIE, Cursor, Visit, Visiting, members_router, settings_of
from dvor.web.demo import ACCOUNTS, demo_account
from dvor.web.forms import Form, attempt, filled, local_path, typed, uploaded
from dvor.web.words import client

strangers = page_router()
members = members_router()

AVATAR_MAX_BYTES = 5_000_000
LIST_SIZE = 20
PASSWORD_LEAST = 8

IdentityHere = Annotated[Identity, contract(Identity)]
OrdersHere = Annotated[Orders, contract(Orders)]
NotificationsHere = Annotated[Notifications, contract(Notifications)]
PaymentsHere = Annotated[Payments, contract(Payments)]


@strangers.get("/sign-in")
async def show_sign_in(visit: Visiting, next: str = "/") -> Response:
    """The sign-in form; in the demo world one click fills it."""
    onward = local_path(next, "/")
    if caller.current().user_id:
        return _to(onward)
    account = (
        demo_account(visit.request.query_params.get("as", "")) if _demo(visit.request) else None
    )
    form = Form({"email": account.email, "password": account.password} if account else {})
    return await _sign_in_page(visit, form, onward)


@strangers.post("/sign-in")
async def sign_in(
    request: Request, visit: Visiting, identity: IdentityHere, orders: OrdersHere
) -> Response:
    """Start a session and take the guest's cart along."""
    form = await typed(request)
    onward = local_path(form["next"], "/")
    email = form.text("email", 254, needed=_("Enter your e-mail."))
    if not form["password"]:
        form.refuse("password", _("Enter your password."))
    if form.refused:
        return await _sign_in_page(visit, form, onward, 422)
    credentials = Credentials(email=email, password=SecretStr(form["password"][:256]))
    session = await attempt(
        identity.sign_in(credentials, _client(request), _address(request)),
        WrongCredentials,
        TooManyAttempts,
    )
    if isinstance(session, Refusal):
        form.trouble = said(session)
        return await _sign_in_page(visit, form, onward, session.http_status)
    return await _welcome(request, session, identity, orders, onward)


@strangers.get("/sign-up")
async def show_sign_up(visit: Visiting, next: str = "/") -> Response:
    """The form for a new account."""
    onward = local_path(next, "/")
    if caller.current().user_id:
        return _to(onward)
    return await visit.page("sign/up.html", form=Form(), onward=onward)


@strangers.post("/sign-up")
async def sign_up(
    request: Request, visit: Visiting, identity: IdentityHere, orders: OrdersHere
) -> Response:
    """Open an account and sign in."""
    form = await typed(request)
    onward = local_path(form["next"], "/")
    registration = _registration(form)
    if registration is None:
        return await visit.page("sign/up.html", 422, form=form, onward=onward)
    user = await attempt(
        identity.register(registration, _address(request)),
        EmailTaken,
        WeakPassword,
        TooManyAttempts,
    )
    if isinstance(user, Refusal):
        if isinstance(user, TooManyAttempts):
            form.trouble = said(user)
        else:
            form.refuse("password" if isinstance(user, WeakPassword) else "email", said(user))
        return await visit.page("sign/up.html", 422, form=form, onward=onward)
    credentials = Credentials(email=registration.email, password=registration.password)
    session = await attempt(
        identity.sign_in(credentials, _client(request), _address(request)), TooManyAttempts
    )
    if isinstance(session, Refusal):
        return _to("/sign-in")
    return await _welcome(request, session, identity, orders, onward)


@strangers.post("/sign-out")
async def sign_out(request: Request, identity: IdentityHere) -> Response:
    """End this browser's session."""
    token = request.cookies.get(settings_of(request).session_cookie, "")[:200]
    await identity.sign_out(token)
    request.app.state.callers.forget("session", token)
    response = _to("/")
    clear_session(response, settings_of(request))
    notices.leave(request, response, notices.Notice("done", _("You are signed out.")))
    return response


@members.get("/account")
async def show_profile(visit: Visiting, identity: IdentityHere) -> Response:
    """What is known about a person, to be changed by them."""
    me = await identity.me()
    return await visit.page("account/profile.html", me=me, form=filled(me), avatar_problem="")


@members.post("/account")
async def change_profile(request: Request, visit: Visiting, identity: IdentityHere) -> Response:
    """Save the profile."""
    form = await typed(request)
    change = ProfileChange.model_construct(
        name=form.text("name", 80, needed=_("Enter your name.")),
        language=form.choice("language", ("ru", "en"), _("Choose a language.")),
        phone=form.text("phone", 40),
        city=form.text("city", 80),
        about=form.text("about", 2000),
    )
    if form.refused:
        me = await identity.me()
        return await visit.page("account/profile.html", 422, me=me, form=form, avatar_problem="")
    await identity.change_profile(ProfileChange.model_validate(change.model_dump()))
    return _done(request, "/account", _("Saved."))


@members.post("/account/avatar")
async def change_avatar(request: Request, visit: Visiting, identity: IdentityHere) -> Response:
    """Replace or remove the picture."""
    if (await typed(request))["remove"]:
        await identity.set_avatar(b"")
        return _done(request, "/account", _("The picture is removed."))
    image = await uploaded(request, "picture", AVATAR_MAX_BYTES)
    if not image:
        return await _avatar_again(visit, identity, _("Choose a picture first."))
    if len(image) > AVATAR_MAX_BYTES:
        return await _avatar_again(visit, identity, _("This picture is larger than 5 MB."))
    user = await attempt(identity.set_avatar(image), BadImage)
    if isinstance(user, Refusal):
        return await _avatar_again(visit, identity, said(user))
    return _done(request, "/account", _("This is your new picture."))


@members.get("/account/security")
async def show_security(visit: Visiting, identity: IdentityHere) -> Response:
    """The password, and where one is signed in."""
    return await _security_page(visit, identity, Form())


@members.post("/account/password")
async def change_password(request: Request, visit: Visiting, identity: IdentityHere) -> Response:
    """Change the password; other sessions end."""
    form = await typed(request)
    if not form["old"]:
        form.refuse("old", _("Enter the password you have now."))
    _check_password(form, "new")
    if not form.refused:
        work = identity.change_password(SecretStr(form["old"][:256]), SecretStr(form["new"]))
        refusal = await attempt(work, WrongCredentials, WeakPassword, TooManyAttempts)
        if refusal is None:
            text = _("The password is changed. All other sessions are signed out.")
            return _done(request, "/account/security", text)
        if isinstance(refusal, WrongCredentials):
            form.refuse("old", _("This is not your password."))
        elif isinstance(refusal, WeakPassword):
            form.refuse("new", said(refusal))
        else:
            form.trouble = said(refusal)
    return await _security_page(visit, identity, form, 422)


@members.post("/account/sessions/{session_id}/end")
async def end_one_session(session_id: UUID, request: Request, identity: IdentityHere) -> Response:
    """Sign out somewhere else."""
    await identity.end_session(session_id)
    return _done(request, "/account/security", _("That session is signed out."))


@members.get("/notifications")
async def show_notifications(
    visit: Visiting, notifications: NotificationsHere, cursor: Cursor = ""
) -> Response:
    """What a person was told, newest first."""
    found = await notifications.notifications(PageRequest(cursor=cursor or None, limit=LIST_SIZE))
    return await visit.page("account/notifications.html", found=found)


@members.post("/notifications/read")
async def mark_all_read(request: Request, notifications: NotificationsHere) -> Response:
    """Mark everything as read."""
    await notifications.mark_read(())
    return _done(request, "/notifications", _("Everything is marked as read."))


@members.post("/notifications/{notification_id}/open")
async def open_notification(
    notification_id: UUID, request: Request, notifications: NotificationsHere
) -> Response:
    """Mark one as read and go to what it is about."""
    await notifications.mark_read((notification_id,))
    return _to(local_path((await typed(request))["next"], "/notifications"))


@members.get("/account/payments")
async def show_payments(visit: Visiting, payments: PaymentsHere, cursor: Cursor = "") -> Response:
    """A person's payments, newest first."""
    found = await payments.payments(PaymentSearch(cursor=cursor or None, limit=LIST_SIZE))
    return await visit.page("account/payments.html", found=found)


async def _sign_in_page(visit: Visit, form: Form, onward: str, status: int = 200) -> Response:
    accounts = ACCOUNTS if _demo(visit.request) else ()
    password = form["password"] if status == 200 else ""
    return await visit.page(
        "sign/in.html",
        status,
        form=form,
        onward=onward,
        accounts=accounts,
        filled_password=password,
    )


async def _security_page(
    visit: Visit, identity: Identity, form: Form, status: int = 200
) -> Response:
    sessions = await identity.sessions()
    return await visit.page(
        "account/security.html",
        status,
        form=form,
        sessions=[(s, client(s.client)) for s in sessions.items],
    )


async def _avatar_again(visit: Visit, identity: Identity, problem: str) -> Response:
    me = await identity.me()
    return await visit.page(
        "account/profile.html", 422, me=me, form=filled(me), avatar_problem=problem
    )


async def _welcome(
    request: Request, session: BrowserSession, identity: Identity, orders: Orders, onward: str
) -> Response:
    """The redirect that carries the new session; the guest's cart becomes the person's own."""
    response = _to(onward)
    set_session(response, settings_of(request), session.token)
    guest = request.cookies.get(GUEST_COOKIE, "")[:200]
    if guest:
        person = await identity.session(session.token)
        with caller.asking(person.model_copy(update={"service": "web"})):
            claimed = await attempt(orders.claim_cart(guest), Refusal)
        if not isinstance(claimed, Refusal):
            response.delete_cookie(GUEST_COOKIE, path="/")
    return response


def _registration(form: Form) -> Registration | None:
    name = form.text("name", 80, needed=_("Enter your name."))
    email = form.text("email", 254, needed=_("Enter your e-mail."))
    _check_password(form, "password")
    if form.refused:
        return None
    try:
        return Registration(
            email=email,
            password=SecretStr(form["password"]),
            name=name,
            language=caller.current().language,
            seller=bool(form["seller"]),
        )
    except ValidationError:
        form.refuse("email", _("An e-mail looks like name@example.com."))
        return None


def _check_password(form: Form, name: str) -> None:
    if not PASSWORD_LEAST <= len(form[name]) <= 256:
        form.refuse(name, _("At least {least} characters, please.", least=PASSWORD_LEAST))


def _client(request: Request) -> str:
    return request.headers.get("user-agent", "")[:200]


def _address(request: Request) -> str:
    """The address of the browser; forwarded ones have been settled by the server's settings."""
    return request.client.host[:200] if request.client else ""


def _demo(request: Request) -> bool:
    return settings_of(request).demo


def _done(request: Request, path: str, text: str) -> RedirectResponse:
    response = _to(path)
    notices.leave(request, response, notices.Notice("done", text))
    return response


def _to(path: str) -> RedirectResponse:
    return RedirectResponse(path, 303)
