"""HTTP: the application, its front, its routers. The door to FastAPI for everybody else."""

from dvor.kernel.http.app import build_app
from dvor.kernel.http.front import clear_session, set_session
from dvor.kernel.http.problems import error_pages
from dvor.kernel.http.routing import SwiftRoute, api_router, contract, page_router

__all__ = [
    "SwiftRoute",
    "api_router",
    "build_app",
    "clear_session",
    "contract",
    "error_pages",
    "page_router",
    "set_session",
]
