"""Payments: money is asked for, authorised, captured, given back, never twice, never too much."""

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID

import pytest

from dvor.contracts.payments import (
    CardDeclined,
    NotAuthorised,
    Payment,
    PaymentEnded,
    PaymentHistory,
    PaymentRequest,
    PaymentSearch,
    PaymentStatus,
    RefundTooLarge,
    UnknownPayment,
)
from dvor.kernel import clock
from dvor.kernel.caller import Caller, Role
from dvor.kernel.errors import Conflict, Forbidden, InvalidFields, Unauthenticated
from dvor.kernel.ids import new

GOOD, BAD, OTHER = "4242 4242 4242 4242", "4000 0000 0000 0002", "5555 5555 5555 4444"


async def steps(house: Any, payment: Payment) -> list[str]:
    rows = await house.db("payments").fetch(
        "SELECT what FROM payment_steps WHERE payment_id = $1 ORDER BY id", payment.id
    )
    return [row["what"] for row in rows]


async def told(house: Any) -> Counter[str]:
    """Events in the outbox, by type."""
    rows = await house.db("payments").fetch("SELECT type FROM outbox")
    return Counter(row["type"] for row in rows)


async def authorised(house: Any, ask: Any, token_of: Any, amount: int = 100_00) -> Payment:
    return await house.payments.submit_card(token_of(await ask(amount)), GOOD)


async def captured(house: Any, orders: Any, ask: Any, token_of: Any, amount: int) -> Payment:
    payment = await authorised(house, ask, token_of, amount)
    return await orders.capture(payment.id)


class TestRequest:
    async def test_gives_a_payment_with_a_secret_page(self, ask: Any, token_of: Any) -> None:
        payment = await ask()
        assert payment.status is PaymentStatus.REQUESTED
        assert (payment.captured, payment.refunded, payment.declines) == (0, 0, 0)
        assert len(token_of(payment)) == 43  # 256 bits

    async def test_the_same_order_gets_the_same_payment(self, house: Any, ask: Any) -> None:
        order, payer = new(), new()
        payments = await asyncio.gather(*(ask(order=order, payer=payer) for _ in range(10)))
        assert len(set(payments)) == 1
        assert await steps(house, payments[0]) == ["requested"]

    async def test_another_amount_or_payer_for_the_same_order_is_refused(self, ask: Any) -> None:
        order, payer = new(), new()
        await ask(order=order, payer=payer)
        with pytest.raises(Conflict):
            await ask(order=order, payer=payer, amount=1)
        with pytest.raises(Conflict):
            await ask(order=order, payer=new())

    async def test_only_orders_may_ask(self, house: Any, ask: Any) -> None:
        payment = await ask()
        request = PaymentRequest(
            order_id=new(),
            order_number="D-1",
            payer_id=new(),
            amount=payment.amount,
            return_path="/orders/1",
            expires_at=clock.now(),
        )
        admin = Caller(user_id=new(), roles=(Role.ADMIN,))
        for calling in ("", "web", "inventory"):
            payments = house.proxy("payments", calling)
            with house.calling(admin):
                for attempt in (
                    payments.request(request),
                    payments.capture(payment.id),
                    payments.void(payment.id),
                    payments.refund(payment.id, 1, new()),
                ):
                    with pytest.raises(Forbidden):
                        await attempt

    @pytest.mark.parametrize(
        "path", ["//evil.example", "https://evil.example", "/\\evil.example", "orders", ""]
    )
    def test_nobody_is_sent_to_another_site_afterwards(self, path: str) -> None:
        with pytest.raises(ValueError, match="return_path"):
            PaymentRequest.model_validate(
                {
                    "order_id": new(),
                    "order_number": "D-1",
                    "payer_id": new(),
                    "amount": {"amount": 1, "currency": "RUB"},
                    "return_path": path,
                    "expires_at": "2026-11-20T12:00:00Z",
                }
            )


