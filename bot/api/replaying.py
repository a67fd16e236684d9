"""What a replay is asked with, and how a rehearsal of one is told."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict, StrictBool, ValidationError

from bot.http import ErrorAnswer
from bot.rehearsal import Rehearsed

MAX_BODY_BYTES = 64 * 1024


class ReplayWish(BaseModel):
    """An unknown field is refused: a misspelled `dry_run` must not become a replay."""

    model_config = ConfigDict(extra="forbid")

    dry_run: StrictBool = False
    force: StrictBool = False


async def replay_wish(request: web.Request) -> ReplayWish:
    """No body is an empty wish. Raises ErrorAnswer 400 or 422."""
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise web.HTTPRequestEntityTooLarge(MAX_BODY_BYTES, request.content_length or 0)
    body = await request.read()
    if len(body) > MAX_BODY_BYTES:
        raise web.HTTPRequestEntityTooLarge(MAX_BODY_BYTES, len(body))
    if not body.strip():
        return ReplayWish()
    try:
        return ReplayWish.model_validate(orjson.loads(body))
    except orjson.JSONDecodeError as error:
        raise ErrorAnswer(400, "not_json", "the body is not JSON") from error
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]
        name = ".".join(map(str, problem["loc"])) or "body"
        raise ErrorAnswer(422, "invalid", f"{name}: {problem['msg']}", details={"field": name}) from error


def as_item(told: Rehearsed) -> dict[str, Any]:
    return {
        "event_id": told.event_id,
        "source": told.source,
        "kind": told.kind,
        "would_be": told.state,
        "sentence": told.sentence,
        "dialog_id": told.dialog_id,
        "turns": [
            {"dialog_id": move.dialog_id, "from_step": move.from_step, "to_step": move.to_step} for move in told.moves
        ],
        "messages": [
            {"to": order.to, "channel": order.system, "text": order.text}
            for order in told.orders
            if order.to != "system"
        ],
        "actions": [{"system": order.system, "action": order.action} for order in told.orders if order.to == "system"],
        "timers": [{"name": name, "due_at": due_at.isoformat().replace("+00:00", "Z")} for name, due_at in told.timers],
        "events": list(told.events),
    }
