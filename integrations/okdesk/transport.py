"""How a call to Okdesk is made: the token, the pace, tries, and what an answer that is no success means.

Source: Okdesk's contract, sections 1 to 4.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import aiohttp
import httpx
import orjson
import structlog
from yarl import URL

from integrations import downloads
from integrations.base import CallLog, Later, Never, Unknown
from integrations.okdesk.errors import Refused, refusal, retry_after_s
from integrations.okdesk.settings import OkdeskSettings

log = structlog.get_logger(__name__)

LARGEST_ANSWER: Final = 10 * 1024 * 1024
TRIES: Final = 5
LONGEST_WAIT_S: Final = 5.0  # between two tries of one call; a longer Retry-After is the sender's business
_MOST_REDIRECTS: Final = 3
_CHUNK: Final = 64 * 1024

Query = Sequence[tuple[str, str]]
Files = Sequence[tuple[str, tuple[str, bytes, str]]]

# Secrets that Okdesk puts into answers: what opens the portal, and links that anybody may follow.
_SECRET: Final = re.compile(
    rb'("(?:authentication_code|api_key|attachment_url|url|password)"\s*:\s*")((?:[^"\\]|\\.)*)"'
)
_TOKEN: Final = re.compile(r"((?:api_token|[a-z-]*signature)=)[^&\s'\"]+", re.IGNORECASE)


class _MaskToken(logging.Filter):
    """httpx logs every address it calls: there sits our token, or the signature of a file's link."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                _TOKEN.sub(r"\1***", str(arg)) if isinstance(arg, str | httpx.URL) else arg for arg in record.args
            )
        return True


_MASK: Final = _MaskToken()


