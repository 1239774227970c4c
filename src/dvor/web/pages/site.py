"""Pages of the site itself: pictures, language and colours, what Dvor is, what to see offline."""

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from dvor.contracts.catalog import Kind
from dvor.kernel.errors import NotFound
from dvor.kernel.http import page_router
from dvor.web import pictures
from dvor.web.context import Visiting, settings_of, templates
from dvor.web.errors import bare
from dvor.web.forms import local_path, typed

PREFERENCE_SECONDS = 365 * 86_400
SVG = "image/svg+xml"
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><style>path{fill:#4f2d8f}'
    "@media(prefers-color-scheme:dark){path{fill:#c3a6ff}}</style>"
    '<path d="M3 30V15a13 13 0 0 1 26 0v15h-8V16a5 5 0 0 0-10 0v14z"/></svg>'
)

router = page_router()


@router.get("/pictures/{kind}/{category}/{seed}.svg")
async def show_picture(kind: str, category: str, seed: str) -> Response:
    """A listing's drawn picture; its address says all of it, so it never changes."""
    if kind not in set(Kind) or len(category) > 40 or len(seed) > 40:
        raise NotFound
    return Response(pictures.draw(kind, category, seed), media_type=SVG, headers=FOREVER)


@router.get("/icon.svg")
async def show_icon() -> Response:
    """The mark of the site."""
    return Response(ICON, media_type=SVG, headers={"Cache-Control": "public, max-age=86400"})


@router.post("/preferences")
async def prefer(request: Request) -> Response:
    """Keep a language or a theme, and go back to the same page."""
    form = await typed(request)
    response = RedirectResponse(local_path(form["back"], "/"), 303)
    if form["language"] in ("ru", "en"):
        _keep(request, response, "lang", form["language"])
    if "theme" in form.values:
        _keep(
            request, response, "theme", form["theme"] if form["theme"] in ("light", "dark") else ""
        )
    return response


def _keep(request: Request, response: Response, name: str, value: str) -> None:
    # Readable by scripts: the switch changes the theme without asking the server.
    response.set_cookie(
        name, value, max_age=PREFERENCE_SECONDS if value else 0, path="/", samesite="lax",
        secure=settings_of(request).secure,
    )  # fmt: skip


@router.get("/about")
async def about(request: Request, visit: Visiting) -> Response:
    """What Dvor is and how buying here works."""
    return await visit.page(
        "site/about.html", hold_minutes=settings_of(request).hold_ttl_seconds // 60
    )


@router.get("/accessibility")
async def accessibility(visit: Visiting) -> Response:
    """What was done so that everybody can use Dvor, and where to write."""
    return await visit.page("site/accessibility.html")


@router.get("/worker.js")
async def show_worker() -> Response:
    """The service worker: it keeps the offline page and does nothing else."""
    return Response(templates.render("site/worker.js"), media_type="text/javascript")


@router.get("/offline")
async def offline() -> HTMLResponse:
    """What the browser shows when there is no network."""
    return HTMLResponse(templates.render("site/offline.html", **bare()))
