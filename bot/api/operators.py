"""Reading the inbox, the dialogs, the outbox and our calls; replaying an event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web

from bot.api.access import Access
from bot.api.asked import database_errors, page, row_id
from bot.api.replaying import as_item, replay_wish
from bot.http import ErrorAnswer, json_response
from bot.rehearsal import Rehearsal
from storage import inbox, journal, moments
from storage.database import Database

EVENT_STATES = ("waiting", "done", "ignored", "dead")
DELIVERY_STATES = ("waiting", "sending", "done", "unknown", "dead", "cancelled")


class Operators:
    def __init__(
        self, database: Database, access: Access, *, rehearsal: Rehearsal, on_replay: Callable[[], None]
    ) -> None:
        self._database = database
        self._access = access
        self._rehearsal = rehearsal
        self._on_replay = on_replay

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/api/v1/webhooks/events", self.events)
        app.router.add_get("/api/v1/webhooks/events/{id}", self.event)
        app.router.add_post("/api/v1/webhooks/events/{id}/replay", self.replay)
        app.router.add_get("/api/v1/dialogs", self.dialogs)
        app.router.add_get("/api/v1/dialogs/{id}", self.dialog)
        app.router.add_get("/api/v1/dialogs/{id}/turns/{turn}", self.moment)
        app.router.add_get("/api/v1/deliveries", self.deliveries)
        app.router.add_get("/api/v1/logs", self.logs)

    async def events(self, request: web.Request) -> web.Response:
        self._access.check(request)
        query = request.query
        source, state = query.get("source"), _one_of(query.get("state"), EVENT_STATES, "state")
        skip, limit = page(request)
        return json_response(
            await self._read(lambda conn: journal.list_events(conn, source=source, state=state, skip=skip, limit=limit))
        )

    async def event(self, request: web.Request) -> web.Response:
        self._access.check(request)
        id_ = row_id(request)
        return json_response(_found(await self._read(lambda conn: journal.get_event(conn, id_)), "event", id_))

    async def replay(self, request: web.Request) -> web.Response:
        self._access.check(request)
        id_ = row_id(request)
        wish = await replay_wish(request)
        _found(await self._read(lambda conn: journal.get_event(conn, id_)), "event", id_)
        still_waiting = ErrorAnswer(
            409, "still_waiting", f"event {id_} has not been handled yet: there is nothing to replay"
        )
        if wish.dry_run:
            with database_errors():
                [told] = await self._rehearsal.play([id_])
            if told.state is None:
                raise still_waiting
            return json_response(as_item(told))
        replayed = await self._write(lambda conn: inbox.replay(conn, [id_]))
        if not replayed:
            raise still_waiting
        self._on_replay()
        return json_response({"id": id_, "state": "waiting"}, status=202)

    async def dialogs(self, request: web.Request) -> web.Response:
        self._access.check(request)
        query = request.query
        state = _one_of(query.get("state"), journal.DIALOG_STATUSES, "state")
        channel, address = query.get("channel"), query.get("address")
        skip, limit = page(request)
        return json_response(
            await self._read(
                lambda conn: journal.list_dialogs(
                    conn, channel=channel, address=address, state=state, skip=skip, limit=limit
                )
            )
        )

    async def dialog(self, request: web.Request) -> web.Response:
        self._access.check(request)
        id_ = row_id(request)
        return json_response(_found(await self._read(lambda conn: journal.get_dialog(conn, id_)), "dialog", id_))

    async def moment(self, request: web.Request) -> web.Response:
        """The dialog as it stood after one of its turns."""
        self._access.check(request)
        id_, turn = row_id(request), row_id(request, "turn")
        found = await self._read(lambda conn: moments.get_moment(conn, id_, turn))
        if found is None:
            raise ErrorAnswer(404, "not_found", f"dialog {id_} has no turn {turn}")
        return json_response(found)

    async def deliveries(self, request: web.Request) -> web.Response:
        self._access.check(request)
        state = _one_of(request.query.get("state"), DELIVERY_STATES, "state")
        skip, limit = page(request)
        return json_response(
            await self._read(lambda conn: journal.list_deliveries(conn, state=state, skip=skip, limit=limit))
        )

    async def logs(self, request: web.Request) -> web.Response:
        self._access.check(request)
        skip, limit = page(request)
        return json_response(await self._read(lambda conn: journal.list_calls(conn, skip=skip, limit=limit)))

    async def _read(self, work: Callable[[Any], Any]) -> Any:
        with database_errors():
            return await self._database.read(work)

    async def _write(self, work: Callable[[Any], Any]) -> Any:
        with database_errors():
            return await self._database.write(work)


def _one_of(value: str | None, words: tuple[str, ...], name: str) -> str | None:
    if value and value not in words:
        raise ErrorAnswer(422, "invalid", f"{name} must be one of: {', '.join(words)}", details={"field": name})
    return value or None


def _found(value: Any, what: str, id_: int) -> Any:
    if value is None:
        raise ErrorAnswer(404, "not_found", f"there is no {what} {id_}")
    return value


__all__ = ["Operators"]
