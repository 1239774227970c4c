"""One page that tells how everything of `up --distributed` is, for people and as JSON."""

import html
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_HEAD = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="5"><title>Dvor: health</title><style>
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; } caption { text-align: start; padding: .5rem 0; }
th, td { text-align: start; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid #8884; }
td:nth-child(2) { font-weight: 600; } .bad { color: #c62828; }
@media (prefers-color-scheme: dark) { .bad { color: #ff8a80; } }
</style></head><body><h1>Health</h1>"""


@dataclass(frozen=True)
class Row:
    """A process or a server."""

    name: str
    address: str
    ready: bool
    more: str


class HealthPage:
    """Served on a free port of this machine until closed."""

    def __init__(self, rows: Callable[[], Sequence[Row]]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = rows()
                as_json = self.path.startswith("/json")
                body = _json(found) if as_json else _page(found)
                self.send_response(200 if all(row.ready for row in found) else 503)
                kind = "application/json" if as_json else "text/html; charset=utf-8"
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Nobody needs to know who looked."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://localhost:{self._server.server_address[1]}/"
        threading.Thread(target=self._server.serve_forever, name="health", daemon=True).start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


def _json(rows: Sequence[Row]) -> bytes:
    return json.dumps([asdict(row) for row in rows]).encode()


def _page(rows: Sequence[Row]) -> bytes:
    bad = sum(not row.ready for row in rows)
    told = f"{bad} of {len(rows)} do not answer" if bad else f"All {len(rows)} answer"
    cells = "".join(
        f"<tr><td>{html.escape(row.name)}</td>"
        f"<td{'' if row.ready else ' class=bad'}>{'ready' if row.ready else 'not ready'}</td>"
        f"<td>{html.escape(row.address)}</td><td>{html.escape(row.more)}</td></tr>"
        for row in rows
    )
    head = "<tr><th>part</th><th>state</th><th>address</th><th>process</th></tr>"
    return f"{_HEAD}<table><caption>{told}</caption>{head}{cells}</table></body></html>".encode()
