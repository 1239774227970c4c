"""Money asked for, taken and given back, and the simulated bank. What the service brings."""

from dvor.contracts.payments import Payments
from dvor.kernel.service import Service
from dvor.services.payments.api import page, router
from dvor.services.payments.service import PaymentsService
from dvor.services.payments.tasks import deliver_webhook

SERVICE = Service(
    name="payments",
    contract=Payments,
    implementation=PaymentsService,
    routers=(router, page),
    tasks=(deliver_webhook,),
)
