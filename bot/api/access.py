"""Who may use /api/v1: the bearer of API_TOKEN; without one, only callers on this machine."""

from __future__ import annotations

import hmac
from ipaddress import ip_address

from aiohttp import web

from bot.callers import Failures, Proxies
from bot.http import TOO_MANY, ErrorAnswer


class Access:
    def __init__(self, token: str | None, *, proxies: Proxies, failures: Failures) -> None:
        self._token = None if token is None else token.encode()
        self._proxies = proxies
        self._failures = failures

    def check(self, request: web.Request) -> None:
        """Raises ErrorAnswer 401 or 403; 429 to an address that has failed too often."""
        try:
            self._check(request)
        except ErrorAnswer as refusal:
            retry_after_s = self._failures.count(self._proxies.caller(request.remote, request.headers))
            if retry_after_s is None:
                raise
            raise ErrorAnswer(429, *TOO_MANY, headers={"Retry-After": str(retry_after_s)}) from refusal

    def _check(self, request: web.Request) -> None:
        if self._token is None:
            if not _is_local(request):
                raise ErrorAnswer(
                    403, "forbidden", "API_TOKEN is not set, so this address answers only to callers on its own machine"
                )
            return
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        given_bytes = given.strip().encode("utf-8", "surrogateescape")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given_bytes, self._token):
            raise ErrorAnswer(
                401,
                "unauthorized",
                "send the header Authorization: Bearer API_TOKEN",
                headers={"WWW-Authenticate": 'Bearer realm="fixit"'},
            )


def _is_local(request: web.Request) -> bool:
    """A proxy in front makes everybody local: with one, API_TOKEN must be set."""
    if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
        return False
    try:
        return ip_address(request.remote or "").is_loopback
    except ValueError:
        return False
