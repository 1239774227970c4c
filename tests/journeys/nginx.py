"""Debian's nginx before a running Dvor, as a proxy and nothing more."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

CONNECTIONS = 2000
START_SECONDS = 20

_CONFIGURATION = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    upstream dvor {{ server 127.0.0.1:{behind}; keepalive 512; }}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location / {{
            proxy_pass http://dvor; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_set_header Host $http_host; proxy_buffering off; proxy_read_timeout 60s;
        }}
    }}
}}
"""


def program() -> str | None:
    """Where nginx is; None when there is none."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


@asynccontextmanager
async def proxy(behind: int, port: int, folder: Path) -> AsyncIterator[str]:
    """An nginx on `port` for the Dvor on port `behind`; answers its address."""
    configuration = folder / "nginx.conf"
    configuration.write_text(
        _CONFIGURATION.format(folder=folder, behind=behind, port=port, connections=CONNECTIONS)
    )
    nginx = program()
    assert nginx is not None
    # Debian's nginx looks into /var/log before it has read where its log is.
    words = [nginx, "-c", str(configuration), "-p", str(folder), "-e", str(folder / "error.log")]
    process = subprocess.Popen(words)
    url = f"http://127.0.0.1:{port}"
    try:
        async with httpx2.AsyncClient(base_url=url) as client:
            for _ in range(START_SECONDS * 10):
                assert process.poll() is None, (folder / "error.log").read_text()
                try:
                    await client.get("/healthz")
                    break
                except httpx2.HTTPError:
                    await asyncio.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(10)
