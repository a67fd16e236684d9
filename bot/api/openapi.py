"""The OpenAPI 3.1 description of every address of ours."""

from __future__ import annotations

from typing import Any

from bot.version import VERSION

Json = dict[str, Any]

_ERROR = {"$ref": "#/components/schemas/Error"}
_INTEGER = {"type": "integer", "format": "int64"}
_TEXT = {"type": "string"}
_MAYBE_TEXT = {"type": ["string", "null"]}
_MAYBE_INTEGER = {"type": ["integer", "null"]}
_TIME = {"type": "string", "format": "date-time"}
_MAYBE_TIME = {"type": ["string", "null"], "format": "date-time"}
_ANY_OBJECT: Json = {"type": "object"}


def _object(required: bool = True, **properties: Any) -> Json:
    schema: Json = {"type": "object", "properties": properties}
    if required:
        schema["required"] = list(properties)
    return schema


def _page(item: str) -> Json:
    return _object(
        total={"type": "integer"}, items={"type": "array", "items": {"$ref": f"#/components/schemas/{item}"}}
    )


SCHEMAS: Json = {
    "Error": _object(
        error=_object(code=_TEXT, message=_TEXT, details=_ANY_OBJECT),
    ),
    "Event": _object(
        id=_INTEGER, source=_TEXT, kind=_TEXT, external_id=_TEXT,
        state={"type": "string", "enum": ["waiting", "done", "ignored", "dead"]},
        received_at=_TIME, processed_at=_MAYBE_TIME, attempts={"type": "integer"}, error=_MAYBE_TEXT,
        dialog_id=_MAYBE_INTEGER, order_id=_MAYBE_INTEGER,
    ),
    "EventWithBody": {
        "allOf": [
            {"$ref": "#/components/schemas/Event"},
            _object(
                body={"description": "the event as it came: JSON, else text"},
                request_body={"description": "the whole request, if it held several events"},
                headers=_ANY_OBJECT,
            ),
        ]
    },
    "Dialog": _object(
        id=_INTEGER, channel=_TEXT, address=_MAYBE_TEXT, flow=_TEXT, version={"type": "integer"}, step=_TEXT,
        status={"type": "string", "enum": ["active", "handed_off", "closed"]}, variables=_ANY_OBJECT, updated_at=_TIME,
    ),
    "Message": _object(
        id=_INTEGER, direction={"type": "string", "enum": ["in", "out"]}, kind=_TEXT, text=_MAYBE_TEXT, status=_TEXT,
        external_id=_MAYBE_TEXT, at=_TIME,
    ),
    "DialogWithHistory": {
        "allOf": [
            {"$ref": "#/components/schemas/Dialog"},
            _object(
                messages={"type": "array", "items": {"$ref": "#/components/schemas/Message"}},
                turns={"type": "array", "items": _ANY_OBJECT},
                issues={"type": "array", "items": _ANY_OBJECT},
                payments={"type": "array", "items": _ANY_OBJECT},
                orders={"type": "array", "items": _ANY_OBJECT},
            ),
        ]
    },
    "Moment": _object(
        dialog_id=_INTEGER, turn={"type": "integer"}, at=_TIME, event=_ANY_OBJECT, from_step=_MAYBE_TEXT,
        to_step=_MAYBE_TEXT, version=_MAYBE_INTEGER, decided={"type": "array", "items": _TEXT},
        frames={"type": "array", "items": _object(flow=_TEXT, variables=_ANY_OBJECT)}, variables=_ANY_OBJECT,
        contact=_ANY_OBJECT, effects={"type": "array", "items": _ANY_OBJECT}, last_turn=_MAYBE_INTEGER,
    ),
    "Funnel": _object(
        flow=_TEXT, version=_MAYBE_INTEGER, until=_MAYBE_TIME,
        steps={
            "type": "array",
            "items": _object(
                step=_TEXT, title=_MAYBE_TEXT, entered={"type": "integer"}, went_on={"type": "integer"},
                dropped={"type": "integer"}, inside={"type": "integer"}, seconds={"type": ["number", "null"]},
            ),
        },
        goals={"type": "array", "items": _object(goal=_TEXT, reached={"type": "integer"})},
    ),
    "Delivery": _object(
        id=_INTEGER, system=_TEXT, action=_TEXT, recipient=_TEXT, key=_TEXT,
        state={"type": "string", "enum": ["waiting", "sending", "done", "unknown", "dead", "cancelled"]},
        attempts={"type": "integer"}, next_try_at=_MAYBE_TIME, error=_MAYBE_TEXT, external_id=_MAYBE_TEXT,
    ),
    "Call": _object(
        id=_INTEGER, at=_TIME, system=_TEXT, method=_TEXT, url=_TEXT, request={}, status=_MAYBE_INTEGER, response={},
        duration_ms={"type": "integer"},
    ),
    "DeadLetterGroup": _object(
        group=_TEXT, what={"type": "string", "enum": ["event", "delivery"]}, source=_TEXT, kind=_TEXT, reason=_TEXT,
        count={"type": "integer"}, oldest=_TIME, newest=_TIME, example_id=_INTEGER, ends_unknown={"type": "integer"},
    ),
    "ReplayWish": {
        **_object(required=False, dry_run={"type": "boolean"}, force={"type": "boolean"}),
        "additionalProperties": False,
    },
    "Rehearsed": _object(
        event_id=_INTEGER, source=_TEXT, kind=_TEXT,
        would_be={"type": "string", "enum": ["waiting", "done", "ignored", "dead"]}, sentence=_MAYBE_TEXT,
        dialog_id=_MAYBE_INTEGER, turns={"type": "array", "items": _ANY_OBJECT},
        messages={"type": "array", "items": _ANY_OBJECT}, actions={"type": "array", "items": _ANY_OBJECT},
        timers={"type": "array", "items": _ANY_OBJECT}, events={"type": "array", "items": _TEXT},
    ),
    "RehearsedGroup": _object(
        group=_TEXT, what=_TEXT, total={"type": "integer"}, kept={"type": "integer"},
        items={"type": "array", "items": _ANY_OBJECT},
    ),
    "Events": _page("Event"),
    "DeadLetterGroups": _page("DeadLetterGroup"),
    "Dialogs": _page("Dialog"),
    "Deliveries": _page("Delivery"),
    "Calls": _page("Call"),
    "Health": _object(
        status={"type": "string", "enum": ["ok", "degraded", "failed"]}, version=_TEXT, database=_TEXT,
        oldest_waiting_s={"type": "number"}, stuck_deliveries={"type": "integer"},
        systems={"type": "object", "additionalProperties": {"type": "string", "enum": ["up", "down", "off"]}},
    ),
    "Form": {
        **_object(
            required=False,
            form={"type": "string", "minLength": 1, "maxLength": 100},
            phone={"type": "string", "maxLength": 60},
            name={"type": ["string", "null"], "maxLength": 200},
            email={"type": ["string", "null"], "maxLength": 254},
            text={"type": ["string", "null"], "maxLength": 4000},
            page={"type": ["string", "null"], "maxLength": 2000},
            id={"type": ["string", "null"], "maxLength": 200},
        ),
        "required": ["form", "phone"],
    },
}  # fmt: skip


