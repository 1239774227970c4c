"""What is on offer and what it costs."""

from dvor.contracts.catalog import Catalog
from dvor.kernel.service import Service
from dvor.services.catalog.api import router
from dvor.services.catalog.service import CatalogService

SERVICE = Service(
    name="catalog",
    contract=Catalog,
    implementation=CatalogService,
    routers=(router,),
    shares_memory=True,
)
