"""/docs and /openapi.json. The page is Swagger UI out of a pip package; nothing is fetched from elsewhere."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from aiohttp import web
from multidict import CIMultiDict

from bot.api.openapi import document
from bot.headers import PRIVATE_HEADERS, with_headers
from bot.http import json_response

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>fixit-exchange: API</title>
<link rel="stylesheet" href="/docs/static/swagger-ui.css">
<link rel="icon" href="data:,">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/static/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null});
"""
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_FILES = frozenset({"swagger-ui.css", "swagger-ui-bundle.js"})


def _headers(cache: str = "no-cache") -> CIMultiDict[str]:
    return with_headers(PRIVATE_HEADERS, {"Content-Security-Policy": _POLICY, "Cache-Control": cache})


class Docs:
    def __init__(self) -> None:
        self._static = Path(str(files("swagger_ui"))) / "static"

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/openapi.json", self.openapi)
        app.router.add_get("/docs", self.page)
        app.router.add_get("/docs/start.js", self.start)
        app.router.add_get("/docs/static/{name}", self.static)

    async def openapi(self, _request: web.Request) -> web.Response:
        return json_response(document())

    async def page(self, _request: web.Request) -> web.Response:
        return web.Response(text=_PAGE, content_type="text/html", headers=_headers())

    async def start(self, _request: web.Request) -> web.Response:
        return web.Response(text=_START, content_type="text/javascript", headers=_headers())

    async def static(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in _FILES:
            raise web.HTTPNotFound
        return web.FileResponse(self._static / name, headers=_headers("max-age=86400"))
