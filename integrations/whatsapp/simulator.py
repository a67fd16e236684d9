"""A stand-in for WhatsApp: Meta's HTTP API at its real paths, signed webhooks, and people who write.

It keeps everything in memory and has the traps of the real one (contract, section 10). For the demo and the tests.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

import orjson
from aiohttp import web

from integrations.whatsapp.actions import UPLOAD_LIMITS
from integrations.whatsapp.pace import Pace
from integrations.whatsapp.simulator_deliveries import Deliveries
from integrations.whatsapp.simulator_people import Customer, Line, SimulatedPeople, new_wamid
from integrations.whatsapp.simulator_rules import error_body, problem_of, template_params

WINDOW = timedelta(hours=24)
_STEPS = ("accepted", "sent", "delivered", "read", "played")
_MAX_BODY_BYTES = 101 * 2**20
_UNLIMITED = 10**9

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class SimulatedWhatsApp(SimulatedPeople):
    """Attributes that may be changed at any time:

    `trouble`: "none", "down" (503, and the body proves that nothing was sent), "slow" (answers take `slow_s`),
    "lost_answer" (accepts, then drops the connection), "duplicate" (every webhook twice).
    `statuses`: which follow an accepted message; () = none ever comes. `status_order`: "after" the answer, "before"
    it, or "shuffled". `refuse_next`: codes for the next sends; `fail_next`: codes for accepted ones that fail later.
    `token_is_dead`, `media_trouble`; `deliveries.writing`, `deliveries.hold()`, `.release()`, `.repeat(n)`.
    """

    def __init__(
        self,
        *,
        webhook_url: str,
        app_secret: str,
        verify_token: str,
        access_token: str,
        phone_number_id: str,
        waba_id: str,
        now: Callable[[], datetime],
        retry_base_s: float = 0.05,
        templates: Mapping[str, str] | None = None,
        slow_s: float = 3.0,
        number_per_s: float = 80.0,
        pair_every_s: float = 6.0,
        pair_burst: int = 45,
        media_url_life_s: float = 300.0,
    ) -> None:
        """`templates`: approved ones, name → text with `{{1}}`; None = any name is approved."""
        deliveries = Deliveries(
            webhook_url=webhook_url, app_secret=app_secret, waba_id=waba_id, retry_base_s=retry_base_s
        )
        super().__init__(deliveries=deliveries, phone_number_id=phone_number_id, now=now)
        self.trouble = "none"
        self.statuses: Sequence[str] = ("sent", "delivered", "read")
        self.status_order: Literal["after", "before", "shuffled"] = "after"
        self.refuse_next: deque[int] = deque()
        self.fail_next: deque[int] = deque()
        self.token_is_dead = False
        self.media_trouble: Literal["none", "wrong_sha256", "foreign_redirect", "foreign_url"] = "none"
        self.received: list[dict[str, Any]] = []  # every message body that was accepted
        self.slow_s = slow_s
        self._verify_token = verify_token
        self._access_token = access_token
        self._templates = templates
        self._rates = number_per_s, pair_every_s, pair_burst
        self._media_url_life_s = media_url_life_s
        self._reports: set[asyncio.Task[None]] = set()
        self._new_paces()
        deliveries.copies = lambda: 2 if self.trouble == "duplicate" else 1
        self.app = web.Application(middlewares=[self._troubled], client_max_size=_MAX_BODY_BYTES)
        self.app.router.add_post("/{version}/{number}/messages", self._messages)
        self.app.router.add_post("/{version}/{number}/media", self._upload)
        self.app.router.add_get("/whatsapp_business/attachments/", self._download)
        self.app.router.add_get("/{version}/{node}", self._node)

    async def start(self) -> None:
        await self.deliveries.start()

    async def close(self) -> None:
        for task in self._reports:
            task.cancel()
        await asyncio.gather(*self._reports, return_exceptions=True)
        await self.deliveries.close()

    async def settle(self) -> None:
        """Wait until every status and every update has reached us."""
        while self._reports:
            await asyncio.wait(set(self._reports))
        await self.deliveries.settle()

    def reset(self) -> None:
        """Forget all people, chats and files; deliveries under way are given up."""
        for task in self._reports:
            task.cancel()
        self.deliveries.forget()
        self._customers.clear()
        self.media.clear()
        self.received.clear()
        self.refuse_next.clear()
        self.fail_next.clear()
        self.token_is_dead = False
        self._new_paces()
        self.notify_changed()

    async def verify(self) -> bool:
        """Ask our webhook whether it is ours, as Meta does when the address is entered."""
        challenge = str(int.from_bytes(hashlib.sha256(self._verify_token.encode()).digest()[:4], "big"))
        query = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": self._verify_token}
        return await self.deliveries.get(query) == (200, challenge)

    async def notice(self, field: str, value: Mapping[str, Any]) -> None:
        """An update about the account or its templates."""
        await self.deliveries.tell({"value": dict(value), "field": field})

    # ------------------------------------------------------------------------------------------------- the API

    @web.middleware
    async def _troubled(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self.trouble == "down":
            return _refused(131057, "The number is in maintenance.")
        if self.trouble == "slow":
            await asyncio.sleep(self.slow_s)
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if self.token_is_dead or not hmac.compare_digest(given, f"Bearer {self._access_token}".encode()):
            return _refused(190, subcode=463)
        response = await handler(request)
        if self.trouble == "lost_answer" and request.method == "POST" and request.transport is not None:
            request.transport.abort()
        return response

    async def _messages(self, request: web.Request) -> web.Response:
        if request.match_info["number"] != self.phone_number_id:
            return _refused(100, "Object with this ID does not exist.", subcode=33)
        try:
            body = orjson.loads(await request.read())
        except orjson.JSONDecodeError:
            return _refused(100, "The body is not JSON.")
        if isinstance(body, dict) and body.get("status") == "read":
            return self._marked_read(body)
        if self.refuse_next:
            return _refused(self.refuse_next.popleft(), "Refused on request.")
        problem = problem_of(body, self._templates)
        if problem is not None:
            return _refused(*problem)
        customer = self._recipient(body)
        if customer is None:
            return _refused(131026, "Message Undeliverable.")
        refusal = self._too_fast(customer) or self._out_of_window(customer, body)
        if refusal is not None:
            return refusal
        return await self._accepted(customer, body)

    async def _accepted(self, customer: Customer, body: dict[str, Any]) -> web.Response:
        wamid = new_wamid()
        line: Line = {"id": wamid, "from": "bot", "options": [], "status": "accepted", **self._shown(body)}
        self.received.append(body)
        customer.lines.append(line)
        self.notify_changed()
        report = asyncio.create_task(self._report(customer, line, body.get("biz_opaque_callback_data")))
        self._reports.add(report)
        report.add_done_callback(self._reports.discard)
        if self.status_order == "before":
            await asyncio.wait({report})
        to = "to" if "to" in body else "recipient"
        contact = {"input": body[to]} | ({"wa_id": customer.wa_id} if to == "to" else {"user_id": customer.user_id})
        message = {"id": wamid} | ({"message_status": "accepted"} if body.get("type") == "template" else {})
        return _json({"messaging_product": "whatsapp", "contacts": [contact], "messages": [message]})

    def _recipient(self, body: Mapping[str, Any]) -> Customer | None:
        """A number without its plus gets our own country code, as the real one does: it is a stranger's then."""
        if "to" not in body:
            return self.customer_at(user_id=body["recipient"])
        to = str(body["to"])
        wa_id = to[1:] if to.startswith("+") else self.display_phone_number[0] + to
        return self.customer_at(wa_id=wa_id) if wa_id.isdigit() else None

    def _too_fast(self, customer: Customer) -> web.Response | None:
        now = self._now().timestamp()
        if self._number_pace.delay(customer.user_id, now) > 0:
            return _refused(130429, "Too many messages sent from this phone number in a short period of time")
        if self._pair_pace.delay(customer.user_id, now) > 0:
            return _refused(131056, "Too many messages sent from this phone number to the same phone number")
        for pace in (self._number_pace, self._pair_pace):
            pace.sent(customer.user_id, now)
        return None

    def _new_paces(self) -> None:
        number_per_s, pair_every_s, pair_burst = self._rates
        self._number_pace = Pace(number_per_s=number_per_s, number_burst=int(number_per_s), pair_burst=_UNLIMITED)
        self._pair_pace = Pace(number_burst=_UNLIMITED, pair_every_s=pair_every_s, pair_burst=pair_burst)

    def _out_of_window(self, customer: Customer, body: Mapping[str, Any]) -> web.Response | None:
        if body.get("type") == "template":
            return None
        if customer.wrote_at is not None and self._now() - customer.wrote_at < WINDOW:
            return None
        return _refused(131047, "More than 24 hours have passed since the customer last replied to this number.")

    def _marked_read(self, body: Mapping[str, Any]) -> web.Response:
        """Marks earlier messages of that chat too."""
        for customer in self._customers.values():
            ids = [line["id"] for line in customer.lines]
            if body.get("message_id") in ids:
                for line in customer.lines[: ids.index(body["message_id"]) + 1]:
                    if line["from"] == "customer":
                        line["status"] = "read"
                self.notify_changed()
                return _json({"success": True})
        return _refused(100, "The message does not exist.", subcode=33)

    async def _report(self, customer: Customer, line: Line, opaque: str | None) -> None:
        """The statuses that follow a message."""
        failure = self.fail_next.popleft() if self.fail_next else None
        steps = ["sent", "failed"] if failure is not None else list(self.statuses)
        lane: str | None = f"status {line['id']}"
        if self.status_order == "shuffled":
            steps, lane = steps[::-1], None
        for step in steps:
            status: dict[str, Any] = {"id": line["id"], "status": step, "timestamp": self._timestamp()}
            status["recipient_user_id"] = customer.user_id
            if not customer.hides_phone:
                status["recipient_id"] = customer.wa_id
            if opaque is not None:
                status["biz_opaque_callback_data"] = opaque
            if step == "failed" and failure is not None:
                error = error_body(failure, "Failed after it was accepted.")[1]["error"]
                status["errors"] = [{name: error[name] for name in ("code", "message", "error_data")}]
            if step == "failed" or _rank(step) > _rank(line["status"]):
                line["status"] = step
            self.notify_changed()
            change = {"value": {**self._head(), "statuses": [status]}, "field": "messages"}
            await self.deliveries.tell(change, lane)

    def _shown(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The message as the person sees it."""
        kind = str(body.get("type", "text"))
        content = body[kind]
        if kind == "text":
            return {"text": content["body"]}
        if kind == "interactive":
            return _shown_interactive(content)
        if kind == "template":
            params = template_params(content)
            text = (self._templates or {}).get(content["name"])
            if text is None:
                return {"text": " ".join([f"[{content['name']}]", *params]), "template": content["name"]}
            for place, param in enumerate(params, 1):
                text = text.replace(f"{{{{{place}}}}}", param)
            return {"text": text, "template": content["name"]}
        return {"text": content.get("caption", ""), "media": "photo" if kind == "image" else kind}

    # --------------------------------------------------------------------------------------------------- files

    async def _upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        file = form.get("file")
        if not isinstance(file, web.FileField):
            return _refused(100, "The parameter file is required.")
        data = file.file.read()
        kind = file.content_type.split("/")[0]
        if len(data) > UPLOAD_LIMITS.get(kind, UPLOAD_LIMITS["document"]):
            return _refused(131053, "The file is too large.")
        return _json({"id": self.store(data, file.content_type)})

    async def _node(self, request: web.Request) -> web.Response:
        node = request.match_info["node"]
        if node == self.phone_number_id:
            name = {"verified_name": "Simulated", "quality_rating": "GREEN"}
            return _json({"id": node, "display_phone_number": f"+{self.display_phone_number}", **name})
        media = self.media.get(node)
        if media is None:
            return _refused(100, "Object with this ID does not exist.", subcode=33)
        expires = int(self._now().timestamp() + self._media_url_life_s)
        query = f"?mid={node}&ext={expires}&hash={self._media_hash(node, str(expires))}"
        origin = "https://example.com" if self.media_trouble == "foreign_url" else str(request.url.origin())
        found = hashlib.sha256(b"something else" if self.media_trouble == "wrong_sha256" else media.data).hexdigest()
        facts = {"mime_type": media.mime, "sha256": found, "file_size": str(len(media.data)), "id": node}
        return _json(
            {"messaging_product": "whatsapp", "url": f"{origin}/whatsapp_business/attachments/{query}", **facts}
        )

    async def _download(self, request: web.Request) -> web.Response:
        media_id, expires = request.query.get("mid", ""), request.query.get("ext", "")
        media = self.media.get(media_id)
        is_fresh = expires.isdecimal() and int(expires) >= self._now().timestamp()
        if media is None or not is_fresh or request.query.get("hash") != self._media_hash(media_id, expires):
            raise web.HTTPNotFound
        if self.media_trouble == "foreign_redirect":
            raise web.HTTPFound("https://example.com/stolen")
        return web.Response(body=media.data, content_type=media.mime.split(";")[0])

    def _media_hash(self, media_id: str, expires: str) -> str:
        return hmac.digest(self._access_token.encode(), f"{media_id}:{expires}".encode(), "sha256").hex()[:16]


def _shown_interactive(content: Mapping[str, Any]) -> dict[str, Any]:
    action = content["action"]
    options = [dict(button["reply"]) for button in action.get("buttons", ())]
    options += [dict(row) for section in action.get("sections", ()) for row in section["rows"]]
    asks = {"contact_request": "contact", "location_request_message": "location"}.get(content["type"])
    shown: dict[str, Any] = {"text": content["body"]["text"], "options": options, "shown_as": content["type"]}
    header = content.get("header", {}).get("type")
    if header in UPLOAD_LIMITS:
        shown["media"] = "photo" if header == "image" else header
    return shown | ({"asks": asks} if asks is not None else {})


def _rank(status: str) -> int:
    return _STEPS.index(status) if status in _STEPS else -1


def _json(document: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(document), status=status, content_type="application/json")


def _refused(code: int, details: str | None = None, subcode: int | None = None) -> web.Response:
    status, body = error_body(code, details, subcode)
    return _json(body, status)
