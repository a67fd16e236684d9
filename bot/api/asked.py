"""What addresses of /api/v1 read of a request, and how they tell that the database is away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from bot.http import ErrorAnswer
from storage.database import DatabaseAway

MAX_LIMIT = 200
MAX_ID = 2**63 - 1


@contextmanager
def database_errors() -> Iterator[None]:
    """Raises ErrorAnswer 503 for a database that is away."""
    try:
        yield
    except DatabaseAway as error:
        raise ErrorAnswer(503, "unavailable", "the database is away", headers={"Retry-After": "3"}) from error


def page(request: web.Request) -> tuple[int, int]:
    """`skip` and `limit` of a list. Raises ErrorAnswer 422."""
    return (
        _number(request.query.get("skip", "0"), "skip", 0, 10_000_000),
        _number(request.query.get("limit", "50"), "limit", 1, MAX_LIMIT),
    )


def row_id(request: web.Request, name: str = "id") -> int:
    text = request.match_info[name]
    if not (text.isascii() and text.isdigit()) or int(text) > MAX_ID:
        raise ErrorAnswer(404, "not_found", f"there is nothing with the id {text[:40]!r}")
    return int(text)


def _number(text: str, name: str, low: int, high: int) -> int:
    if not (text.isascii() and text.isdigit()) or not low <= int(text[:12]) <= high:
        raise ErrorAnswer(
            422, "invalid", f"{name} must be a whole number from {low} to {high}", details={"field": name}
        )
    return int(text)
