"""Carts: lines a person is about to buy, held for them together."""

from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from dvor.contracts.catalog import Catalog, PricedLine, Quote, QuoteLine
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
from dvor.kernel.batch import GroupCommit
from dvor.kernel.caller import current, require_user
from dvor.kernel.config import Settings
from dvor.kernel.db import Contended, Database, Tx
from dvor.kernel.errors import NotFound, Refusal, Unavailable
from dvor.kernel.money import Money
from dvor.services.orders import queries, rules
from dvor.services.orders.rules import StoredLine

RACES_MAX = 5
"""How often a change of a cart starts again because another one was faster."""

CHANGES_MAX = 5000
"""So many may wait for their cart to be written."""

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
    used: bool = False
    """The request under way changed it already."""


class Carts:
    """What can be done with the caller's cart."""

    def __init__(
        self, db: Database, settings: Settings, catalog: Catalog, inventory: Inventory
    ) -> None:
        self.db = db
        self.settings = settings
        self.catalog = catalog
        self.inventory = inventory
        self._changed = GroupCommit(db, "orders.cart_changed", queue_max=CHANGES_MAX)

    async def close(self) -> None:
        """Take no more; what was begun is written first."""
        await self._changed.close()

    async def stored(self, guest: str, key: UUID | None = None) -> StoredCart | None:
        """The caller's cart, or the guest's; None where there is none."""
        return await self._read(*_owner(guest), key)

    async def _read(
        self, customer: UUID | None, guest_hash: bytes | None, key: UUID | None = None
    ) -> StoredCart | None:
        rows = await queries.cart(self.db, customer, guest_hash, key)
        if not rows:
            return None
        row = rows[0]
        return StoredCart(
            *(row["cart_id"], row["hold_id"], row["held_until"], row["version"]),
            [queries.stored(line) for line in rows if line["id"]],
            row["promo_code"],
            row["used"],
        )

    async def made(self, guest: str, key: UUID | None = None) -> StoredCart:
        """The same, made where there is none."""
        found = await self.stored(guest, key)
        if found is None:
            await queries.make_cart(self.db, *_owner(guest))
            found = await self.stored(guest, key)
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
            cart = await self.made(guest, key)
            if cart.used:
                return await self.shown(cart)
            changed = await self._replace(cart, rules.joined(cart.lines, added), key, instead_of)
            if changed:
                return changed
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
                return changed
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
                return changed
        raise Contended

    async def claim(self, guest: str) -> Cart:
        """Move a guest's lines into the caller's cart; where they cannot be held, unheld."""
        require_user()
        theirs = await self._read(None, _hash(guest))
        mine = await self.made("")
        if theirs is None:
            return await self.shown(mine)
        mine = replace(mine, promo=mine.promo or theirs.promo)
        if theirs.lines:
            await self._let_go(theirs.hold_id)
        joined = rules.joined(mine.lines, [replace(line, id=ids.new()) for line in theirs.lines])
        changed: object
        try:
            changed = await self._replace(mine, joined, None)
        except Refusal:
            changed = await self._write(mine, joined, mine.hold_id, None, None)
        if changed:
            async with self.db.tx("orders.guest_cart_joined") as tx:
                await queries.drop_cart(tx, theirs.id)
        return await self.shown(await self.made(""))

    async def _replace(
        self,
        cart: StoredCart,
        lines: list[StoredLine],
        key: UUID | None,
        instead_of: UUID | None = None,
    ) -> Cart | None:
        """Hold `lines` and make them the cart's; None when another change was faster."""
        hold_id, held_until, quote = cart.hold_id, None, None
        if lines:
            wishes = [line.wish() for line in lines]
            quote = await self.catalog.quote(rules.quote_lines(wishes))
            hold = await self.hold(hold_id, wishes, instead_of)
            hold_id, held_until = hold.id, hold.expires_at
            seats = rules.seats_held(wishes, hold.claims)
            lines = [replace(n, seats=held) for n, held in zip(lines, seats, strict=True)]
        elif cart.lines:
            await self._let_go(hold_id)
            hold_id = ids.new()
        changed = await self._write(cart, lines, hold_id, held_until, key)
        return await self.shown(changed, None if cart.promo else quote) if changed else None

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
        async def write(tx: Tx) -> bool:
            return await queries.write_cart(
                tx, cart.id, cart.version, hold_id, held_until, cart.promo, lines, key
            )

        if not await self._changed.run(write):
            return None
        return StoredCart(cart.id, hold_id, held_until, cart.version + 1, lines, cart.promo)

    async def shown(self, cart: StoredCart, quote: Quote | None = None) -> Cart:
        """The cart with today's prices, which `quote` tells where they were just asked for; a line
        that cannot be bought says why.
        """
        priced, promo = await self._priced(cart.lines, cart.promo, quote)
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
        self, lines: list[StoredLine], code: str, quote: Quote | None
    ) -> tuple[dict[UUID, tuple[PricedLine, str]], CartPromo | None]:
        """Lines with prices and problems; what became of the promo code."""
        if not lines:
            return {}, CartPromo(code=code) if code else None
        asked = rules.quote_lines(line.wish() for line in lines)
        promo = None
        try:
            try:
                quote = quote or await self.catalog.quote(asked, code)
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
