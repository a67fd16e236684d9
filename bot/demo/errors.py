"""Refusals of the playground, and the middleware that gives all of them one form."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from aiohttp import web

log = structlog.get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

WORDS = {400: "bad_request", 404: "not_found", 405: "method_not_allowed", 413: "too_large"}


class DemoError(Exception):
    """The request cannot be carried out; nothing was done. `message` is one sentence for people."""

    status = 422

    def __init__(self, code: str, message: str, details: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details


class BadInput(DemoError):
    """The body or the query is not what the address takes."""


class NotFound(DemoError):
    """The issue, system or address does not exist here."""

    status = 404


class Forbidden(DemoError):
    """A page of another site tried to use the playground."""

    status = 403


class TooLarge(DemoError):
    """No wish of a visitor is that long."""

    status = 413


class StandInFailed(DemoError):
    """A stand-in could not do it, often because the visitor asked for trouble."""

    status = 502


def error_response(status: int, code: str, message: str, details: Any = None) -> web.Response:
    return web.json_response({"error": {"code": code, "message": message, "details": details}}, status=status)


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every failure below /demo into `{"error": {"code", "message", "details"}}`."""
    try:
        return await handler(request)
    except DemoError as error:
        return error_response(error.status, error.code, error.message, error.details)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        response = error_response(error.status, WORDS.get(error.status, "failed"), error.reason)
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response
    except Exception:
        log.exception("demo_request_failed", path=request.path)
        return error_response(500, "internal", "The playground failed. The log of the service says why.")


@web.middleware
async def own_pages_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse changes that a page of another site sends through the visitor's browser.

    The playground has no sign-in, so the browser's own `Sec-Fetch-Site` is the only proof of who asks. Scripts do not
    send it and pass.
    """
    if request.method not in ("GET", "HEAD") and request.headers.get("Sec-Fetch-Site", "none") not in (
        "same-origin",
        "none",
    ):
        raise Forbidden("foreign_page", "Only the playground's own page and scripts may do this.")
    return await handler(request)