class TestSubmitCard:
    async def test_the_good_card_authorises_the_whole_amount(
        self, house: Any, ask: Any, token_of: Any
    ) -> None:
        payment = await authorised(house, ask, token_of)
        assert payment.status is PaymentStatus.AUTHORISED
        assert await steps(house, payment) == ["requested", "authorised"]

    async def test_nothing_but_the_last_four_digits_is_kept(
        self, house: Any, ask: Any, token_of: Any
    ) -> None:
        payment = await authorised(house, ask, token_of)
        row = await house.db("payments").fetchrow(
            "SELECT * FROM payments WHERE id = $1", payment.id
        )
        assert row["card_ending"] == "4242"
        for table in ("payments", "payment_steps", "webhook_deliveries", "outbox", "tasks"):
            rows = await house.db("payments").fetch(f"SELECT t::text AS all FROM {table} t")
            assert not any("42424242" in row["all"] for row in rows)

    @pytest.mark.parametrize("card", [BAD, OTHER])
    async def test_other_cards_are_declined_and_counted(
        self, house: Any, ask: Any, token_of: Any, card: str
    ) -> None:
        payment = await ask()
        for _ in range(2):
            with pytest.raises(CardDeclined):
                await house.payments.submit_card(token_of(payment), card)
        again = await house.payments.open_page(token_of(payment))
        assert (again.status, again.declines) == (PaymentStatus.REQUESTED, 2)
        assert await steps(house, payment) == ["requested", "declined", "declined"]

    async def test_a_mistyped_number_never_reaches_the_bank(
        self, house: Any, ask: Any, token_of: Any
    ) -> None:
        payment = await ask()
        with pytest.raises(InvalidFields):
            await house.payments.submit_card(token_of(payment), "4242 4242 4242 4241")
        assert (await house.payments.open_page(token_of(payment))).declines == 0

    async def test_a_declined_card_can_be_followed_by_a_good_one(
        self, house: Any, ask: Any, token_of: Any
    ) -> None:
        payment = await ask()
        with pytest.raises(CardDeclined):
            await house.payments.submit_card(token_of(payment), BAD)
        paid = await house.payments.submit_card(token_of(payment), GOOD)
        assert paid.status is PaymentStatus.AUTHORISED

    async def test_twenty_submits_at_once_authorise_once(
        self, house: Any, ask: Any, token_of: Any
    ) -> None:
        payment = await ask()
        paid = await asyncio.gather(
            *(house.payments.submit_card(token_of(payment), GOOD) for _ in range(20))
        )
        assert {p.status for p in paid} == {PaymentStatus.AUTHORISED}
        assert await steps(house, payment) == ["requested", "authorised"]

    async def test_any_card_after_success_changes_nothing(
        self, house: Any, ask: Any, token_of: Any
    ) -> None:
        payment = await authorised(house, ask, token_of)
        again = await house.payments.submit_card(token_of(payment), BAD)
        assert again.status is PaymentStatus.AUTHORISED
        assert again.declines == 0

    async def test_the_same_form_sent_twice_is_declined_once(
        self, house: Any, ask: Any, token_of: Any
    ) -> None:
        payment = await ask()
        with house.calling(Caller(key=new())):
            for _ in range(3):
                with pytest.raises(CardDeclined):
                    await house.payments.submit_card(token_of(payment), BAD)
        assert await steps(house, payment) == ["requested", "declined"]
        assert (await house.payments.open_page(token_of(payment))).declines == 1

    @pytest.mark.parametrize("card", [GOOD, BAD])
    async def test_is_refused_once_the_time_has_run_out(
        self, house: Any, ask: Any, token_of: Any, card: str
    ) -> None:
        payment = await ask(minutes=15)
        await house.clock.advance(minutes=15)
        with pytest.raises(PaymentEnded):
            await house.payments.submit_card(token_of(payment), card)
        assert await steps(house, payment) == ["requested"]

    async def test_is_accepted_just_before(self, house: Any, ask: Any, token_of: Any) -> None:
        payment = await ask(minutes=15)
        await house.clock.advance(minutes=14)
        paid = await house.payments.submit_card(token_of(payment), GOOD)
        assert paid.status is PaymentStatus.AUTHORISED

    async def test_a_made_up_token_pays_nothing(self, house: Any, ask: Any) -> None:
        await ask()
        with pytest.raises(UnknownPayment):
            await house.payments.submit_card("x" * 43, GOOD)


