"""What an order costs among many: the databases get ten thousand orders, then a million."""

from typing import TYPE_CHECKING, Any

import asyncpg

if TYPE_CHECKING:
    from checkout import Shop

SIZES = (10_000, 1_000_000)
KEYS = ("order_id", "payment_id", "transaction_id", "reference", "id")
"""By the first of these that a table has, its rows belong together."""

# What differs from one order to the next, as SQL of its number n; the rest is like one that was
# bought here before.
TABLES: dict[str, dict[str, dict[str, str]]] = {
    "orders": {
        "orders": {
            "id": "{1}",
            "hold_id": "{2}",
            "payment_id": "{3}",
            "number": "'G' || n",
            "created_at": "created_at - n * interval '10 seconds'",
        },
        "order_lines": {"id": "{4}", "order_id": "{1}"},
        "order_history": {"order_id": "{1}", "at": "at - n * interval '10 seconds'"},
    },
    "payments": {
        "payments": {
            "id": "{3}",
            "order_id": "{1}",
            "pay_token": "'grown' || n",
            "reference": "'grown' || n",
            "created_at": "created_at - n * interval '10 seconds'",
        },
        "payment_steps": {"payment_id": "{3}"},
        "webhook_deliveries": {"id": "{5}", "payment_id": "{3}"},
        "payment_shares": {"payment_id": "{3}"},
        "ledger_transactions": {"id": "{6}", "payment_id": "{3}"},
        "postings": {"transaction_id": "{6}"},
        "bank_payments": {"reference": "'grown' || n"},
    },
    "inventory": {"holds": {"id": "{2}"}},
}


async def grown(shop: "Shop", seconds: float) -> dict[str, Any]:
    """`cost_growth`: CPU of an order among a million, by that among ten thousand."""
    costs, there = [], 0
    for size in SIZES:
        for database, tables in TABLES.items():
            await _fill(shop.settings.database(database), tables, there, size)
        there = size
        await shop.rush(seconds / 2)
        _, cost = await shop.rush(seconds)
        used = cost["cpu_ms_per_order"]
        costs.append(used["dvor"] + used["postgres"])
    return {
        "cost_growth": round(costs[1] / costs[0], 2),
        "cpu_ms_at_ten_thousand": round(costs[0], 2),
        "cpu_ms_at_a_million": round(costs[1], 2),
    }


async def _fill(url: str, tables: dict[str, dict[str, str]], start: int, end: int) -> None:
    connection = await asyncpg.connect(url)
    try:
        # Neither triggers nor foreign keys: the rows are copies of sound ones.
        await connection.execute("SET session_replication_role = replica")
        for table, changed in tables.items():
            columns = [
                row[0]
                for row in await connection.fetch(
                    "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass"
                    " AND attnum > 0 AND NOT attisdropped AND attidentity = ''"
                    " AND attgenerated = ''",
                    table,
                )
            ]
            of = next(name for name in KEYS if name in columns)
            values = ", ".join(_numbered(changed.get(name, name)) for name in columns)
            await connection.execute(
                f"WITH one AS MATERIALIZED (SELECT * FROM {table} WHERE {of} ="
                f" (SELECT {of} FROM {table} LIMIT 1))"
                f" INSERT INTO {table} ({', '.join(columns)})"
                f" SELECT {values} FROM one, generate_series({start + 1}, {end}) AS n",
            )
            await connection.execute(f"VACUUM ANALYZE {table}")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


def _numbered(expression: str) -> str:
    """With `{kind}` replaced by an identifier of that kind and n."""
    for kind in range(1, 7):
        made = f"('f00d000{kind}-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid"
        expression = expression.replace(f"{{{kind}}}", made)
    return expression