class Transport:
    """One account's connection. Raises integrations.base.Later, Never (`Refused`) and, for writes, Unknown.

    No exception carries an address or is chained to one that does: the token is part of every address.
    """

    def __init__(
        self,
        settings: OkdeskSettings,
        *,
        http: httpx.AsyncClient,
        now: Callable[[], datetime],
        log_call: CallLog,
    ) -> None:
        self._settings = settings
        self._base = httpx.URL(f"{settings.site}/api/v1/")
        self._token = settings.api_token or ""
        self._http = http
        self._now = now
        self._log_call = log_call
        self._chance = random.SystemRandom()
        self._slots = asyncio.Semaphore(settings.in_flight)
        self._starts: deque[float] = deque()
        self._pace_lock = asyncio.Lock()
        self._complained_at: datetime | None = None
        logging.getLogger("httpx").addFilter(_MASK)

    async def get(self, path: str, query: Query = (), *, missing: bool = False) -> Any:
        """Read: tried again on network errors, 429 and 5xx, at most five times. None for an empty answer.

        `missing`: a 200 with `errors` means that the object was deleted.
        """
        for attempt in range(1, TRIES + 1):
            try:
                return await self._call("GET", path, query=query, missing=missing)
            except Later as error:
                pause = error.retry_after_s
                if pause is None:
                    pause = self._settings.retry_base_s * 2 ** (attempt - 1) * (0.5 + self._chance.random())
                if attempt == TRIES or pause > LONGEST_WAIT_S:
                    raise
                await asyncio.sleep(pause)
        raise AssertionError("unreachable")

    async def send(self, method: str, path: str, body: Mapping[str, Any]) -> Any:
        """Write JSON, once: there is no idempotency key. Raises Unknown when the answer was lost."""
        content = orjson.dumps(body)
        headers = {"Content-Type": "application/json; charset=utf-8"}
        return await self._call(method, path, content=content, headers=headers)

    async def upload(self, path: str, fields: Mapping[str, str], files: Files) -> Any:
        """Write a multipart form with files, once."""
        return await self._call("POST", path, data=fields, files=files)

    async def download(self, link: str, limit_bytes: int) -> bytes:
        """Fetch a signed link, without our token. Raises Later or Never."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        status: int | None = None
        timeout = aiohttp.ClientTimeout(total=self._settings.upload_timeout_s)
        url = URL()
        try:
            url = downloads.join(link)
            for _ in range(_MOST_REDIRECTS + 1):
                async with downloads.fetch(url, own=URL(str(self._base)), timeout=timeout) as response:
                    status = response.status
                    if status in downloads.REDIRECTS:
                        url = downloads.join(response.headers.get("Location", ""), url)
                        continue
                    if status >= 500 or status in (403, 429):  # 403: the link is too old by now
                        raise Later(f"Okdesk's file store does not give the file ({status}).")
                    if status != 200:
                        raise Never(f"Okdesk's file store refused ({status}).", code="not_found")
                    return await _read(response.content.iter_chunked(_CHUNK), limit_bytes)
            raise Never("Okdesk's file store redirects in a circle.", code="unavailable")
        except downloads.Forbidden as error:
            raise Never(f"The link of the file is not followed: {error}.", code="forbidden") from None
        except _TooLarge:
            raise Never(f"The file is larger than {limit_bytes} bytes.", code="invalid") from None
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Later(f"Okdesk's file store does not answer ({type(error).__name__}).") from None
        finally:
            shown = str(url.with_query(None)) if url.host else "no address"  # the query is a key to the file
            self._log_call("okdesk", "GET", shown, None, status, None, (loop.time() - started) * 1000)

    # ------------------------------------------------------------------------------------------------ one call

    async def _call(self, method: str, path: str, *, query: Query = (), missing: bool = False, **content: Any) -> Any:
        url, params = self._base.join(path), list(query)
        for _ in range(_MOST_REDIRECTS + 1):
            response, body = await self._exchange(method, url, params, content)
            if response.status_code not in (301, 302, 303, 307, 308):
                return self._meaning(method, path, response, body, missing=missing)
            url = self._redirected(method, response)
            params = [(name, value) for name, value in url.params.multi_items() if name != "api_token"]
        raise Never("Okdesk redirects in a circle.", code="unavailable")

    async def _exchange(
        self, method: str, url: httpx.URL, params: Query, content: Mapping[str, Any]
    ) -> tuple[httpx.Response, bytes]:
        """One request and the whole of its answer."""
        is_read = method == "GET"
        limit_s = self._settings.upload_timeout_s if "files" in content else self._settings.timeout_s
        loop = asyncio.get_running_loop()
        async with self._slots:
            await self._keep_pace(loop)
            started = loop.time()
            status: int | None = None
            body: bytes | None = None
            try:
                async with asyncio.timeout(limit_s):
                    async with self._http.stream(
                        method,
                        url.copy_with(query=None),
                        params=[*params, ("api_token", self._token)],
                        follow_redirects=False,
                        timeout=limit_s,
                        **content,
                    ) as response:
                        status = response.status_code
                        body = await _read(response.aiter_bytes(), LARGEST_ANSWER)
                        return response, body
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
                raise Later(f"Okdesk cannot be reached ({type(error).__name__}).", scope="system") from None
            except _TooLarge:
                too_large = f"The answer of Okdesk is larger than {LARGEST_ANSWER} bytes."
                raise (Never(too_large) if is_read else Unknown(too_large)) from None
            except (httpx.HTTPError, TimeoutError) as error:
                lost = f"Okdesk did not answer ({type(error).__name__})."
                raise (Later(lost, scope="system") if is_read else Unknown(lost)) from None
            finally:
                self._log(method, url, params, content, status, body, (loop.time() - started) * 1000)

    def _meaning(self, method: str, path: str, response: httpx.Response, body: bytes, *, missing: bool) -> Any:
        """The parsed answer of a success; otherwise the error."""
        status, is_read = response.status_code, method == "GET"
        try:
            answer = orjson.loads(body) if body.strip() else None
            is_json = True
        except orjson.JSONDecodeError:
            answer, is_json = None, False
        if status == 429:
            pause = retry_after_s(response.headers.get("Retry-After"), self._now())
            raise Later("Okdesk asks us to slow down (429).", retry_after_s=pause, scope="system")
        if status >= 500 or status == 408:
            pause = retry_after_s(response.headers.get("Retry-After"), self._now())
            if is_read:
                # A 500 is often one object's trouble; a gateway's answer is everybody's.
                scope: Literal["row", "system"] = "row" if status in (500, 408) else "system"
                raise Later(f"Okdesk is out of order ({status}).", retry_after_s=pause, scope=scope)
            raise Unknown(f"Okdesk failed in the middle of the work ({status}).")
        if 200 <= status < 300:
            if not is_json:  # a page of a gateway
                garbage = "The answer of Okdesk is not JSON."
                raise Later(garbage, scope="system") if is_read else Unknown(garbage)
            if not (isinstance(answer, dict) and answer.get("errors")):
                return answer
        error = refusal(status, answer, missing=missing)
        if status in (401, 403):
            self._complain(status, path)
        raise error

    def _redirected(self, method: str, response: httpx.Response) -> httpx.URL:
        """Where to go on. The token goes to no other host, and a write is not repeated elsewhere."""
        try:
            target = response.url.join(response.headers.get("Location", ""))
        except httpx.InvalidURL:
            raise Never("Okdesk redirects to an address that is none.", code="unavailable") from None
        if (target.scheme, target.host, target.port) != (self._base.scheme, self._base.host, self._base.port):
            raise Refused(
                "Okdesk redirects to another host; the token was not sent there. Check OKDESK_URL.",
                status=response.status_code,
                code="unavailable",
                stops_system=True,
            )
        if method != "GET":
            raise Refused("Okdesk redirects: the issue was merged.", status=response.status_code, code="not_found")
        return target

    # --------------------------------------------------------------------------------------------------- pace

    async def _keep_pace(self, loop: asyncio.AbstractEventLoop) -> None:
        """At most `per_second` calls begin within any second."""
        most = max(1, int(self._settings.per_second))
        span = most / self._settings.per_second
        async with self._pace_lock:
            if len(self._starts) >= most:
                pause = self._starts.popleft() + span - loop.time()
                if pause > 0:
                    await asyncio.sleep(pause)
            self._starts.append(loop.time())

    # ---------------------------------------------------------------------------------------------------- logs

    def _log(
        self,
        method: str,
        url: httpx.URL,
        params: Query,
        content: Mapping[str, Any],
        status: int | None,
        body: bytes | None,
        duration_ms: float,
    ) -> None:
        shown = str(url.copy_with(params=params) if params else url.copy_with(query=None))
        sent = content.get("content")
        if "files" in content:
            sizes = [len(file[1]) for _, file in content["files"]]
            sent = orjson.dumps({**content["data"], "files": sizes})
        self._log_call("okdesk", method, shown, self._masked(sent), status, self._masked(body), duration_ms)

    def _masked(self, body: bytes | None) -> bytes | None:
        if body is None:
            return None
        return _SECRET.sub(rb'\1***"', body).replace(self._token.encode(), b"***")

    def _complain(self, status: int, path: str) -> None:
        """Once an hour, not once a request."""
        now = self._now()
        if self._complained_at is None or now - self._complained_at >= timedelta(hours=1):
            self._complained_at = now
            log.error("okdesk_access_refused", status=status, path=path)


class _TooLarge(Exception):
    pass


async def _read(chunks: AsyncIterator[bytes], limit_bytes: int) -> bytes:
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > limit_bytes:
            raise _TooLarge
    return bytes(body)