class TestCapture:
    async def test_takes_the_whole_amount_once(
        self, house: Any, orders: Any, ask: Any, token_of: Any
    ) -> None:
        payment = await authorised(house, ask, token_of)
        taken = await asyncio.gather(*(orders.capture(payment.id) for _ in range(10)))
        assert {(p.status, p.captured) for p in taken} == {(PaymentStatus.CAPTURED, 100_00)}
        assert await steps(house, payment) == ["requested", "authorised", "captured"]
        assert await told(house) == {"payments.payment_captured.v1": 1}

    async def test_needs_an_authorisation(self, orders: Any, ask: Any) -> None:
        payment = await ask()
        with pytest.raises(NotAuthorised):
            await orders.capture(payment.id)

    async def test_is_refused_after_a_void(
        self, house: Any, orders: Any, ask: Any, token_of: Any
    ) -> None:
        payment = await authorised(house, ask, token_of)
        await orders.void(payment.id)
        with pytest.raises(NotAuthorised):
            await orders.capture(payment.id)

    async def test_works_for_nothing_at_all(
        self, house: Any, orders: Any, ask: Any, token_of: Any
    ) -> None:
        payment = await captured(house, orders, ask, token_of, 0)
        assert (payment.status, payment.captured) == (PaymentStatus.CAPTURED, 0)

    async def test_of_no_payment_is_refused(self, orders: Any) -> None:
        with pytest.raises(UnknownPayment):
            await orders.capture(new())


class TestVoid:
    async def test_closes_a_requested_payment(
        self, house: Any, orders: Any, ask: Any, token_of: Any
    ) -> None:
        payment = await ask()
        voided = await asyncio.gather(*(orders.void(payment.id) for _ in range(5)))
        assert {p.status for p in voided} == {PaymentStatus.VOIDED}
        assert await steps(house, payment) == ["requested", "voided"]
        with pytest.raises(PaymentEnded):
            await house.payments.submit_card(token_of(payment), GOOD)

    async def test_is_refused_after_a_capture(
        self, house: Any, orders: Any, ask: Any, token_of: Any
    ) -> None:
        payment = await captured(house, orders, ask, token_of, 100)
        with pytest.raises(Conflict):
            await orders.void(payment.id)

    async def test_races_a_submit_and_exactly_one_order_of_events_results(
        self, house: Any, orders: Any, ask: Any, token_of: Any
    ) -> None:
        for _ in range(20):
            payment = await ask()
            results = await asyncio.gather(
                house.payments.submit_card(token_of(payment), GOOD),
                orders.void(payment.id),
                return_exceptions=True,
            )
            happened = await steps(house, payment)
            if isinstance(results[0], PaymentEnded):
                assert happened == ["requested", "voided"]
            else:
                assert happened == ["requested", "authorised", "voided"]
            assert (await orders.payment(payment.id)).payment.status is PaymentStatus.VOIDED

    async def test_races_a_capture_and_one_of_them_wins(
        self, house: Any, orders: Any, ask: Any, token_of: Any
    ) -> None:
        for _ in range(20):
            payment = await authorised(house, ask, token_of)
            capture, void = await asyncio.gather(
                orders.capture(payment.id), orders.void(payment.id), return_exceptions=True
            )
            won = await steps(house, payment)
            if isinstance(capture, NotAuthorised):
                assert won[-1] == "voided"
            else:
                assert isinstance(void, Conflict)
                assert won[-1] == "captured"
            assert len(won) == 3