def _answer(description: str, schema: str | None = None) -> Json:
    if schema is None:
        return {"description": description}
    return {
        "description": description,
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
    }


def _error(description: str) -> Json:
    return {"description": description, "content": {"application/json": {"schema": _ERROR}}}


_SKIP = {
    "name": "skip",
    "in": "query",
    "schema": {"type": "integer", "minimum": 0, "maximum": 10_000_000, "default": 0},
}
_LIMIT = {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}}
_ID = {"name": "id", "in": "path", "required": True, "schema": {**_INTEGER, "minimum": 0}}


def _filter(name: str, *words: str) -> Json:
    schema: Json = {"type": "string", "enum": list(words)} if words else {"type": "string"}
    return {"name": name, "in": "query", "schema": schema}


_API_ERRORS: Json = {
    "401": _error("No or wrong bearer token"),
    "429": _error("Too many failures of this address; see Retry-After"),
    "403": _error("API_TOKEN is not set and the caller is not on this machine"),
    "503": _error("The database is away; see Retry-After"),
}


_REPLAY_WISH: Json = {
    "required": False,
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ReplayWish"}}},
}
_REPLAY_ERRORS: Json = {
    "400": _error("Not JSON"),
    "413": _error("The body is too large"),
    "422": _error("A field is unknown or wrong"),
    **_API_ERRORS,
}


