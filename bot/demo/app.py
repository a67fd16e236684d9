"""The playground as one aiohttp application: the page, its files, its JSON addresses."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from aiohttp import web

from bot.demo.api import DemoApi
from bot.demo.changes import Changes, watching
from bot.demo.errors import errors_as_json, own_pages_only
from bot.demo.stand_ins import Controls, StandIns

CONTENT_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".html": "text/html"}

SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Asset:
    body: bytes
    content_type: str
    etag: str


def make_demo(
    stand_ins: StandIns,
    controls: Controls,
    *,
    pause_s: float = 0.08,
    heartbeat_s: float = 15.0,
    watch_s: float = 0.5,
) -> web.Application:
    """Build the application that belongs at /demo: `app.add_subapp("/demo", make_demo(...))`.

    Listens to the stand-ins by taking their `changed` for itself. `pause_s`: least time between two events of the
    stream; `heartbeat_s`: a silent stream says something this often; `watch_s`: how often the state of the service is
    looked at.
    """
    changes = Changes()
    for system in stand_ins.by_name().values():
        system.changed = changes.bump

    app = web.Application(middlewares=[errors_as_json, own_pages_only])
    assets = _load_assets()

    async def page(request: web.Request) -> web.Response:
        return _serve(request, assets["page.html"])

    async def asset(request: web.Request) -> web.Response:
        found = assets.get(f"static/{request.match_info['name']}")
        if found is None:
            raise web.HTTPNotFound
        return _serve(request, found)

    async def harden(_: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(SECURITY_HEADERS)
        response.headers.setdefault("Cache-Control", "no-store")

    async def end_streams(_: web.Application) -> None:
        changes.close()

    app.router.add_get("", page)
    app.router.add_get("/", page)
    app.router.add_get("/static/{name}", asset)
    app.router.add_routes(DemoApi(stand_ins, controls, changes, pause_s=pause_s, heartbeat_s=heartbeat_s).routes())
    app.cleanup_ctx.append(watching(controls.status, changes, every_s=watch_s))
    app.on_response_prepare.append(harden)
    app.on_shutdown.append(end_streams)
    return app


def _load_assets() -> dict[str, Asset]:
    """Read the page and its files once. Only what is in this table can be asked for, so no path can lead elsewhere."""
    root = resources.files("bot.demo")
    found = {"page.html": root / "page.html"}
    found |= {f"static/{file.name}": file for file in (root / "static").iterdir()}
    assets = {}
    for name, file in found.items():
        content_type = CONTENT_TYPES.get("." + name.rpartition(".")[2])
        if content_type is not None:
            body = file.read_bytes()
            assets[name] = Asset(body, content_type, f'"{hashlib.sha256(body).hexdigest()[:16]}"')
    return assets


def _serve(request: web.Request, asset: Asset) -> web.Response:
    """Let the browser keep the file, but ask each time: a new version of the service shows its new page at once."""
    headers = {"ETag": asset.etag, "Cache-Control": "no-cache"}
    if request.headers.get("If-None-Match") == asset.etag:
        return web.Response(status=304, headers=headers)
    return web.Response(body=asset.body, content_type=asset.content_type, charset="utf-8", headers=headers)
