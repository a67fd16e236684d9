"""A stand-in for Telegram: a Bot API server with people behind it, for the demo and the tests."""

from __future__ import annotations

import asyncio
import hmac
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiohttp import web

from integrations.telegram.simulator_form import read_form
from integrations.telegram.simulator_methods import BotApi
from integrations.telegram.simulator_people import People
from integrations.telegram.simulator_updates import Updates, wire_bytes
from integrations.telegram.simulator_world import Refusal, Wire, World

BAD_GATEWAY = b"<html><body>502 Bad Gateway</body></html>"
KEPT_CALLS = 1000


@dataclass(frozen=True, slots=True)
class ScriptedAnswer:
    """What the next call gets instead of the real answer; the work is not done."""

    status: int
    body: bytes
    content_type: str = "application/json"
    method: str | None = None  # None: whatever is called next


class SimulatedTelegram(People):
    """Speaks to our service by real HTTP in both directions: `app` is the Bot API, updates go to the webhook.

    `trouble`: "down" answers 502 without doing anything and delivers nothing; "slow" answers after `slow_s`;
    "lost_answer" does the work and answers with a 502 page of HTML; "duplicate" delivers every update twice.
    `flood_limits` switches the limit of 20 messages a minute in a group. `retry_base_s` stands for Telegram's two
    seconds before the second retry of a webhook.
    """

    def __init__(
        self,
        *,
        token: str,
        now: Callable[[], datetime],
        webhook_url: str | None = None,
        webhook_secret: str | None = None,
        managers_chat_id: int,
        forum: bool = True,
        retry_base_s: float = 0.05,
        slow_s: float = 3.0,
        flood_limits: bool = False,
    ) -> None:
        self.trouble: str = "none"
        self.slow_s = slow_s
        self.calls: deque[tuple[str, dict[str, str]]] = deque(maxlen=KEPT_CALLS)  # (method, form fields)
        self._script: list[ScriptedAnswer] = []
        super().__init__(
            World(token=token, now=now, managers_chat_id=managers_chat_id, forum=forum),
            Updates(now=now, trouble=lambda: self.trouble, retry_base_s=retry_base_s),
        )
        self._updates.set_webhook(webhook_url, webhook_secret)
        self._api = BotApi(self._world, self._updates)
        self._api.has_flood_limits = flood_limits
        self.app = web.Application(client_max_size=64 * 1024 * 1024)
        self.app.router.add_route("*", "/bot{token}/{method}", self._handle_call)
        self.app.router.add_get("/file/bot{token}/{path:.+}", self._handle_file)

    # ------------------------------------------------------------------------------------------------ life, state

    @property
    def webhook_url(self) -> str | None:
        return self._updates.webhook_url

    @property
    def pending_updates(self) -> int:
        return self._updates.pending

    async def start(self) -> None:
        await self._updates.start()

    async def close(self) -> None:
        await self._updates.close()

    def reset(self) -> None:
        """Forget people, messages and waiting updates; the webhook stays."""
        self.trouble = "none"
        self.calls.clear()
        self._script.clear()
        self._world.reset()
        self._updates.reset()
        self._world.touched()

    async def delivered(self, timeout_s: float = 5.0) -> None:
        """Wait until our service took all updates. Raises TimeoutError."""
        await self._updates.delivered(timeout_s)

    def set_flood_limits(self, is_on: bool) -> None:
        self._api.has_flood_limits = is_on

    def jump_update_ids(self, update_id: int) -> None:
        """Go on with another number, as Telegram does after a week without updates."""
        self._updates.next_update_id = update_id

    def answer_next(
        self, status: int, body: bytes, *, content_type: str = "application/json", method: str | None = None
    ) -> None:
        """Give this answer to the next call (of `method`)."""
        self._script.append(ScriptedAnswer(status, body, content_type, method))

    async def _handle_call(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        if self.trouble == "down":
            return web.Response(status=502, body=BAD_GATEWAY, content_type="text/html")
        if not hmac.compare_digest(request.match_info["token"].encode(), self._world.token.encode()):
            return refusal_answer(Refusal(401, "Unauthorized"))
        form = await read_form(request)
        self.calls.append((method, dict(form.fields)))
        if self.trouble == "slow":
            await asyncio.sleep(self.slow_s)
        for scripted in self._script:
            if scripted.method in (None, method):
                self._script.remove(scripted)
                return web.Response(status=scripted.status, body=scripted.body, content_type=scripted.content_type)
        try:
            result = await self._api.call(method, form)
        except Refusal as refusal:
            return refusal_answer(refusal)
        if self.trouble == "lost_answer" and method.lower() != "getupdates":  # nothing is lost by polling again
            return web.Response(status=502, body=BAD_GATEWAY, content_type="text/html")
        return json_answer(200, {"ok": True, "result": result})

    async def _handle_file(self, request: web.Request) -> web.Response:
        if self.trouble == "down":
            return web.Response(status=502, body=BAD_GATEWAY, content_type="text/html")
        if not hmac.compare_digest(request.match_info["token"].encode(), self._world.token.encode()):
            return refusal_answer(Refusal(401, "Unauthorized"))
        content = self._api.file_at(request.match_info["path"])
        if content is None:
            return refusal_answer(Refusal(404, "Not Found"))
        return web.Response(body=content, content_type="application/octet-stream")


def refusal_answer(refusal: Refusal) -> web.Response:
    body: Wire = {"ok": False, "error_code": refusal.code, "description": refusal.description}
    if refusal.parameters:
        body["parameters"] = refusal.parameters
    return json_answer(refusal.code, body)


def json_answer(status: int, body: Wire | Sequence[Any]) -> web.Response:
    return web.Response(status=status, body=wire_bytes(body), content_type="application/json")
