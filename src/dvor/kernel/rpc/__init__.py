"""Calls of contracts, in one process or between processes, and the only door to gRPC.

`contract.py` reads a Protocol into methods · `direct.py` calls an implementation in this process ·
`server.py` and `client.py` do the same across processes · `schema.py` derives protobuf
descriptors, `codec.py` fills them, `protos.py` writes them down as `.proto` files ·
`signing.py` proves who calls · `statuses.py` carries refusals.
"""

from typing import TYPE_CHECKING, Any

from dvor.kernel.rpc.direct import local

if TYPE_CHECKING:
    from dvor.kernel.rpc.client import remote
    from dvor.kernel.rpc.server import Server

__all__ = ["Server", "local", "remote"]


def __getattr__(name: str) -> Any:
    """gRPC is loaded where something is remote: one process alone starts faster without."""
    if name == "remote":
        from dvor.kernel.rpc.client import remote

        return remote
    if name == "Server":
        from dvor.kernel.rpc.server import Server

        return Server
    raise AttributeError(name)
