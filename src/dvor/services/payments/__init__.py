"""Money asked for, taken and given back through a provider. What the service brings."""

from dvor.contracts.payments import Payments
from dvor.kernel.service import Service
from dvor.services.payments import tasks
from dvor.services.payments.api import page, router
from dvor.services.payments.service import PaymentsService

SERVICE = Service(
    name="payments",
    contract=Payments,
    implementation=PaymentsService,
    routers=(router, page),
    tasks=(
        tasks.deliver_webhook,
        tasks.send_bank_webhook,
        tasks.decide_late,
        tasks.open_dispute,
        tasks.decide_dispute,
        tasks.finish_refund,
    ),
    timers=(tasks.reconcile, tasks.look_after_deposits, tasks.pay_out_daily),
    patience_seconds=1,
)
