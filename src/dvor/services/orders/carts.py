"""Carts: lines a person is about to buy, held for them together."""

from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from dvor.contracts.catalog import Catalog, PricedLine, QuoteLine
from dvor.contracts.inventory import (
    Claims,
    Hold,
    HoldEnded,
    Inventory,
    LimitReached,
    SoldOut,
    UnknownSupply,
)
from dvor.contracts.orders import Cart, CartLine, CartPromo, EmptyCart, UnknownLine, Wish
from dvor.contracts.pricing import PartKind, PricePart
from dvor.contracts.promos import (
    PromoElsewhere,
    PromoEnded,
    PromoLimit,
    PromoNeedsMore,
    PromoNotYet,
    PromoUsedUp,
    UnknownPromo,
)
from dvor.contracts.waiting import OfferOver, WaitingStatus
from dvor.kernel import clock, ids, texts
from dvor.kernel.caller import current, require_user
from dvor.kernel.config import Settings
from dvor.kernel.db import Contended, Database
from dvor.kernel.errors import NotFound, Refusal, Unavailable
from dvor.kernel.money import Money
from dvor.services.orders import queries, rules
from dvor.services.orders.rules import StoredLine

RACES_MAX = 5
"""How often a change of a cart starts again because another one was faster."""

PROMO_REFUSALS = (UnknownPromo, PromoEnded, PromoNotYet, PromoElsewhere, PromoNeedsMore)
"""Why a promo code takes nothing off what is in a cart."""


@dataclass(frozen=True)
class StoredCart:
    """A cart as it is stored."""

    id: UUID
    hold_id: UUID
    held_until: datetime | None
    version: int
    lines: list[StoredLine]
    promo: str = ""
    """A promo code as it was typed."""