class TestRefund:
    async def test_gives_back_a_part_then_the_rest(
        self, house: Any, orders: Any, ask: Any, token_of: Any
    ) -> None:
        payment = await captured(house, orders, ask, token_of, 100)
        part = await orders.refund(payment.id, 60, new())
        assert (part.status, part.refunded) == (PaymentStatus.CAPTURED, 60)
        rest = await orders.refund(payment.id, 40, new())
        assert (rest.status, rest.refunded) == (PaymentStatus.REFUNDED, 100)
        assert await told(house) == {
            "payments.payment_captured.v1": 1,
            "payments.payment_refunded.v1": 2,
        }

    async def test_one_key_is_one_refund(
        self, house: Any, orders: Any, ask: Any, token_of: Any
    ) -> None:
        payment = await captured(house, orders, ask, token_of, 100)
        key = new()
        repeated = await asyncio.gather(*(orders.refund(payment.id, 60, key) for _ in range(20)))
        assert {p.refunded for p in repeated} == {60}
        assert (await steps(house, payment)).count("refunded") == 1

    async def test_one_key_for_two_amounts_is_refused(
        self, house: Any, orders: Any, ask: Any, token_of: Any
    ) -> None:
        payment = await captured(house, orders, ask, token_of, 100)
        key = new()
        await orders.refund(payment.id, 10, key)
        with pytest.raises(Conflict):
            await orders.refund(payment.id, 20, key)

    async def test_of_fifty_at_once_of_60_on_100_exactly_one_succeeds(
        self, house: Any, orders: Any, ask: Any, token_of: Any
    ) -> None:
        payment = await captured(house, orders, ask, token_of, 100)
        results = await asyncio.gather(
            *(orders.refund(payment.id, 60, new()) for _ in range(50)), return_exceptions=True
        )
        assert Counter(type(r).__name__ for r in results) == {"Payment": 1, "RefundTooLarge": 49}
        assert (await orders.payment(payment.id)).payment.refunded == 60
        assert await house.db("payments").fetchval("SELECT sum(amount) FROM refunds") == 60

    async def test_more_than_was_taken_is_refused(
        self, house: Any, orders: Any, ask: Any, token_of: Any
    ) -> None:
        payment = await captured(house, orders, ask, token_of, 100)
        with pytest.raises(RefundTooLarge):
            await orders.refund(payment.id, 101, new())

    async def test_of_what_was_never_taken_is_refused(
        self, house: Any, orders: Any, ask: Any, token_of: Any
    ) -> None:
        payment = await authorised(house, ask, token_of)
        with pytest.raises(RefundTooLarge):
            await orders.refund(payment.id, 1, new())

    async def test_of_a_refund_is_refused(
        self, house: Any, orders: Any, ask: Any, token_of: Any
    ) -> None:
        payment = await captured(house, orders, ask, token_of, 100)
        await orders.refund(payment.id, 100, new())
        with pytest.raises(RefundTooLarge):
            await orders.refund(payment.id, 1, new())

    @pytest.mark.parametrize("amount", [0, -1, 2**63, 1.0, "1", True])
    async def test_an_amount_that_is_none_is_refused_by_its_type(
        self, house: Any, orders: Any, ask: Any, token_of: Any, amount: Any
    ) -> None:
        payment = await captured(house, orders, ask, token_of, 100)
        with pytest.raises(InvalidFields):
            await orders.refund(payment.id, amount, new())


