"""/health, /health/ready and /metrics: what load balancers and Prometheus see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web
from prometheus_client import generate_latest
from sqlalchemy import Connection

from bot.clock import Clock
from bot.headers import PRIVATE_HEADERS, with_headers
from bot.http import json_response
from bot.metrics import Metrics
from bot.sender import System
from bot.version import VERSION
from storage import inbox, outbox
from storage.clock import to_ms
from storage.database import Database, DatabaseAway

STUCK_AFTER_MS = 10 * 60_000
TOO_OLD_S = 60.0
KNOWN = ("whatsapp", "telegram", "okdesk", "onec")


class Health:
    """`works`: whether this process (or another, on PostgreSQL) is supposed to handle events."""

    def __init__(
        self, database: Database, *, clock: Clock, metrics: Metrics, systems: Mapping[str, System], works: bool
    ) -> None:
        self._database = database
        self._clock = clock
        self._metrics = metrics
        self._systems = systems
        self._works = works

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/health", self.health)
        app.router.add_get("/health/ready", self.ready)
        app.router.add_get("/metrics", self.metrics)

    async def state(self) -> dict[str, Any]:
        now = to_ms(self._clock.now())

        def look(conn: Connection) -> tuple[int | None, int, dict[tuple[str, int], int]]:
            return inbox.oldest_waiting(conn), outbox.stuck(conn, before=now - STUCK_AFTER_MS), inbox.counts(conn)

        try:
            oldest, stuck, counts = await self._database.read(look)
            database = "ok"
        except DatabaseAway as error:
            oldest, stuck, counts, database = None, 0, {}, f"away: {error}"
        age = 0.0 if oldest is None else max(now - oldest, 0) / 1000
        systems = {
            name: "off" if name not in self._systems else "down" if self._systems[name].is_down else "up"
            for name in KNOWN
        }
        status = "ok"
        if database != "ok":
            status = "failed"
        elif "down" in systems.values() or stuck or age > TOO_OLD_S:
            status = "degraded"
        self._metrics.oldest.set(age)
        self._metrics.stuck.set(stuck)
        for gauge, state in ((self._metrics.waiting, 0), (self._metrics.dead, 3)):
            gauge.clear()
            for (source, is_), number in counts.items():
                if is_ == state:
                    gauge.labels(source).set(number)
        return {
            "status": status,
            "version": VERSION,
            "database": database,
            "oldest_waiting_s": round(age, 3),
            "stuck_deliveries": stuck,
            "systems": systems,
        }

    async def health(self, _request: web.Request) -> web.Response:
        state = await self.state()
        return json_response(state, status=503 if state["status"] == "failed" else 200)

    async def ready(self, _request: web.Request) -> web.Response:
        """Ready = the database answers, and events are not left lying while workers run."""
        state = await self.state()
        is_late = self._works and state["oldest_waiting_s"] > TOO_OLD_S
        return json_response(state, status=503 if state["status"] == "failed" or is_late else 200)

    async def metrics(self, _request: web.Request) -> web.Response:
        await self.state()
        return web.Response(
            body=generate_latest(self._metrics.registry),
            headers=with_headers(PRIVATE_HEADERS, {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}),
        )