class Carts:
    """What can be done with the caller's cart."""

    def __init__(
        self, db: Database, settings: Settings, catalog: Catalog, inventory: Inventory
    ) -> None:
        self.db = db
        self.settings = settings
        self.catalog = catalog
        self.inventory = inventory

    async def stored(self, guest: str) -> StoredCart | None:
        """The caller's cart, or the guest's; None where there is none."""
        customer, guest_hash = _owner(guest)
        row = await queries.cart(self.db, customer, guest_hash)
        if row is None:
            return None
        lines = await queries.cart_lines(self.db, row["id"])
        return StoredCart(
            *(row["id"], row["hold_id"], row["held_until"], row["version"]),
            lines,
            row["promo_code"],
        )

    async def made(self, guest: str) -> StoredCart:
        """The same, made where there is none."""
        found = await self.stored(guest)
        if found is None:
            await queries.make_cart(self.db, *_owner(guest))
            found = await self.stored(guest)
        assert found is not None
        return found

    async def add(self, wishes: list[Wish], guest: str) -> Cart:
        """Add lines and hold the whole cart afresh."""
        return await self._add(wishes, guest, current().key)

    async def take_waiting(self, waiting_id: UUID) -> Cart:
        """Add what the caller waited for and is offered; its hold goes over into the cart's."""
        require_user()
        entry = await self.inventory.waiting_entry(waiting_id)
        # Once taken it may still be missing in the cart: whoever took it may have died in between.
        if entry.status not in (WaitingStatus.OFFERED, WaitingStatus.TAKEN):
            raise OfferOver
        wish = Wish(
            offer_id=entry.offer_id,
            quantity=entry.quantity,
            dates=entry.dates,
            hours=entry.hours,
            seats=entry.seats,
        )
        return await self._add([wish], "", waiting_id, instead_of=waiting_id)

    async def _add(
        self, wishes: list[Wish], guest: str, key: UUID | None, *, instead_of: UUID | None = None
    ) -> Cart:
        added = [
            StoredLine(
                ids.new(),
                wish.offer_id,
                wish.quantity,
                wish.dates.start if wish.dates else None,
                wish.dates.end if wish.dates else None,
                wish.seats,
                wish.hours,
            )
            for wish in wishes
        ]
        for _ in range(RACES_MAX):
            cart = await self.made(guest)
            if key and await queries.key_used(self.db, key):
                return await self.shown(cart)
            changed = await self._replace(cart, rules.joined(cart.lines, added), key, instead_of)
            if changed:
                return await self.shown(changed)
        raise Contended

    async def change(self, line_id: UUID, quantity: int, guest: str) -> Cart:
        """Set a line's quantity; 0 removes it."""
        for _ in range(RACES_MAX):
            cart = await self.made(guest)
            if all(line.id != line_id for line in cart.lines):
                raise UnknownLine
            lines = [n.of(quantity) if n.id == line_id else n for n in cart.lines]
            changed = await self._replace(cart, [n for n in lines if n.quantity > 0], None)
            if changed:
                return await self.shown(changed)
        raise Contended

    async def set_promo(self, code: str, guest: str) -> Cart:
        """Put a promo code that takes something off into the cart; an empty one takes it out."""
        for _ in range(RACES_MAX):
            cart = await self.made(guest)
            if code:
                await self._check_promo(cart, code)
            elif not cart.promo:
                return await self.shown(cart)
            changed = await self._write(
                replace(cart, promo=code), cart.lines, cart.hold_id, cart.held_until, None
            )
            if changed:
                return await self.shown(changed)
        raise Contended

    async def _check_promo(self, cart: StoredCart, code: str) -> None:
        """Refuse a code that would take nothing off. Whether it is used up may change until it is held."""
        if not cart.lines:
            raise EmptyCart
        quote = await self.catalog.quote(
            rules.quote_lines(line.wish() for line in cart.lines), code
        )
        assert quote.promo is not None
        known = await self.inventory.supplies((quote.promo.id,))
        if any(not supply.free for supply in known.items):
            raise PromoUsedUp

    async def hold_again(self, guest: str) -> Cart:
        """Hold what is in the cart once more."""
        for _ in range(RACES_MAX):
            cart = await self.made(guest)
            changed = await self._replace(cart, cart.lines, None)
            if changed:
                return await self.shown(changed)
        raise Contended

    async def claim(self, guest: str) -> Cart:
        """Move a guest's lines into the caller's cart; where they cannot be held, unheld."""
        require_user()
        row = await queries.cart(self.db, None, _hash(guest))
        mine = await self.made("")
        if row is None:
            return await self.shown(mine)
        mine = replace(mine, promo=mine.promo or row["promo_code"])
        lines = await queries.cart_lines(self.db, row["id"])
        if lines:
            await self._let_go(row["hold_id"])
        joined = rules.joined(mine.lines, [replace(line, id=ids.new()) for line in lines])
        try:
            changed = await self._replace(mine, joined, None)
        except Refusal:
            changed = await self._write(mine, joined, mine.hold_id, None, None)
        if changed:
            async with self.db.tx("orders.guest_cart_joined") as tx:
                await queries.drop_cart(tx, row["id"])
        return await self.shown(await self.made(""))

    async def _replace(
        self,
        cart: StoredCart,
        lines: list[StoredLine],
        key: UUID | None,
        instead_of: UUID | None = None,
    ) -> StoredCart | None:
        """Hold `lines` and make them the cart's; None when another change was faster."""
        hold_id, held_until = cart.hold_id, None
        if lines:
            wishes = [line.wish() for line in lines]
            await self.catalog.quote(rules.quote_lines(wishes))
            hold = await self.hold(hold_id, wishes, instead_of)
            hold_id, held_until = hold.id, hold.expires_at
            seats = rules.seats_held(wishes, hold.claims)
            lines = [replace(n, seats=held) for n, held in zip(lines, seats, strict=True)]
        elif cart.lines:
            await self._let_go(hold_id)
            hold_id = ids.new()
        return await self._write(cart, lines, hold_id, held_until, key)

    async def hold(
        self,
        hold_id: UUID,
        wishes: list[Wish],
        instead_of: UUID | None = None,
        promo_id: UUID | None = None,
    ) -> Hold:
        """Hold wishes and the use of a promo code. Raises PromoUsedUp, PromoLimit."""
        try:
            return await self._hold(hold_id, rules.claims(wishes, promo_id), instead_of)
        except (SoldOut, LimitReached, UnknownSupply) as refusal:
            if refusal.offer_id != promo_id:
                raise
            raise _promo_refusal(refusal) from None

    async def _hold(self, hold_id: UUID, claims: Claims, instead_of: UUID | None) -> Hold:
        """Hold claims, under a new name where the old hold can serve no longer."""
        customer = current().user_id
        try:
            hold = await self.inventory.hold(hold_id, claims, customer, instead_of)
        except HoldEnded:
            return await self.inventory.hold(ids.new(), claims, customer, instead_of)
        left = (hold.expires_at - clock.now()).total_seconds()
        if left < 2 * self.settings.payment_margin_seconds:  # prolonged as often as it may be
            if instead_of:  # what was waited for is in it: let go, it would go to the next in line
                return await self.inventory.hold(ids.new(), claims, customer, hold_id)
            await self.inventory.release(hold_id)
            return await self.inventory.hold(ids.new(), claims, customer)
        return hold

    async def _let_go(self, hold_id: UUID) -> None:
        try:
            await self.inventory.release(hold_id)
        except NotFound:
            return

    async def _write(
        self,
        cart: StoredCart,
        lines: list[StoredLine],
        hold_id: UUID,
        held_until: datetime | None,
        key: UUID | None,
    ) -> StoredCart | None:
        async with self.db.tx("orders.cart_changed") as tx:
            if not await queries.advance_cart(
                tx, cart.id, cart.version, hold_id, held_until, cart.promo
            ):
                return None
            await queries.replace_cart_lines(tx, cart.id, lines)
            if key:
                await queries.use_key(tx, key)
        return StoredCart(cart.id, hold_id, held_until, cart.version + 1, lines, cart.promo)

    async def shown(self, cart: StoredCart) -> Cart:
        """The cart with today's prices; a line that cannot be bought says why."""
        priced, promo = await self._priced(cart.lines, cart.promo)
        lines = tuple(_line(line, *priced[line.id]) for line in cart.lines if line.id in priced)
        currencies = {line.total.currency for line in lines}
        sound = len(currencies) == 1 and not any(line.problem for line in lines)
        total = None
        if sound:
            amount = sum(line.total.amount for line in lines)
            total = Money(amount=amount, currency=currencies.pop())
        held = cart.held_until if cart.held_until and cart.held_until > clock.now() else None
        return Cart(
            id=cart.id,
            lines=lines,
            total=total,
            held_until=held,
            version=cart.version,
            promo=promo,
        )

    async def _priced(
        self, lines: list[StoredLine], code: str
    ) -> tuple[dict[UUID, tuple[PricedLine, str]], CartPromo | None]:
        """Lines with prices and problems; what became of the promo code."""
        if not lines:
            return {}, CartPromo(code=code) if code else None
        asked = rules.quote_lines(line.wish() for line in lines)
        promo = None
        try:
            try:
                quote = await self.catalog.quote(asked, code)
            except PROMO_REFUSALS as refusal:
                minimum = refusal.minimum if isinstance(refusal, PromoNeedsMore) else None
                promo = CartPromo(code=code, problem=texts.refusal(refusal), minimum=minimum)
                quote = await self.catalog.quote(asked)
            if quote.promo:
                promo = CartPromo(code=quote.promo.code, discount=quote.promo.discount)
            return {line.id: (p, "") for line, p in zip(lines, quote.lines, strict=True)}, promo
        except Refusal:
            # Each alone: what is wrong is said at its line, and there is no total.
            found = {}
            for line, wish in zip(lines, asked, strict=True):
                priced = await self._priced_alone(wish)
                if priced is not None:
                    found[line.id] = priced
            return found, CartPromo(code=code) if code else None

    async def _priced_alone(self, wish: QuoteLine) -> tuple[PricedLine, str] | None:
        try:
            return (await self.catalog.quote((wish,))).lines[0], ""
        except Refusal as refusal:
            facts = await self.catalog.offers((wish.offer_id,))
            if not facts.items:
                return None
            offer = facts.items[0]
            period = wish.dates or wish.hours
            units = period.length if period else 1
            line = PricedLine(
                offer=offer,
                quantity=wish.quantity,
                dates=wish.dates,
                hours=wish.hours,
                units=units,
                unit_price=offer.price,
                total=offer.price.times(units * wish.quantity),
                day_prices=(offer.price.amount,) * units,
                parts=(
                    PricePart(
                        kind=PartKind.BASE,
                        units=units,
                        price=offer.price.amount,
                        amount=offer.price.amount * units * wish.quantity,
                    ),
                ),
            )
            return line, texts.refusal(refusal)


