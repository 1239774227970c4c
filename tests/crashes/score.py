"""What was killed where, and what must be true after it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dvor.audit import audit
from dvor.kernel.config import Settings
from dvor.kernel.db import raw_connection


@dataclass
class Score:
    """What became of all kills."""

    hits: Counter[str] = field(default_factory=Counter)
    heal_seconds: list[float] = field(default_factory=list)
    """At each look, until everything was decided."""
    problems: list[str] = field(default_factory=list)

    def left(self, points: Iterable[str]) -> list[str]:
        """Points at which nobody has died."""
        return [point for point in points if point not in self.hits]

    def looked(self, seconds: float, problems: Sequence[str]) -> None:
        """After a look."""
        self.heal_seconds.append(seconds)
        number = len(self.heal_seconds)
        self.problems += [f"look {number}: {problem}" for problem in problems]

    def table(self) -> str:
        """A line a point."""
        lines = [f"{self.hits[point]:5} {point}" for point in sorted(self.hits)]
        healed = ", ".join(f"{seconds:.1f}" for seconds in self.heal_seconds)
        lines.append(
            f"{sum(self.hits.values())} kills at {len(self.hits)} points,"
            f" {len(self.problems)} violations, healed in {healed} s"
        )
        return "\n".join(lines)


WAITING = {
    "orders": "SELECT 'order ' || number || ' ' || status || ' ' || coalesce(pending_action, '')"
    " FROM orders WHERE pending_action IS NOT NULL"
    " OR (status IN ('created', 'processing') AND held_until <= dvor_now())",
    "payments": "SELECT 'webhook ' || id FROM webhook_deliveries WHERE delivered_at IS NULL"
    " UNION ALL SELECT 'refund ' || key FROM refunds WHERE state NOT IN ('done', 'failed')",
    "notifications": "SELECT 'notification ' || id FROM notifications WHERE mailed_at IS NULL",
}
TASKS = (
    "SELECT 'task ' || name || ' ' || state || ' ' || coalesce(error, '') FROM tasks"
    " WHERE state = 'failed' OR (state = 'due' AND run_at <= dvor_now())"
)
EVENTS = "SELECT 'event ' || type FROM outbox WHERE sent_at IS NULL"


async def undecided(settings: Settings, services: Iterable[str]) -> list[str]:
    """What the house still has to do by itself when the time to pay is over for everybody."""
    found = list[str]()
    for service in services:
        async with raw_connection(settings.database(service)) as connection:
            for sql in (WAITING.get(service), TASKS, EVENTS):
                if sql:
                    rows = await connection.fetch(sql)
                    found += [f"{service}: {row[0]}" for row in rows]
    return found


LATER = {
    "created": {"created", "processing", "paid", "delivered", "cancelled"},
    "processing": {"processing", "paid", "delivered", "cancelled"},
    "paid": {"paid", "delivered", "cancelled"},
    "delivered": {"delivered"},
    "cancelled": {"cancelled"},
}
"""What an order may be once somebody was told that it is something."""


async def wrong(settings: Settings, services: Iterable[str], told: Mapping[str, str]) -> list[str]:
    """What the audit finds, and orders that are not what somebody was told."""
    report = await audit({name: settings.database(name) for name in services})
    problems = [f"{found.id}: {one}" for found in report.findings for one in found.examples]
    async with raw_connection(settings.database("orders")) as connection:
        rows = await connection.fetch("SELECT id::text, status FROM orders")
    now = {row["id"]: row["status"] for row in rows}
    return problems + [
        f"order {order} was {status} to its customer and is {now.get(order)}"
        for order, status in told.items()
        if now.get(order) not in LATER[status]
    ]
