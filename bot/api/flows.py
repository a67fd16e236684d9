"""What became of the people in a flow."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlalchemy import Connection

from bot.api.access import Access
from bot.flow_funnel import funnel
from bot.http import ErrorAnswer, json_response
from storage.database import Database, DatabaseAway


class FlowNumbers:
    def __init__(self, database: Database, access: Access) -> None:
        self._database = database
        self._access = access

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/api/v1/flows/{flow}/stats", self.stats)

    async def stats(self, request: web.Request) -> web.Response:
        self._access.check(request)
        flow = request.match_info["flow"]
        version = _version(request.query.get("version"))

        def read(conn: Connection) -> dict[str, Any] | None:
            return funnel(conn, flow, version)

        try:
            found = await self._database.read(read)
        except DatabaseAway as error:
            raise ErrorAnswer(503, "unavailable", "the database is away", headers={"Retry-After": "3"}) from error
        if found is None:
            what = f"flow {flow[:40]!r}" if version is None else f"version {version} of flow {flow[:40]!r}"
            raise ErrorAnswer(404, "not_found", f"there is no {what}")
        return json_response(found)


def _version(given: str | None) -> int | None:
    if given is None:
        return None
    if not (given.isascii() and given.isdigit()) or not 1 <= int(given[:12]) < 2**31:
        raise ErrorAnswer(422, "invalid", "version must be a whole number from 1", details={"field": "version"})
    return int(given)