def _list(summary: str, schema: str, *filters: Json) -> Json:
    return {
        "get": {
            "tags": ["operators"],
            "summary": summary,
            "security": [{"api": []}],
            "parameters": [*filters, _SKIP, _LIMIT],
            "responses": {"200": _answer("Newest first", schema), "422": _error("A wrong parameter"), **_API_ERRORS},
        }
    }


def _one(summary: str, schema: str, *parameters: Json) -> Json:
    return {
        "get": {
            "tags": ["operators"],
            "summary": summary,
            "security": [{"api": []}],
            "parameters": list(parameters) or [_ID],
            "responses": {"200": _answer(summary, schema), "404": _error("There is none"), **_API_ERRORS},
        }
    }


def _webhook(summary: str, security: list[Json], *, body: str = "application/json", errors: Json) -> Json:
    return {
        "tags": ["webhooks"],
        "summary": summary,
        "security": security,
        "requestBody": {"content": {body: {"schema": {}}}},
        "responses": {
            "200": {"description": "Every event in it is durable"},
            "405": _error("Another method; see Allow"),
            "413": _error("The body is too large"),
            "503": _error("Nothing was stored; come again after Retry-After seconds"),
            **errors,
        },
    }


_WRONG_SENDER = {
    "401": {"description": "The sender check failed"},
    "429": {"description": "It failed too often from this address; see Retry-After"},
}

