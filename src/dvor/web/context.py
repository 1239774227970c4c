"""What every page needs to know: who looks at it, what waits in the cart, what is unread."""

import asyncio
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import HTMLResponse

from dvor.contracts.identity import Identity, User
from dvor.contracts.notifications import Notifications
from dvor.contracts.orders import Cart, Orders
from dvor.kernel import caller
from dvor.kernel.config import Settings
from dvor.kernel.errors import NotFound, Refusal, Unauthenticated, Unavailable
from dvor.kernel.http import contract, page_router
from dvor.kernel.http.routing import host
from dvor.kernel.money import Money, shown, shown_signed
from dvor.kernel.pages import Templates, page
from dvor.web import cancelling, hours, notices, pictures, prices
from dvor.web.forms import attempt

GUEST_COOKIE = "guest"

templates = Templates(package="dvor.web")
templates.environment.filters["picture"] = pictures.address
templates.environment.filters["minor"] = lambda amount, currency: shown(
    Money(amount=amount, currency=currency), caller.current().language
)
templates.environment.filters["signed"] = lambda amount, currency, plus=True: shown_signed(
    amount, currency, caller.current().language, plus=plus
)
templates.environment.filters["hours"] = hours.shown
templates.environment.filters["price_rows"] = prices.rows
templates.environment.filters["before_code"] = prices.before_code
templates.environment.filters["cancelling"] = cancelling.of_line
templates.environment.filters["refund_rule"] = cancelling.refund_rule
templates.environment.filters["same_cancelling"] = cancelling.shared
templates.environment.filters["deposits"] = prices.deposits
templates.environment.globals["deposit_words"] = prices.deposit_words


def settings_of(request: Request) -> Settings:
    """The configuration of this process."""
    return host(request).settings


def guest_of(request: Request) -> str:
    """The secret that names this browser's cart; empty for signed-in people and new browsers."""
    return "" if caller.current().user_id else request.cookies.get(GUEST_COOKIE, "")[:200]


class Visit:
    """One request for a page. Asks for the shared parts only when a page is drawn."""

    def __init__(
        self,
        request: Request,
        identity: Annotated[Identity, contract(Identity)],
        orders: Annotated[Orders, contract(Orders)],
        notifications: Annotated[Notifications, contract(Notifications)],
    ) -> None:
        self.request = request
        self._identity = identity
        self._orders = orders
        self._notifications = notifications

    @property
    def enhanced(self) -> bool:
        """Whether htmx asks: then a fragment is enough."""
        return "HX-Request" in self.request.headers

    async def page(self, template: str, status: int = 200, **details: Any) -> HTMLResponse:
        """A whole page. `details` are what its template shows."""
        notice = notices.read(self.request)
        html = templates.render(template, **await self.context(), notice=notice, **details)
        response = HTMLResponse(html, status)
        if notice:
            notices.forget(self.request, response)
        return response

    def fragment(self, template: str, status: int = 200, **details: Any) -> HTMLResponse:
        """A part of a page, for htmx and live updates."""
        return HTMLResponse(self.text(template, **details), status)

    def text(self, template: str, **details: Any) -> str:
        """A part of a page, as text."""
        path = self.request.url.path
        return templates.render(template, request=self.request, path=path, **details)

    async def context(self) -> dict[str, Any]:
        """`user`, `cart_count`, `unread_count`, `path`; a part that is down shows as empty."""
        signed_in = caller.current().user_id is not None
        guest = guest_of(self.request)
        user, cart, unread = await asyncio.gather(
            self._part(signed_in, self._identity.me),
            self._part(signed_in or bool(guest), lambda: self._orders.cart(guest)),
            self._part(signed_in, self._notifications.unread),
        )
        return {
            "request": self.request,
            "path": self.request.url.path,
            "user": user if isinstance(user, User) else None,
            "cart_count": _things(cart) if isinstance(cart, Cart) else 0,
            "unread_count": unread.count if unread else 0,
        }

    @staticmethod
    async def _part(wanted: bool, ask: Any) -> Any:
        if not wanted:
            return None
        answer = await attempt(ask(), Unavailable, Unauthenticated, NotFound)
        return None if isinstance(answer, Refusal) else answer


def _things(cart: Cart) -> int:
    return len(cart.lines)


Visiting = Annotated[Visit, Depends(Visit)]
Cursor = Annotated[str, Query(max_length=400)]
"""The place in a list that an address names; empty for its beginning."""


def _sign_in_first(request: Request) -> None:
    if caller.current().user_id is None:
        onward = page.get().address if request.method == "GET" else "/"
        raise HTTPException(303, headers={"Location": f"/sign-in?{urlencode({'next': onward})}"})


def members_router(prefix: str = "") -> APIRouter:
    """A router for pages that strangers are sent to the sign-in page from."""
    router = page_router()
    router.prefix = prefix
    router.dependencies.append(Depends(_sign_in_first))
    return router
