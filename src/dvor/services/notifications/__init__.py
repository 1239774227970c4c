"""What people are told, in the interface and by mail. What the service brings."""

from dvor.contracts.notifications import Notifications
from dvor.kernel.service import Service
from dvor.services.notifications.api import router
from dvor.services.notifications.handlers import HANDLERS
from dvor.services.notifications.service import NotificationsService
from dvor.services.notifications.tasks import send_mail

SERVICE = Service(
    name="notifications",
    contract=Notifications,
    implementation=NotificationsService,
    calls=("catalog", "identity"),
    routers=(router,),
    handlers=HANDLERS,
    tasks=(send_mail,),
    patience_seconds=5,
)
