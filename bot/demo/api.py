"""The playground's JSON addresses below /demo/api: everything the page does, open to scripts too."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
from aiohttp import web

from bot.demo import views
from bot.demo.bodies import (
    AddComment,
    ManagerActs,
    Payment,
    Say,
    SetStatus,
    Trouble,
    Visitors,
    Who,
    read_body,
    read_query,
)
from bot.demo.changes import Changes, stream_versions
from bot.demo.errors import BadInput, NotFound, StandInFailed
from bot.demo.stand_ins import Controls, CustomerChannel, Record, StandIns, get_into_trouble

log = structlog.get_logger(__name__)

WORKSHOP = (55.7907, 49.1145)  # latitude and longitude that "share location" sends: Bauman street, Kazan


class DemoApi:
    def __init__(
        self, stand_ins: StandIns, controls: Controls, changes: Changes, *, pause_s: float, heartbeat_s: float
    ) -> None:
        self._stand_ins = stand_ins
        self._controls = controls
        self._changes = changes
        self._pause_s = pause_s  # least time between two events of the stream
        self._heartbeat_s = heartbeat_s  # a silent stream says something this often, so that a dead one is noticed
        self._first_seen = views.FirstSeen(lambda: datetime.now(UTC))

    def routes(self) -> Sequence[web.RouteDef]:
        return (
            web.post("/api/say", self.say),
            web.get("/api/transcript", self.transcript),
            web.get("/api/managers", self.managers),
            web.post("/api/managers", self.manager_acts),
            web.get("/api/issues", self.issues),
            web.post(r"/api/issues/{id}/status", self.set_status),
            web.post(r"/api/issues/{id}/comment", self.comment),
            web.get("/api/payments", self.payments),
            web.post("/api/payments", self.pay),
            web.post("/api/orders", self.order),
            web.post("/api/trouble", self.trouble),
            web.post("/api/reset", self.reset),
            web.get("/api/state", self.state),
            web.get("/api/stream", self.stream),
        )

    # ------------------------------------------------------------------------------------------------ customers

    async def say(self, request: web.Request) -> web.Response:
        said = await read_body(request, Say)
        channel, person = self._channel(said.channel), said.person
        if said.press is not None:
            await self._press(said.channel, person, said.press)
        elif said.photo:
            await self._do(said.channel, channel.photo(person, said.text))
        elif said.contact:
            await self._do(said.channel, channel.contact(person))
        elif said.location:
            await self._do(said.channel, channel.location(person, *WORKSHOP))
        elif said.text is not None:
            await self._do(said.channel, channel.say(person, said.text))
        return web.json_response({"ok": True})

    async def transcript(self, request: web.Request) -> web.Response:
        who = read_query(request, Who)
        return web.json_response({"messages": self._messages(who.channel, who.person)})

    # ------------------------------------------------------------------------------------------------- managers

    async def managers(self, _: web.Request) -> web.Response:
        return web.json_response({"messages": self._group()})

    async def manager_acts(self, request: web.Request) -> web.Response:
        acts = await read_body(request, ManagerActs)
        telegram = self._stand_ins.telegram
        if acts.press is not None and acts.message_id is not None:
            shown = [one for one in telegram.group_messages() if one.get("id") == acts.message_id]
            if not shown:
                raise NotFound("no_such_message", f"The group has no message {acts.message_id}.")
            data = views.find_option(shown, acts.press)
            if data is None:
                raise BadInput("no_such_option", f"This message has no button called “{acts.press}”.")
            await self._do("telegram", telegram.manager_presses(acts.manager, acts.message_id, data))
        elif acts.text is not None:
            await self._do(
                "telegram",
                telegram.manager_says(acts.manager, acts.text, thread_id=acts.thread_id, reply_to=acts.reply_to),
            )
        return web.json_response({"ok": True})

    # ------------------------------------------------------------------------------------------------ back office

    async def issues(self, _: web.Request) -> web.Response:
        return web.json_response({"issues": views.records(self._stand_ins.okdesk.issues())})

    async def set_status(self, request: web.Request) -> web.Response:
        issue_id = self._issue_id(request)
        wish = await read_body(request, SetStatus)
        await self._do("okdesk", self._stand_ins.okdesk.set_status(issue_id, wish.status, comment=wish.comment))
        return web.json_response({"ok": True})

    async def comment(self, request: web.Request) -> web.Response:
        issue_id = self._issue_id(request)
        comment = await read_body(request, AddComment)
        await self._do("okdesk", self._stand_ins.okdesk.comment(issue_id, comment.text, public=comment.public))
        return web.json_response({"ok": True})

    async def payments(self, _: web.Request) -> web.Response:
        return web.json_response({"payments": [views.payment(record) for record in self._stand_ins.onec.payments()]})

    async def pay(self, request: web.Request) -> web.Response:
        payment = await read_body(request, Payment)
        self._require_issue(payment.issue_id)
        onec = self._stand_ins.onec
        if payment.what == "invoice":
            await self._do("onec", onec.invoice(payment.issue_id, payment.amount))
        else:
            await self._do("onec", onec.pay(payment.issue_id, payment.amount, total_kopecks=payment.total))
        return web.json_response({"ok": True})

    async def order(self, _: web.Request) -> web.Response:
        raise NotFound("no_order_sources", "No order source (Ozon, iiko, Evotor) is connected to this playground.")

    # ------------------------------------------------------------------------------------------- the playground

    async def trouble(self, request: web.Request) -> web.Response:
        wish = await read_body(request, Trouble)
        if wish.what == "kill_worker":
            await self._controls.kill_worker()
        else:
            for name, system in self._stand_ins.by_name().items():
                if wish.system in (name, None):
                    get_into_trouble(system, wish.what)
        self._changes.bump()
        return web.json_response({"ok": True, "trouble": self._trouble()})

    async def reset(self, _: web.Request) -> web.Response:
        for system in self._stand_ins.by_name().values():
            get_into_trouble(system, "none")  # first: a system that is down could not be emptied
        await self._controls.reset()
        self._first_seen.forget()
        self._changes.bump()
        return web.json_response({"ok": True})

    async def state(self, request: web.Request) -> web.Response:
        """Everything the page shows, at one moment."""
        visitors = read_query(request, Visitors)
        return web.json_response(
            {
                "version": self._changes.version,
                "chats": {
                    "whatsapp": self._messages("whatsapp", visitors.whatsapp) if visitors.whatsapp else [],
                    "telegram": self._messages("telegram", visitors.telegram) if visitors.telegram else [],
                },
                "managers": self._group(),
                "issues": views.records(self._stand_ins.okdesk.issues()),
                "payments": [views.payment(record) for record in self._stand_ins.onec.payments()],
                "trouble": self._trouble(),
                "service": views.plain(self._controls.status()),
            }
        )

    async def stream(self, request: web.Request) -> web.StreamResponse:
        return await stream_versions(request, self._changes, pause_s=self._pause_s, heartbeat_s=self._heartbeat_s)

    # -------------------------------------------------------------------------------------------------- helpers

    def _channel(self, name: str) -> CustomerChannel:
        return self._stand_ins.whatsapp if name == "whatsapp" else self._stand_ins.telegram

    def _messages(self, channel: str, person: str) -> list[views.Shown]:
        shown = [views.message(record) for record in self._channel(channel).transcript(person)]
        return self._first_seen.dated(shown, channel, person)

    def _group(self) -> list[views.Shown]:
        shown = [views.message(record) for record in self._stand_ins.telegram.group_messages()]
        return self._first_seen.dated(shown, "managers")

    async def _press(self, channel_name: str, person: str, wanted: str) -> None:
        channel = self._channel(channel_name)
        option_id = views.find_option([views.message(record) for record in channel.transcript(person)], wanted)
        if option_id is None:
            raise BadInput("no_such_option", f"The bot offered nothing called “{wanted}”.")
        if option_id == "contact":
            await self._do(channel_name, channel.contact(person))
        elif option_id == "location":
            await self._do(channel_name, channel.location(person, *WORKSHOP))
        else:
            await self._do(channel_name, channel.press(person, option_id))

    def _trouble(self) -> dict[str, str]:
        return {name: system.trouble for name, system in self._stand_ins.by_name().items()}

    def _issue_id(self, request: web.Request) -> int:
        written = request.match_info["id"]
        if not (written.isascii() and written.isdecimal() and len(written) < 16):
            raise NotFound("no_such_issue", f"Okdesk has no issue {written[:20]}.")
        return self._require_issue(int(written))

    def _require_issue(self, issue_id: int) -> int:
        issues: Sequence[Record] = self._stand_ins.okdesk.issues()
        if all(one.get("id") != issue_id for one in issues):
            raise NotFound("no_such_issue", f"Okdesk has no issue {issue_id}.")
        return issue_id

    async def _do(self, system: str, act: Awaitable[Any]) -> None:
        """Let a stand-in act; whatever goes wrong there is its failure, told in one sentence."""
        try:
            await act
        except LookupError as error:
            raise NotFound("gone", f"The stand-in of {system} does not have it: {error}") from error
        except ValueError as error:
            raise BadInput("refused", f"The stand-in of {system} refused: {error}") from error
        except Exception as error:
            log.warning("stand_in_failed", system=system, error=type(error).__name__)
            raise StandInFailed(
                "stand_in_failed", f"The stand-in of {system} could not do it: {error}", {"system": system}
            ) from error
