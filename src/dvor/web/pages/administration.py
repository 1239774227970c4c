"""For admins: the overview, people, listings, orders."""

from typing import Annotated
from uuid import UUID

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from dvor.contracts.catalog import Catalog, Kind, Search
from dvor.contracts.identity import AdminAction, Identity, LastAdmin, UserSearch
from dvor.contracts.orders import Orders, OrderSearch, Viewpoint
from dvor.contracts.payments import Payments, PaymentSearch
from dvor.kernel import caller
from dvor.kernel.caller import Role
from dvor.kernel.errors import NotFound, Refusal
from dvor.kernel.http import contract
from dvor.kernel.texts import gettext as _
from dvor.kernel.texts import refusal as said
from dvor.web import keeping, notices
from dvor.web.context import Cursor, Visiting, members_router
from dvor.web.forms import attempt
from dvor.web.pages import cancel_form
from dvor.web.pages.purchases import status_of, story
from dvor.web.pages.selling import kind_of, listing_status_of

router = members_router("/admin")

LIST_SIZE = 30
NEWEST = 5

CatalogHere = Annotated[Catalog, contract(Catalog)]
IdentityHere = Annotated[Identity, contract(Identity)]
OrdersHere = Annotated[Orders, contract(Orders)]
PaymentsHere = Annotated[Payments, contract(Payments)]


@router.get("")
async def show_overview(
    visit: Visiting, catalog: CatalogHere, identity: IdentityHere, orders: OrdersHere
) -> Response:
    """What there is and what came last. Counts stop at 1,000: they stay cheap."""
    caller.require_role(Role.ADMIN)
    counts = {kind: (await catalog.search(Search(kind=kind, limit=1))).total for kind in Kind}
    newest = await orders.orders(OrderSearch(viewpoint=Viewpoint.ADMIN, limit=NEWEST))
    people = await identity.users(UserSearch(limit=NEWEST))
    return await visit.page("admin/overview.html", counts=counts, newest=newest, people=people)


@router.get("/users")
async def list_users(
    visit: Visiting, identity: IdentityHere, text: str = "", cursor: Cursor = ""
) -> Response:
    """Everybody with an account."""
    caller.require_role(Role.ADMIN)
    search = UserSearch(text=text[:200], cursor=cursor or None, limit=LIST_SIZE)
    found = await identity.users(search)
    return await visit.page(
        "admin/users.html", found=found, text=text, my_id=caller.current().user_id
    )


@router.get("/users/{user_id}/{action}")
async def ask_to_administer(
    user_id: UUID, action: str, visit: Visiting, identity: IdentityHere
) -> Response:
    """Say what the change does, and ask."""
    caller.require_role(Role.ADMIN)
    people = await identity.profiles((user_id,))
    person = next(iter(people.items), None)
    if person is None:
        raise NotFound
    return await visit.page("admin/confirm.html", person=person, action=action_of(action))


@router.post("/users/{user_id}/{action}")
async def administer(
    user_id: UUID, action: str, request: Request, identity: IdentityHere
) -> Response:
    """Change a role, block or unblock."""
    person = await attempt(identity.administer(user_id, action_of(action)), LastAdmin)
    if isinstance(person, Refusal):
        return _told(request, "/admin/users", notices.Notice("refused", said(person)))
    done = {
        AdminAction.MAKE_SELLER: _("{name} may sell now.", name=person.name),
        AdminAction.MAKE_ADMIN: _("{name} is an admin now.", name=person.name),
        AdminAction.MAKE_CUSTOMER: _("{name} is a customer only now.", name=person.name),
        AdminAction.BLOCK: _("{name} is blocked and signed out everywhere.", name=person.name),
        AdminAction.UNBLOCK: _("{name} may sign in again.", name=person.name),
    }
    back = {AdminAction.BLOCK: AdminAction.UNBLOCK, AdminAction.UNBLOCK: AdminAction.BLOCK}
    undo = back.get(action_of(action))
    path = f"/admin/users/{user_id}/{undo}" if undo else ""
    return _told(
        request, "/admin/users", notices.Notice("done", done[action_of(action)], undo_path=path)
    )


