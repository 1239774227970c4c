"""Everything that can be configured: one variable each, with its unit and its default."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any


class BadConfiguration(ValueError):
    """A variable has a value that cannot be used. The message says which and why."""


def _variable(name: str, default: Any, meaning: str, *, secret: bool = False) -> Any:
    """`secret`: never shown where the settings are printed."""
    metadata = {"variable": name, "meaning": meaning, "default": default}
    if isinstance(default, dict):
        return field(default_factory=dict, metadata=metadata)
    return field(default=default, metadata=metadata, repr=not secret)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The configuration of one process. `from_environment` reads the variables named below."""

    run: frozenset[str] = _variable(
        "DVOR_RUN", frozenset({"all"}), "which parts run in this process: all, or names by comma"
    )
    edge: bool = _variable(
        "DVOR_EDGE",
        False,
        "serve the REST routes of all services, also of those that run elsewhere",
    )
    addresses: Mapping[str, str] = _variable(
        "DVOR_ADDRESS_*", {}, "host:port of the gRPC server of a part that runs elsewhere"
    )
    database_url: str = _variable(
        "DVOR_DATABASE_URL", "", "a PostgreSQL server; empty: the embedded one"
    )
    database_urls: Mapping[str, str] = _variable(
        "DVOR_DATABASE_URL_*", {}, "the whole URL of one service's database"
    )
    database_prefix: str = _variable(
        "DVOR_DATABASE_PREFIX", "dvor_", "what the names of databases begin with"
    )
    database_pool: int = _variable(
        "DVOR_DATABASE_POOL", 8, "connections of one service in one process"
    )
    database_wait_seconds: float = _variable(
        "DVOR_DATABASE_WAIT_SECONDS", 5.0, "how long to wait for a free connection"
    )
    lock_timeout_ms: int = _variable("DVOR_LOCK_TIMEOUT_MS", 2000, "wait for a row lock")
    statement_timeout_ms: int = _variable("DVOR_STATEMENT_TIMEOUT_MS", 5000, "one SQL statement")
    idle_transaction_timeout_ms: int = _variable(
        "DVOR_IDLE_TRANSACTION_TIMEOUT_MS", 15000, "an idle open transaction"
    )
    broker: str = _variable("DVOR_BROKER", "local", "how events travel: local, rabbitmq or kafka")
    broker_url: str = _variable(
        "DVOR_BROKER_URL",
        "",
        "amqp://user:password@host:port/vhost, several by comma, or kafka://host:port,host:port"
        " (amqps://, kafkas:// by TLS)",
        secret=True,
    )
    broker_prefix: str = _variable(
        "DVOR_BROKER_PREFIX",
        "dvor",
        "what names of exchanges, queues, topics and groups begin with",
    )
    broker_timeout_seconds: float = _variable(
        "DVOR_BROKER_TIMEOUT_SECONDS",
        10.0,
        "one connection to RabbitMQ or Kafka, or one publication of a batch",
    )
    broker_retry_seconds: float = _variable(
        "DVOR_BROKER_RETRY_SECONDS", 5.0, "longest pause between attempts to reach the broker"
    )
    broker_silence_seconds: int = _variable(
        "DVOR_BROKER_SILENCE_SECONDS",
        10,
        "who was silent so long counts as gone: its events are given to others",
    )
    broker_partitions: int = _variable(
        "DVOR_BROKER_PARTITIONS",
        8,
        "Kafka: partitions of a new topic; so many processes of a service can share its events",
    )
    broker_copies: int = _variable(
        "DVOR_BROKER_COPIES",
        1,
        "Kafka: replicas of a new topic, all but one of which must have an event; a cluster: 3",
    )
    broker_kept_days: int = _variable(
        "DVOR_BROKER_KEPT_DAYS", 14, "Kafka: events of a new topic are kept this long"
    )
    rabbitmq_url: str = _variable(
        "DVOR_RABBITMQ_URL",
        "",
        "a RabbitMQ for `dvor servers`, `up --distributed` and tests: amqp://…; empty: one of ours",
    )
    kafka_url: str = _variable(
        "DVOR_KAFKA_URL", "", "the same of Kafka: kafka://host:port,…; empty: one of ours"
    )
    prometheus_url: str = _variable("DVOR_PROMETHEUS_URL", "", "the same of Prometheus: http://…")
    redis_url: str = _variable(
        "DVOR_REDIS_URL",
        "",
        "what processes remember together: redis://… or rediss://…; empty: each by itself",
        secret=True,
    )
    redis_prefix: str = _variable(
        "DVOR_REDIS_PREFIX", "dvor:", "what keys begin with: another for each Dvor of one server"
    )
    redis_timeout_ms: int = _variable(
        "DVOR_REDIS_TIMEOUT_MS", 200, "who waits longer for Redis goes on without it"
    )
    tasks: str = _variable("DVOR_TASKS", "inline", "who runs tasks: inline")
    poll_seconds: float = _variable(
        "DVOR_POLL_SECONDS", 0.5, "how often relays look when nobody notified them"
    )
    host: str = _variable("DVOR_HOST", "127.0.0.1", "address to listen on")
    port: int = _variable("DVOR_PORT", 8000, "HTTP port")
    grpc_port: int = _variable("DVOR_GRPC_PORT", 0, "gRPC port; 0: no gRPC server")
    public_url: str = _variable(
        "DVOR_PUBLIC_URL", "", "address people see; empty: http://localhost:<port>"
    )
    payments_webhook_url: str = _variable(
        "DVOR_PAYMENTS_WEBHOOK_URL", "", "where payments reports to orders; empty: this process"
    )
    provider_webhook_url: str = _variable(
        "DVOR_PROVIDER_WEBHOOK_URL",
        "",
        "where the simulated bank reports; empty: this process",
    )
    payment_provider: str = _variable(
        "DVOR_PAYMENT_PROVIDER",
        "simulator",
        "who moves the money of new payments: simulator or stripe",
    )
    stripe_secret_key: str = _variable(
        "DVOR_STRIPE_SECRET_KEY", "", "secret or restricted API key: sk_… or rk_…", secret=True
    )
    stripe_webhook_secrets: str = _variable(
        "DVOR_STRIPE_WEBHOOK_SECRETS",
        "",
        "signing secrets of the webhook endpoint (whsec_…), by comma: two during a change",
        secret=True,
    )
    stripe_url: str = _variable(
        "DVOR_STRIPE_URL",
        "https://api.stripe.com",
        "where Stripe's API is; http:// only on this machine",
    )
    provider_timeout_seconds: float = _variable(
        "DVOR_PROVIDER_TIMEOUT_SECONDS", 4.0, "one call to the payment provider"
    )
    provider_silence_seconds: int = _variable(
        "DVOR_PROVIDER_SILENCE_SECONDS",
        120,
        "a payment of which nothing was heard is asked about after this",
    )
    commission_basis_points: int = _variable(
        "DVOR_COMMISSION_BASIS_POINTS", 1000, "what the platform keeps of a sale; 1000: 10 %"
    )
    payout_hour: int = _variable(
        "DVOR_PAYOUT_HOUR", 4, "sellers are paid out each day after this hour (UTC); -1: never"
    )
    secret: bytes = _variable(
        "DVOR_SECRET",
        b"",
        "hex of 32 random bytes that all processes share; keys derive from it",
        secret=True,
    )
    secret_before: bytes = _variable(
        "DVOR_SECRET_BEFORE",
        b"",
        "the secret before a change: webhooks signed with it are still accepted",
        secret=True,
    )
    smtp_url: str | None = _variable(
        "DVOR_SMTP_URL", None, "smtp://user:password@host:port; unset: mails go to /mailbox"
    )
    mail_sender: str = _variable("DVOR_MAIL_SENDER", "Dvor <hello@dvor.example>", "From of mails")
    demo: bool = _variable("DVOR_DEMO", False, "the demo world is on: its accounts are shown")
    hold_ttl_seconds: int = _variable("DVOR_HOLD_TTL_SECONDS", 900, "how long a hold lasts")
    hold_lifetime_seconds: int = _variable(
        "DVOR_HOLD_LIFETIME_SECONDS", 3600, "how long a hold can be prolonged in all"
    )
    sold_out_cache_ms: int = _variable(
        "DVOR_SOLD_OUT_CACHE_MS",
        500,
        "how long a process believes that a unit is sold out; 0: never",
    )
    waiting_offer_seconds: int = _variable(
        "DVOR_WAITING_OFFER_SECONDS", 43_200, "how long what somebody waited for is held for them"
    )
    approval_seconds: int = _variable(
        "DVOR_APPROVAL_SECONDS",
        86_400,
        "how long a seller may take to answer a request; a bank must keep money aside so long",
    )
    deposit_claim_seconds: int = _variable(
        "DVOR_DEPOSIT_CLAIM_SECONDS",
        259_200,
        "so long after the end a seller may keep some of a deposit; then it is let go by itself",
    )
    deposit_renew_seconds: int = _variable(
        "DVOR_DEPOSIT_RENEW_SECONDS",
        345_600,
        "a bank is asked for a deposit anew after this: less than it keeps money aside by itself",
    )
    deposit_lead_seconds: int = _variable(
        "DVOR_DEPOSIT_LEAD_SECONDS",
        86_400,
        "so long before it begins a deposit that rested meanwhile is set aside again",
    )
    payment_margin_seconds: int = _variable(
        "DVOR_PAYMENT_MARGIN_SECONDS", 60, "how long before its hold a payment closes"
    )
    horizon_days: int = _variable("DVOR_HORIZON_DAYS", 730, "how far ahead dates can be booked")
    session_idle_seconds: int = _variable(
        "DVOR_SESSION_IDLE_SECONDS", 43_200, "a browser session ends after this without use"
    )
    session_lifetime_seconds: int = _variable(
        "DVOR_SESSION_LIFETIME_SECONDS", 2_592_000, "a browser session ends after this anyway"
    )
    access_token_seconds: int = _variable("DVOR_ACCESS_TOKEN_SECONDS", 300, "life of a JWT")
    refresh_token_seconds: int = _variable(
        "DVOR_REFRESH_TOKEN_SECONDS", 2_592_000, "life of a refresh token"
    )
    caller_cache_seconds: float = _variable(
        "DVOR_CALLER_CACHE_SECONDS", 2.0, "a token or session is asked about again after this"
    )
    caller_cache_told_seconds: float = _variable(
        "DVOR_CALLER_CACHE_TOLD_SECONDS",
        5.0,
        "the same while Redis tells of each that ends: then it ends at once",
    )
    changes_at_once: int = _variable(
        "DVOR_CHANGES_AT_ONCE",
        32,
        "requests that change something, worked on at a time by one process; others wait",
    )
    changes_waiting: int = _variable(
        "DVOR_CHANGES_WAITING", 2000, "so many may wait; more are told to come again"
    )
    idempotency_lease_seconds: int = _variable(
        "DVOR_IDEMPOTENCY_LEASE_SECONDS", 30, "a request under way blocks its twins this long"
    )
    idempotency_kept_days: int = _variable(
        "DVOR_IDEMPOTENCY_KEPT_DAYS", 7, "answers are remembered this long"
    )
    call_timeout_seconds: float = _variable(
        "DVOR_CALL_TIMEOUT_SECONDS", 5.0, "one call from service to service"
    )
    wait_seconds: float = _variable(
        "DVOR_WAIT_SECONDS", 20.0, "how long `wait` waits for news of an order"
    )
    body_max_bytes: int = _variable("DVOR_BODY_MAX_BYTES", 6_000_000, "largest request body")
    edge_requests_per_second: int = _variable(
        "DVOR_EDGE_REQUESTS_PER_SECOND",
        100,
        "of one address, at the nginx of `up --distributed`; four times as many may come at once",
    )
    drain_seconds: float = _variable(
        "DVOR_DRAIN_SECONDS",
        0.0,
        "behind a proxy or a balancer: before it ends a process takes no new connections and answers"
        " on those it has for so long, longer than the other side keeps an idle one; 0: ends at once",
    )
    shutdown_seconds: int = _variable(
        "DVOR_SHUTDOWN_SECONDS", 10, "requests under way may take this long to finish"
    )
    kill_at: str = _variable(
        "DVOR_KILL_AT", "", "for tests: die at this named point (kernel/points.py); empty: never"
    )
    audit_seconds: int = _variable(
        "DVOR_AUDIT_SECONDS", 60, "how often the promises are audited; 0: only when an admin asks"
    )
    metrics_folder: str = _variable(
        "DVOR_METRICS_FOLDER",
        "",
        "folder where processes that share one port tell each other what they measured;"
        " `up --workers` sets it; empty: there is one",
    )
    worker: str = _variable(
        "DVOR_WORKER", "", "which of the processes that share one port this is: 1, 2 …"
    )
    log_format: str = _variable("DVOR_LOG_FORMAT", "console", "console or json")
    log_level: str = _variable("DVOR_LOG_LEVEL", "info", "debug, info, warning or error")
    otlp_url: str = _variable("DVOR_OTLP_URL", "", "OpenTelemetry collector (HTTP); empty: off")
    time_zone: str = _variable("DVOR_TIME_ZONE", "Europe/Moscow", "zone of times on pages")

    @property
    def site(self) -> str:
        """The address people see, without a slash at the end."""
        return (self.public_url or f"http://localhost:{self.port}").rstrip("/")

    @property
    def secure(self) -> bool:
        """Whether people reach us by https."""
        return self.site.startswith("https://")

    @property
    def session_cookie(self) -> str:
        """Name of the session cookie: `__Host-` needs https."""
        return "__Host-dvor" if self.secure else "dvor"

    @property
    def webhook_url(self) -> str:
        """Where the payment provider reports to."""
        local = f"http://127.0.0.1:{self.port}/api/v1/orders/payment-webhooks"
        return self.payments_webhook_url or local

    @property
    def bank_webhook_url(self) -> str:
        """Where the simulated bank reports to."""
        local = f"http://127.0.0.1:{self.port}/api/v1/payments/provider-webhooks"
        return self.provider_webhook_url or local

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """What signatures may be made with, newest first."""
        return (self.secret, self.secret_before) if self.secret_before else (self.secret,)

    def runs(self, part: str) -> bool:
        """Whether this part (a service's name, or `web`) runs in this process."""
        return "all" in self.run or part in self.run

    def database(self, service: str) -> str:
        """The URL of a service's database."""
        if service in self.database_urls:
            return self.database_urls[service]
        base, _, query = self.database_url.partition("?")
        name = f"{self.database_prefix}{service}"
        scheme, _, rest = base.partition("://")
        server = rest.partition("/")[0]
        return f"{scheme}://{server}/{name}" + (f"?{query}" if query else "")

    @staticmethod
    def from_environment(environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read the variables. Raises BadConfiguration, which names the one that is wrong."""
        values: dict[str, Any] = {}
        for entry in fields(Settings):
            variable = entry.metadata["variable"]
            if variable.endswith("_*"):
                stem = variable[:-1]
                values[entry.name] = {
                    name.removeprefix(stem).lower(): value
                    for name, value in environment.items()
                    if name.startswith(stem)
                }
            elif variable in environment:
                values[entry.name] = _parsed(
                    variable, environment[variable], entry.metadata["default"]
                )
        return Settings(**values)


def _parsed(variable: str, text: str, default: Any) -> Any:
    try:
        if isinstance(default, bool):
            return {"1": True, "true": True, "0": False, "false": False, "": False}[text.lower()]
        if isinstance(default, bytes):
            return bytes.fromhex(text)
        if isinstance(default, frozenset):
            return frozenset(part.strip() for part in text.split(",") if part.strip())
        if isinstance(default, int | float):
            return type(default)(text)
    except (ValueError, KeyError) as problem:
        raise BadConfiguration(f"{variable}={text!r} cannot be used") from problem
    return text


def reference() -> str:
    """Every variable with its default and meaning, as the Markdown page of the docs."""
    rows = [
        f"| `{f.metadata['variable']}` | {_written(f.metadata['default'])} | {f.metadata['meaning']} |"
        for f in fields(Settings)
    ]
    head = "# Configuration\n\nMade from `src/dvor/kernel/config.py`; a test compares.\n"
    return "\n".join([head, "| variable | default | meaning |", "|---|---|---|", *rows, ""])


def _written(default: Any) -> str:
    if isinstance(default, frozenset):
        return f"`{','.join(default)}`"
    if isinstance(default, bool):
        return f"`{int(default)}`"
    return f"`{default}`" if default not in ("", b"", None, {}) else ""
