"""The aiohttp application: the addresses of all integrations and of the service itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import orjson
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from bot.callers import Failures, Proxies
from bot.clock import Clock
from bot.headers import PRIVATE_HEADERS, WEBHOOK_HEADERS, hide_server, with_headers
from bot.intake import Intake, IntakeBusy, masked_headers, outcomes
from bot.metrics import Metrics
from integrations.base import Answer, IncomingEvent, Integration, Request, Webhook
from storage.inbox import Stored
from storage.tables import EventState

log = structlog.get_logger(__name__)

MAX_BODY_BYTES = 6 * 1024 * 1024  # the largest limit of a contract and some; each address has its own below it
TOO_MANY = ("too_many_failures", "too many requests of this address had a wrong secret; try again later")


class ErrorAnswer(Exception):
    """An error of ours as every address of ours tells it."""

    def __init__(self, status: int, code: str, message: str, *, details: Any = None, headers: Any = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.headers = headers


def json_response(data: Any, *, status: int = 200, headers: Any = None) -> web.Response:
    return web.Response(
        body=orjson.dumps(data, default=str),
        status=status,
        content_type="application/json",
        headers=with_headers(PRIVATE_HEADERS, headers),
    )


def error_response(status: int, code: str, message: str, *, details: Any = None, headers: Any = None) -> web.Response:
    return json_response(error_body(code, message, details), status=status, headers=headers)


def error_body(code: str, message: str, details: Any = None) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "details": details or {}}}


_CODES = {400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "method_not_allowed",
          413: "too_large", 415: "unsupported_media_type"}  # fmt: skip


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every refusal in one form, and never a traceback."""
    try:
        return await handler(request)
    except ErrorAnswer as error:
        return error_response(error.status, error.code, error.message, details=error.details, headers=error.headers)
    except web.HTTPRequestEntityTooLarge:
        return error_response(413, "too_large", "the body is too large")
    except web.HTTPException as error:
        if error.status < 400:
            raise
        headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
        code = _CODES.get(error.status, "error")
        return error_response(error.status, code, error.reason or code, headers=headers)
    except IntakeBusy as error:
        return error_response(503, "unavailable", str(error), headers={"Retry-After": str(error.retry_after_s)})
    except asyncio.CancelledError:
        raise
    except Exception:
        log.exception("request_failed", path=request.path)
        return error_response(500, "internal", "something went wrong on our side")


class WebhookHandler:
    """Runs one integration's webhook: read the bytes, let it check and cut them, store, answer."""

    def __init__(
        self,
        integration: Integration,
        webhook: Webhook,
        *,
        intake: Intake,
        clock: Clock,
        metrics: Metrics,
        proxies: Proxies,
        failures: Failures,
        acknowledge: Callable[[Integration, Sequence[IncomingEvent], Sequence[Stored]], None],
    ) -> None:
        self._integration = integration
        self._webhook = webhook
        self._intake = intake
        self._clock = clock
        self._metrics = metrics
        self._proxies = proxies
        self._failures = failures
        self._acknowledge = acknowledge
        self._source = integration.name

    async def handle(self, request: web.Request) -> web.StreamResponse:
        webhook = self._webhook
        if request.method not in webhook.methods:
            raise web.HTTPMethodNotAllowed(request.method, webhook.methods)
        length = request.content_length
        if length is not None and length > webhook.max_body_bytes:
            raise web.HTTPRequestEntityTooLarge(webhook.max_body_bytes, length)
        body = await request.read()
        if len(body) > webhook.max_body_bytes:
            raise web.HTTPRequestEntityTooLarge(webhook.max_body_bytes, len(body))
        now = self._clock.now()
        query = {name: request.query.getall(name) for name in request.query} if request.query_string else {}
        path = request.path if webhook.with_tail else webhook.path
        caller = self._proxies.caller(request.remote, request.headers)
        asked = Request(request.method, path, query, request.headers, body, caller, now)
        received = webhook.receive(asked)
        if isinstance(received, Answer):
            if received.status in (401, 403):
                return self._refused(received, caller)
            return _response(received)
        events = received.events
        stored = await self._intake.put(
            self._source,
            events,
            received_at=now,
            headers=masked_headers(request.headers),
            batch=body if len(events) > 1 else None,
        )
        if self._integration.acknowledge is not None:
            self._acknowledge(self._integration, events, stored)
        results: list[str | None] = []
        if received.wait_s:
            results = await self._intake.results(stored, wait_s=received.wait_s)
        return _response(received.answer(outcomes(stored, results)))

    def _refused(self, answer: Answer, caller: str | None) -> web.Response:
        """As the contract says, until this address has failed too often."""
        self._metrics.refused.labels(self._source).inc()
        retry_after_s = self._failures.count(caller)
        if retry_after_s is not None:
            return _response(
                Answer(429, orjson.dumps(error_body(*TOO_MANY)), headers=(("Retry-After", str(retry_after_s)),))
            )
        log.warning("webhook_refused", source=self._source, status=answer.status, remote=caller)
        return _response(answer)


def _response(answer: Answer) -> web.Response:
    return web.Response(
        body=answer.body,
        status=answer.status,
        content_type=answer.content_type,
        headers=with_headers(WEBHOOK_HEADERS, answer.headers),
    )


def make_application(*, middlewares: Iterable[Any] = ()) -> web.Application:
    hide_server()
    return web.Application(middlewares=[errors_as_json, *middlewares], client_max_size=MAX_BODY_BYTES)


def add_webhooks(app: web.Application, handlers: Iterable[tuple[Webhook, Callable[..., Awaitable[Any]]]]) -> None:
    """Every method goes to the handler, which knows what to refuse."""
    for webhook, handle in handlers:
        app.router.add_route("*", webhook.path, handle)
        if webhook.with_tail:
            app.router.add_route("*", webhook.path + "/{tail:[^/]*}", handle)


__all__ = ["ErrorAnswer", "EventState", "WebhookHandler", "add_webhooks", "error_response", "json_response"]