class TestWhoSees:
    @pytest.fixture
    async def payment(self, ask: Any) -> Payment:
        return await ask(payer=UUID(int=1))

    async def test_the_payer_sees_it_with_its_page(self, house: Any, payment: Payment) -> None:
        with house.calling(Caller(user_id=UUID(int=1))):
            seen: PaymentHistory = await house.payments.payment(payment.id)
        assert seen.payment == payment
        assert [step.what for step in seen.steps] == ["requested"]

    async def test_an_admin_sees_it_without_the_secret(self, house: Any, payment: Payment) -> None:
        with house.calling(Caller(user_id=new(), roles=(Role.ADMIN,))):
            assert (await house.payments.payment(payment.id)).payment.pay_path == ""
            page = await house.payments.payments(PaymentSearch(everybody=True))
        assert [(p.id, p.pay_path) for p in page.items] == [(payment.id, "")]

    @pytest.mark.parametrize("roles", [(), (Role.CUSTOMER,), (Role.SELLER,)])
    async def test_for_others_it_does_not_exist(
        self, house: Any, payment: Payment, roles: tuple[Role, ...]
    ) -> None:
        for service in ("", "web", "notifications"):
            with house.calling(Caller(user_id=new(), roles=roles)):
                stranger = house.proxy("payments", service)
                with pytest.raises(UnknownPayment):
                    await stranger.payment(payment.id)
                assert (await stranger.payments(PaymentSearch())).items == ()
                with pytest.raises(Forbidden):
                    await stranger.payments(PaymentSearch(everybody=True))

    async def test_strangers_have_no_list(self, house: Any) -> None:
        for everybody in (False, True):
            with pytest.raises(Unauthenticated):
                await house.payments.payments(PaymentSearch(everybody=everybody))

    async def test_a_list_is_read_page_by_page_newest_first(self, house: Any, ask: Any) -> None:
        made = [await ask(payer=UUID(int=7)) for _ in range(5)]
        seen: list[Payment] = []
        cursor = None
        with house.calling(Caller(user_id=UUID(int=7))):
            for _ in range(3):
                page = await house.payments.payments(PaymentSearch(cursor=cursor, limit=2))
                seen += page.items
                cursor = page.next_cursor
        assert cursor is None
        assert sorted(seen, key=lambda p: p.id, reverse=True) == seen
        assert {p.id for p in seen} == {p.id for p in made}

    async def test_a_made_up_cursor_is_refused(self, house: Any) -> None:
        with house.calling(Caller(user_id=new())), pytest.raises(InvalidFields):
            await house.payments.payments(PaymentSearch(cursor="' OR 1=1"))


class TestLastWalls:
    """What the database refuses whatever the program does."""

    @pytest.mark.parametrize(
        "change",
        [
            "refunded = captured + 1",
            "captured = amount + 1",
            "refunded = -1",
            "amount = amount + 1",
            "currency = 'USD'",
            "status = 'requested'",
            "status = 'voided', captured = 0",
            "card_ending = '4242424242424242'",
        ],
    )
    async def test_money_out_of_order(
        self, house: Any, orders: Any, ask: Any, token_of: Any, change: str
    ) -> None:
        payment = await captured(house, orders, ask, token_of, 100)
        with pytest.raises(Exception, match=r"violates|never changes|cannot go"):
            await house.db("payments").execute(
                f"UPDATE payments SET {change} WHERE id = $1", payment.id
            )

    @pytest.mark.parametrize(
        "sql",
        [
            "UPDATE payment_steps SET what = 'voided'",
            "DELETE FROM payment_steps",
            "TRUNCATE payment_steps",
            "DELETE FROM refunds",
        ],
    )
    async def test_history_rewritten(self, house: Any, ask: Any, sql: str) -> None:
        await ask()
        with pytest.raises(Exception, match="only ever added to"):
            await house.db("payments").execute(sql)

    async def test_two_payments_of_one_order(self, house: Any, ask: Any) -> None:
        payment = await ask()
        with pytest.raises(Exception, match="one_payment_an_order"):
            await house.db("payments").execute(
                """
                INSERT INTO payments (id, order_id, order_number, payer_id, amount, currency,
                                      pay_token, return_path, expires_at)
                SELECT gen_random_uuid(), order_id, order_number, payer_id, amount, currency,
                       'other', return_path, expires_at FROM payments WHERE id = $1
                """,
                payment.id,
            )
