"""Promo codes: who makes them, who sees them, who stops them."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from uuid import UUID

from dvor.contracts.catalog import PromoMade, UnknownListing
from dvor.contracts.promos import (
    Promo,
    PromoDraft,
    PromoPage,
    PromoSearch,
    PromoTaken,
    UnknownPromo,
)
from dvor.kernel.caller import Role, caller_key, current, require_role
from dvor.kernel.db import Database
from dvor.kernel.errors import InvalidFields
from dvor.services.catalog import promo_queries as queries


async def make(db: Database, draft: PromoDraft) -> Promo:
    """A new code. Inventory hears of its limits; a repeated request makes no second one."""
    seller_id = None
    if draft.platform:
        require_role(Role.ADMIN)
    else:
        seller_id = require_role(Role.SELLER)
    promo_id = caller_key("promo", draft.code.upper())
    async with db.tx() as tx:
        listings = list(draft.listing_ids)
        if seller_id and listings and await queries.foreign_listings(tx, seller_id, listings):
            raise UnknownListing
        async with tx.refusing(promos_code_unique=PromoTaken):
            fresh = await queries.insert_promo(tx, promo_id, seller_id, draft)
        if fresh:
            tx.emit(
                PromoMade(
                    promo_id=promo_id,
                    seller_id=seller_id,
                    uses=draft.uses,
                    per_customer=draft.per_customer,
                )
            )
        return _known(await queries.promo(tx, promo_id))


async def found(db: Database, search: PromoSearch) -> PromoPage:
    """One's own codes, or the platform's."""
    seller_id = None
    if search.platform:
        require_role(Role.ADMIN)
    else:
        seller_id = require_role(Role.SELLER)
    before = _read(search.cursor) if search.cursor else None
    rows = await queries.promos(db, seller_id, before, search.limit + 1)
    shown = rows[: search.limit]
    more = _written(shown[-1]) if len(rows) > search.limit else None
    return PromoPage(items=tuple(shown), next_cursor=more)


async def set_active(db: Database, promo_id: UUID, *, active: bool) -> Promo:
    """Stop a code, or let it be used again. A foreign one does not exist."""
    user, admin = require_role(Role.SELLER), current().is_admin()
    async with db.tx() as tx:
        promo = _known(await queries.promo(tx, promo_id))
        if promo.seller_id != user and not admin:
            raise UnknownPromo
        await queries.set_promo_active(tx, promo_id, active=active)
    return promo.model_copy(update={"active": active})


async def named(db: Database, code: str) -> Promo:
    """The code that somebody typed. Raises UnknownPromo."""
    return _known(await queries.promo_of_code(db, code.strip()))


def _known(promo: Promo | None) -> Promo:
    if promo is None:
        raise UnknownPromo
    return promo


def _written(promo: Promo) -> str:
    return urlsafe_b64encode(f"{promo.created_at.isoformat()} {promo.id}".encode()).decode()


def _read(cursor: str) -> tuple[datetime, UUID]:
    try:
        at, _, identifier = urlsafe_b64decode(cursor).decode().partition(" ")
        return datetime.fromisoformat(at), UUID(identifier)
    except ValueError:
        raise InvalidFields(problems={"cursor": "not a cursor of this list"}) from None