PATHS: Json = {
    "/webhooks/whatsapp": {
        "get": {
            "tags": ["webhooks"],
            "summary": "Verification by Meta",
            "parameters": [_filter("hub.mode"), _filter("hub.challenge"), _filter("hub.verify_token")],
            "responses": {
                "200": {"description": "The challenge", "content": {"text/plain": {"schema": _TEXT}}},
                "403": {"description": "Wrong token or mode"},
            },
        },
        "post": _webhook("Messages and statuses of WhatsApp", [{"whatsapp": []}], errors=_WRONG_SENDER),
    },
    "/webhooks/telegram": {"post": _webhook("Updates of Telegram", [{"telegram": []}], errors=_WRONG_SENDER)},
    "/webhooks/okdesk": {
        "post": _webhook(
            "Events of Okdesk",
            [{"basic": []}],
            errors={**_WRONG_SENDER, "400": {"description": "Not a JSON object with event.event_type; kept"}},
        )
    },
    "/webhooks/onec": {
        "get": {
            "tags": ["webhooks"],
            "summary": "Connection check for a 1C programmer",
            "security": [{"api": []}, {"onec": []}, {"basic": []}],
            "responses": {"200": {"description": "ok, time and source"}, "401": {"description": "Wrong token"}},
        },
        "post": _webhook(
            "Events of 1C: one, a batch or a bare array",
            [{"api": []}, {"onec": []}, {"basic": []}],
            errors={
                **_WRONG_SENDER,
                "400": {"description": "Not JSON; kept"},
                "403": {"description": "Unknown base or network"},
                "409": {"description": "The id is known with another body"},
                "415": {"description": "XML or multipart"},
                "422": {"description": "A field is missing or unreadable"},
            },
        ),
    },
    "/api/v1/forms": {
        "post": {
            "tags": ["back office"],
            "summary": "A form of the web site",
            "security": [{"api": []}],
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Form"}}},
            },
            "responses": {
                "202": {"description": "It is durable; a repeat with the same id has no effect"},
                "400": _error("Not JSON"),
                "413": _error("The body is too large"),
                "422": _error("A field is missing or wrong"),
                **_API_ERRORS,
            },
        }
    },
    "/api/v1/webhooks/events": _list(
        "Events that came in", "Events", _filter("source"), _filter("state", "waiting", "done", "ignored", "dead")
    ),
    "/api/v1/webhooks/events/{id}": _one("One event with its body", "EventWithBody"),
    "/api/v1/webhooks/events/{id}/replay": {
        "post": {
            "tags": ["operators"],
            "summary": "Handle an ended event again, or with dry_run say what that would do",
            "security": [{"api": []}],
            "parameters": [_ID],
            "requestBody": _REPLAY_WISH,
            "responses": {
                "200": _answer("What it would do; nothing was done", "Rehearsed"),
                "202": {"description": "It waits to be handled"},
                "404": _error("There is none"),
                "409": _error("It has not been handled yet"),
                **_REPLAY_ERRORS,
            },
        }
    },
    "/api/v1/dead-letters": _list("Dead events and deliveries, grouped by their trouble", "DeadLetterGroups"),
    "/api/v1/dead-letters/{group}/replay": {
        "post": {
            "tags": ["operators"],
            "summary": "Give all of one trouble another chance, or with dry_run say what that would do",
            "description": "Deliveries that perhaps were done are kept (`kept` in the answer) unless `force` is true. "
            "A dry run looks at the first 50.",
            "security": [{"api": []}],
            "parameters": [{"name": "group", "in": "path", "required": True, "schema": {**_TEXT, "minLength": 1}}],
            "requestBody": _REPLAY_WISH,
            "responses": {
                "200": _answer("What it would do; nothing was done", "RehearsedGroup"),
                "202": {"description": "They wait to be handled or sent"},
                "404": _error("There is no such group, or not any more"),
                **_REPLAY_ERRORS,
            },
        }
    },
    "/api/v1/dialogs": _list(
        "Conversations",
        "Dialogs",
        _filter("channel"),
        _filter("address"),
        _filter("state", "active", "handed_off", "closed"),
    ),
    "/api/v1/dialogs/{id}": _one("One conversation with messages, turns, issues and payments", "DialogWithHistory"),
    "/api/v1/dialogs/{id}/turns/{turn}": _one(
        "A conversation as it stood after one of its turns, and what became of what the turn ordered",
        "Moment",
        _ID,
        {**_ID, "name": "turn"},
    ),
    "/api/v1/flows/{flow}/stats": _one(
        "How many entered each step of a flow, went on, and were lost there",
        "Funnel",
        {"name": "flow", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}},
        {"name": "version", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}},
    ),
    "/api/v1/deliveries": _list(
        "What was ordered from other systems",
        "Deliveries",
        _filter("state", "waiting", "sending", "done", "unknown", "dead", "cancelled"),
    ),
    "/api/v1/logs": _list("Calls that we made", "Calls"),
    "/health": {
        "get": {
            "tags": ["service"],
            "summary": "How the service is doing",
            "responses": {"200": _answer("It works", "Health"), "503": _answer("It does not", "Health")},
        }
    },
    "/health/ready": {
        "get": {
            "tags": ["service"],
            "summary": "Whether to send requests here",
            "responses": {"200": _answer("Yes", "Health"), "503": _answer("No", "Health")},
        }
    },
    "/metrics": {
        "get": {
            "tags": ["service"],
            "summary": "Metrics for Prometheus",
            "responses": {"200": {"description": "Text format", "content": {"text/plain": {"schema": _TEXT}}}},
        }
    },
}


def document() -> Json:
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "fixit-exchange",
            "version": VERSION,
            "description": "Dialogs between customers' messengers and the back office. "
            "Every webhook is answered only after its events are durable.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "tags": [{"name": name} for name in ("webhooks", "operators", "back office", "service")],
        "paths": PATHS,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "api": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic"},
                "whatsapp": {"type": "apiKey", "in": "header", "name": "X-Hub-Signature-256"},
                "telegram": {"type": "apiKey", "in": "header", "name": "X-Telegram-Bot-Api-Secret-Token"},
                "onec": {"type": "apiKey", "in": "header", "name": "X-Token"},
            },
        },
    }
