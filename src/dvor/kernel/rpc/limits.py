"""Limits of the wire, alike on both ends."""

import json

MESSAGE_BYTES_MAX = 16 * 1024 * 1024
"""Largest request and answer; an avatar of 5 MB is the largest thing that travels."""
HEADERS_BYTES_MAX = 32 * 1024
CONCURRENT_CALLS_MAX = 2000
"""Calls of one server beyond this are refused at once as Unavailable."""
KEEPALIVE_MS = 30_000
KEEPALIVE_TIMEOUT_MS = 10_000
RECONNECT_MS_MIN, RECONNECT_MS_MAX = 100, 2000
"""How long to wait before trying again to reach a server that was down."""

_BOTH = [
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_metadata_size", HEADERS_BYTES_MAX),
    ("grpc.absolute_max_metadata_size", HEADERS_BYTES_MAX),
    ("grpc.keepalive_time_ms", KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
]

SERVER_OPTIONS = [
    *_BOTH,
    ("grpc.so_reuseport", 0),  # a busy port is an error, not a second listener
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", KEEPALIVE_TIMEOUT_MS),
]

CLIENT_OPTIONS = [
    *_BOTH,
    ("grpc.initial_reconnect_backoff_ms", RECONNECT_MS_MIN),
    ("grpc.min_reconnect_backoff_ms", RECONNECT_MS_MAX),
    ("grpc.max_reconnect_backoff_ms", RECONNECT_MS_MAX),
    # In turn, and to none that says in health that it is about to end.
    (
        "grpc.service_config",
        json.dumps(
            {
                "loadBalancingConfig": [{"round_robin": {}}],
                "healthCheckConfig": {"serviceName": ""},
            }
        ),
    ),
]
