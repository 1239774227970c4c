"""Commands on the data of a Dvor: audit, imports, replays. What they do stands elsewhere."""

import asyncio
import secrets
from contextlib import nullcontext
from pathlib import Path

from pydantic import SecretStr
from rich.console import Console

from dvor import topology
from dvor.cli.house import at_hand
from dvor.cli.problems import Problem
from dvor.cli.progress import bar
from dvor.contracts.catalog import Catalog
from dvor.contracts.identity import Identity, Registration
from dvor.contracts.inventory import Inventory
from dvor.importing import retail
from dvor.kernel.caller import Caller, Role, asking
from dvor.kernel.config import Settings

_PROBLEMS_SHOWN = 20


def migrate(data: Path) -> None:
    """Bring the databases of a data folder up to date."""
    from dvor.cli import serving

    with at_hand(data) as settings:
        asyncio.run(serving.migrate(settings))
    print("The databases are up to date.")


def demo(data: Path) -> None:
    """Migrate, then make what is missing of the demo world."""
    from dvor.cli import serving

    with at_hand(data) as settings:
        asyncio.run(serving.migrate(settings))
        asyncio.run(serving.fill_demo_world(settings))
    print("The demo world is complete.")


def audit(data: Path, *, as_json: bool) -> int:
    """Check the promises on live data; 1 where one is broken."""
    from dvor.audit import showing

    with at_hand(data, existing=True) as settings:
        urls = {service.name: settings.database(service.name) for service in topology.SERVICES}
        return asyncio.run(showing.run(urls, as_json=as_json))


def import_retail(data: Path, file: Path, seller: str, *, dry_run: bool) -> int:
    """Bring the products of a retail file into a seller's shop; 1 where products were refused."""
    try:
        parsed = retail.parse(file)
    except retail.WrongFile as wrong:
        raise Problem(wrong.message) from wrong
    with at_hand(data) as settings:
        report = asyncio.run(_import(settings, parsed, seller, dry_run=dry_run))
    console = Console(highlight=False, soft_wrap=True)
    for problem in (*parsed.problems, *report.problems)[:_PROBLEMS_SHOWN]:
        console.print(f"line {problem.line}: {problem.what}", markup=False)
    hidden = len(parsed.problems) + len(report.problems) - _PROBLEMS_SHOWN
    if hidden > 0:
        console.print(f"… and {hidden} more")
    console.print(
        f"{parsed.rows_total} rows: {parsed.rows_sold} sold, {parsed.rows_returned} returned,"
        f" {parsed.rows_services} no goods, {len(parsed.problems)} left out"
    )
    console.print(
        f"{len(parsed.products)} products: {report.created} created, {report.changed} changed,"
        f" {report.unchanged} unchanged, {report.refused} refused"
        + (" (dry run: nothing was written)" if dry_run else "")
    )
    return 1 if report.refused else 0


async def _import(
    settings: Settings, parsed: retail.Parsed, seller: str, *, dry_run: bool
) -> retail.Report:
    await topology.migrate(settings)
    async with topology.running(settings) as process:
        identity = process.proxy(Identity, "setup")
        registration = Registration(
            email=seller or "retail@dvor.example",
            password=SecretStr(secrets.token_urlsafe(24)),
            name="Online Retail",
            seller=True,
        )
        user = await identity.ensure_user(registration, (Role.CUSTOMER, Role.SELLER))
        if Role.SELLER not in user.roles:
            raise Problem(f"{user.email} is no seller: choose another --seller")
        caller = Caller(user_id=user.id, roles=tuple(user.roles))
        with asking(caller), bar("Importing products") as report:
            return await retail.apply(
                parsed,
                process.proxy(Catalog, ""),
                process.proxy(Inventory, ""),
                dry_run,
                report,
            )


def replay_hotel(file: Path | None, data: Path | None) -> int:
    """Replay a hotel's bookings on databases of their own; 1 where a row or a promise is lost."""
    from dvor.replay import hotel

    try:
        recording = hotel.read(file) if file else hotel.sample()
        place = at_hand(data) if data else nullcontext()
        with place as settings, bar("Replaying bookings") as report:
            outcome = hotel.replay(recording, report, settings)
    except (hotel.WrongFile, hotel.NotEmpty) as refusal:
        raise Problem(refusal.message) from refusal
    Console().print(outcome.as_table())
    return 0 if outcome.clean else 1
