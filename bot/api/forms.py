"""POST /api/v1/forms: a web site's form becomes the event `site.form_sent`."""

from __future__ import annotations

import hashlib

import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.api.access import Access
from bot.clock import Clock
from bot.http import ErrorAnswer, json_response
from bot.intake import Intake, masked_headers
from dialogs.phones import parse_phone
from integrations.base import IncomingEvent

MAX_BODY_BYTES = 64 * 1024


class Form(BaseModel):
    """FLOWS.md section 8: the fields of `site.form_sent`, the phone, and an id against repeats."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    form: str = Field(min_length=1, max_length=100)
    name: str | None = Field(None, max_length=200)
    phone: str = Field(max_length=60)
    email: str | None = Field(None, max_length=254)
    text: str | None = Field(None, max_length=4000)
    page: str | None = Field(None, max_length=2000)
    id: str | None = Field(None, max_length=200)


class Forms:
    def __init__(self, intake: Intake, access: Access, *, clock: Clock) -> None:
        self._intake = intake
        self._access = access
        self._clock = clock

    def add_routes(self, app: web.Application) -> None:
        app.router.add_post("/api/v1/forms", self.take)

    async def take(self, request: web.Request) -> web.Response:
        self._access.check(request)
        if (request.content_length or 0) > MAX_BODY_BYTES:
            raise web.HTTPRequestEntityTooLarge(MAX_BODY_BYTES, request.content_length or 0)
        body = await request.read()
        if len(body) > MAX_BODY_BYTES:
            raise web.HTTPRequestEntityTooLarge(MAX_BODY_BYTES, len(body))
        try:
            form = Form.model_validate(orjson.loads(body))
        except orjson.JSONDecodeError as error:
            raise ErrorAnswer(400, "not_json", "the body is not JSON") from error
        except ValidationError as error:
            problem = error.errors(include_input=False, include_url=False)[0]
            field = ".".join(map(str, problem["loc"])) or "body"
            raise ErrorAnswer(422, "invalid", f"{field}: {problem['msg']}", details={"field": field}) from error
        phone = parse_phone(form.phone)
        if phone is None:
            raise ErrorAnswer(422, "invalid", "phone: this is no phone number", details={"field": "phone"})
        now = self._clock.now()
        fields = form.model_dump(exclude={"id"}) | {"phone": phone}
        external_id = (
            form.id
            or hashlib.sha256(
                orjson.dumps([fields, int(now.timestamp()) // 60], option=orjson.OPT_SORT_KEYS)
            ).hexdigest()
        )
        event = IncomingEvent("form_sent", external_id, f"form:{phone}", orjson.dumps(fields))
        stored = await self._intake.put("site", [event], received_at=now, headers=masked_headers(request.headers))
        return json_response({"accepted": True, "event_id": stored[0].id, "new": stored[0].is_new}, status=202)
