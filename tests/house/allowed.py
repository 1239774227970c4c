"""What the house allows by name: nouns of services, and files that are longer than others."""

NOUNS = {
    "catalog": {
        "charges.py", "cursors.py", "lists.py", "pricing.py", "promos.py", "searches.py",
    },
    "identity": {"keyring.py", "password_strength.py", "passwords.py", "proofs.py", "threads.py",
        "views.py"},
    "inventory": {"allocation.py", "alternatives.py", "availability.py", "calendars.py",
        "changing.py", "closure_rules.py", "closures.py", "engine.py", "explaining.py",
        "hold_rows.py", "hours.py", "ical.py", "memory.py", "parties.py", "recurrences.py",
        "seating.py", "seats.py", "serving.py", "slots.py", "waiting_list.py"},
    "notifications": {"letters.py", "lines.py", "wording.py"},
    "orders": {"carts.py", "changes.py", "refunds.py", "saga.py", "steps.py", "views.py"},
    "payments": {"deliveries.py", "deposits.py", "earnings.py", "ledger.py", "settlement.py",
        "views.py"},
}  # fmt: skip
"""What a service has besides: nouns that service.py had grown too small for."""

LONG = {
    "src/dvor/contracts/catalog.py": "one contract is one file",
    "src/dvor/contracts/inventory.py": "a refusal for each reason, and one contract is one file",
    "src/dvor/contracts/orders.py": "one contract is one file",
    "tests/web/fakes.py": "every contract, faked once",
    "tests/services/payments/test_payments.py": "one class per operation of a contract",
    "tests/sabotage.py": "a list of planted bugs",
    "tests/simulation/stage.py": "the whole stage: real services, one of which acts at a time",
    "tests/services/orders/test_orders.py": "one class per operation of a contract",
}
"""Longer files, and why."""