def _line(stored: StoredLine, priced: PricedLine, problem: str) -> CartLine:
    return CartLine(
        id=stored.id,
        offer_id=stored.offer_id,
        listing_id=priced.offer.listing_id,
        kind=priced.offer.kind,
        title=priced.offer.title,
        name=priced.offer.name,
        picture=priced.offer.picture,
        quantity=stored.quantity,
        dates=stored.dates,
        units=priced.units,
        unit_price=priced.unit_price,
        total=priced.total,
        problem=problem,
        starts_at=priced.offer.starts_at,
        timezone=priced.offer.timezone,
        parts=priced.parts,
        deposit=priced.deposit,
        cancellation=priced.offer.cancellation,
        hours=stored.hours,
        seats=stored.seats,
        approval=priced.offer.approval,
    )


def _promo_refusal(refusal: SoldOut | LimitReached | UnknownSupply) -> Refusal:
    """Why a promo code cannot be held. Inventory hears of a new code a moment later."""
    if isinstance(refusal, UnknownSupply):
        return Unavailable()
    return PromoUsedUp() if isinstance(refusal, SoldOut) else PromoLimit()


def _owner(guest: str) -> tuple[UUID | None, bytes | None]:
    """Whose cart: the signed-in person's, else the guest's. Raises Unauthenticated for neither."""
    user = current().user_id
    if user is not None:
        return user, None
    if not guest:
        require_user()
    return None, _hash(guest)


def _hash(guest: str) -> bytes:
    return sha256(guest.encode()).digest()