@router.get("/listings")
async def list_listings(
    visit: Visiting,
    catalog: CatalogHere,
    identity: IdentityHere,
    kind: str = "",
    status: str = "",
    text: str = "",
    cursor: Cursor = "",
) -> Response:
    """Everybody's listings."""
    caller.require_role(Role.ADMIN)
    search = Search(
        kind=kind_of(kind),
        status=listing_status_of(status),
        text=text[:200],
        cursor=cursor or None,
        limit=LIST_SIZE,
    )
    found = await catalog.search(search)
    sellers = await identity.profiles(tuple({card.seller_id for card in found.items}))
    names = {person.id: person.name for person in sellers.items}
    return await visit.page("admin/listings.html", found=found, search=search, names=names)


@router.post("/listings/{listing_id}/archive")
async def archive_listing(listing_id: UUID, request: Request, catalog: CatalogHere) -> Response:
    """Take a listing off sale; the notice offers to undo it."""
    caller.require_role(Role.ADMIN)
    listing = await catalog.archive(listing_id)
    title = listing.title.of(caller.current().language)
    path = f"/admin/listings/{listing_id}/publish"
    notice = notices.Notice("done", _("“{title}” is off sale.", title=title), undo_path=path)
    return _told(request, "/admin/listings", notice)


@router.post("/listings/{listing_id}/publish")
async def publish_listing(listing_id: UUID, request: Request, catalog: CatalogHere) -> Response:
    """Put a listing on sale again."""
    caller.require_role(Role.ADMIN)
    listing = await catalog.publish(listing_id)
    title = listing.title.of(caller.current().language)
    notice = notices.Notice("done", _("“{title}” is on sale.", title=title))
    return _told(request, "/admin/listings", notice)


@router.get("/orders")
async def list_orders(
    visit: Visiting, orders: OrdersHere, status: str = "", text: str = "", cursor: Cursor = ""
) -> Response:
    """Everybody's orders."""
    caller.require_role(Role.ADMIN)
    wanted = status_of(status)
    search = OrderSearch(
        viewpoint=Viewpoint.ADMIN,
        status=wanted,
        text=text[:200],
        cursor=cursor or None,
        limit=LIST_SIZE,
    )
    found = await orders.orders(search)
    return await visit.page("admin/orders.html", found=found, wanted=wanted, text=text)


@router.get("/orders/{order_id}")
async def show_order(
    order_id: UUID,
    visit: Visiting,
    orders: OrdersHere,
    identity: IdentityHere,
    payments: PaymentsHere,
) -> Response:
    """One order, as its seller would see it, whole."""
    caller.require_role(Role.ADMIN)
    order = await orders.order(order_id)
    people = await identity.profiles((order.customer_id,))
    customer = next(iter(people.items), None)
    kept = await keeping.of(payments, order, for_seller=True)
    told = story(order, kept, for_seller=True)
    return await visit.page("admin/order.html", customer=customer, **told)


@router.get("/orders/{order_id}/cancel")
async def ask_to_cancel(order_id: UUID, visit: Visiting, orders: OrdersHere) -> Response:
    """Say what cancelling does, and ask."""
    caller.require_role(Role.ADMIN)
    place = f"/admin/orders/{order_id}"
    return await cancel_form.ask(visit, orders, order_id, place, mine=False)


@router.post("/orders/{order_id}/cancel")
async def cancel_order(order_id: UUID, request: Request, orders: OrdersHere) -> Response:
    """Cancel as an admin."""
    caller.require_role(Role.ADMIN)
    return await cancel_form.cancel(request, orders, order_id, f"/admin/orders/{order_id}")


@router.get("/payments")
async def list_payments(visit: Visiting, payments: PaymentsHere, cursor: Cursor = "") -> Response:
    """Everybody's payments."""
    caller.require_role(Role.ADMIN)
    search = PaymentSearch(everybody=True, cursor=cursor or None, limit=LIST_SIZE)
    return await visit.page("admin/payments.html", found=await payments.payments(search))


def action_of(text: str) -> AdminAction:
    """An action from an address. Raises NotFound for unknown ones."""
    action = next((action for action in AdminAction if action == text), None)
    if action is None:
        raise NotFound
    return action


def _told(request: Request, path: str, notice: notices.Notice) -> RedirectResponse:
    response = RedirectResponse(path, 303)
    notices.leave(request, response, notice)
    return response
