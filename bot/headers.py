"""What every answer of ours tells the browser that may stand at the other end, and what it keeps to itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aiohttp import web_response
from multidict import CIMultiDict

SERVER_NAME = "fixit"  # without versions: those tell an attacker what to try

# A webhook is called by machines and is on the measured path: the one header that costs next to nothing.
WEBHOOK_HEADERS: Mapping[str, str] = {"X-Content-Type-Options": "nosniff"}
PRIVATE_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


def with_headers(
    usual: Mapping[str, str], own: Mapping[str, str] | Iterable[tuple[str, str]] | None = None
) -> CIMultiDict[str]:
    """The usual headers and the answer's own ones, which win."""
    headers = CIMultiDict(usual)
    if own:
        headers.update(own)
    return headers


def hide_server() -> None:
    """aiohttp names itself, Python and their versions in `Server` of each answer.

    Its constant is replaced, not the header of every answer: that costs nothing, and is the only way that also
    reaches the answer to what is no HTTP at all, which no application sees.
    """
    web_response.SERVER_SOFTWARE = SERVER_NAME  # type: ignore[attr-defined]
