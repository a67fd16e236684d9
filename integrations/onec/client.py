"""One method for each call that we make to 1C (contract §6 and §7)."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx
import structlog

from integrations.base import CallLog, Never, Unknown
from integrations.onec.body import canonical_bytes
from integrations.onec.errors import FieldError, NotFound, NotPublished, Rejected, Unavailable
from integrations.onec.odata import (
    Reply,
    Rows,
    check,
    hs_url,
    list_options,
    odata_url,
    publication,
    reply_json,
    rows_of,
)
from integrations.onec.reading import Snapshot, parse_snapshot
from integrations.onec.settings import OnecSettings

log = structlog.get_logger(__name__)

TIMEOUT = httpx.Timeout(60.0, connect=15.0)  # the first call after idling opens a session: 10–60 s (§7)
MAX_ANSWER_BYTES = 20 * 1024 * 1024
RECHECK_SERVICE = timedelta(minutes=10)


class OnecClient:
    """Calls of one base, one at a time: each takes a client licence.

    All raise Unavailable (try later), Never (and its kinds NotFound, NotPublished, Rejected); those that write also
    Unknown (the answer was lost).
    """

    def __init__(
        self, settings: OnecSettings, http: httpx.AsyncClient, *, now: Callable[[], datetime], log_call: CallLog
    ) -> None:
        if not settings.url:
            raise ValueError("the 1C client needs the address of the publication")
        self._settings = settings
        self._http = http  # opened and closed by the caller
        self._now = now
        self._log_call = log_call
        self._base = publication(settings.url)
        login = f"{settings.user or ''}:{settings.password or ''}".encode()  # UTF-8: Cyrillic logins happen
        self._headers = {"Accept": "application/json"}
        if settings.user:
            self._headers["Authorization"] = f"Basic {base64.b64encode(login).decode('ascii')}"
        self._one_at_a_time = asyncio.Lock()
        self._service_missing_until: datetime | None = None

    # ----------------------------------------------------------------------------------------- HTTP service, §7

    async def ping(self) -> Mapping[str, Any]:
        """{"ok": true, "config": …, "base_id": …}"""
        return _object(await self._call("GET", hs_url(self._base, "ping")))

    async def order(self, external_id: str) -> Snapshot:
        """Our order with the state of its payment. Raises NotFound, NotPublished."""
        if self._service_missing_until is not None and self._now() < self._service_missing_until:
            raise NotPublished("the HTTP service of 1C is not published")
        try:
            reply = await self._call("GET", hs_url(self._base, "orders", external_id))
        except NotPublished as error:
            # A bare 404 is either: no such order, or the service's root name is wrong. Only another call tells.
            if await self._service_answers():
                raise NotFound(f"1C knows no order {external_id}") from error
            self._service_missing_until = self._now() + RECHECK_SERVICE
            raise
        return self._snapshot(_object(reply))

    def _snapshot(self, content: Mapping[str, Any]) -> Snapshot:
        try:
            return parse_snapshot(content, self._settings)
        except FieldError as error:
            raise Rejected(f"the order of 1C cannot be read: {error.code} in {error.field}") from error

    async def _service_answers(self) -> bool:
        try:
            await self.ping()
        except Never:
            return False
        return True

    async def create_order(self, order: Mapping[str, Any]) -> Mapping[str, Any]:
        """Idempotent by `external_id` (we ask the 1C programmer for that): {"guid", "number", "date", "created"}."""
        return _object(await self._call("POST", hs_url(self._base, "orders"), order), writes=True)

    async def create_invoice(self, external_id: str) -> Mapping[str, Any]:
        """Number, sum, url and `pdf_base64` of a new invoice for our order."""
        url = hs_url(self._base, "invoices")
        return _object(await self._call("POST", url, {"order_external_id": external_id}), writes=True)

    async def changes(self, *, since: int, limit: int = 200) -> Mapping[str, Any]:
        """{"events": […], "next": seq}: replaces push where 1C may not call out."""
        return _object(await self._call("GET", hs_url(self._base, "changes", query=f"?since={since}&limit={limit}")))

    # ------------------------------------------------------------------------------------------------ OData, §6

    async def rows(
        self,
        resource: str,
        *,
        where: str | None = None,
        select: Sequence[str] = (),
        order_by: str | None = None,
        top: int | None = None,
        skip: int | None = None,
        count: bool = False,
    ) -> Rows:
        """Objects of a resource such as Document_ЗаказПокупателя. Raises NotPublished when it is not in the set."""
        options = list_options(where=where, select=select, order_by=order_by, top=top, skip=skip, count=count)
        return rows_of(await self._call("GET", odata_url(self._base, resource, options=options)))

    async def row(self, resource: str, guid: str, *, select: Sequence[str] = ()) -> Mapping[str, Any]:
        """One object. Raises NotFound."""
        options = {"$select": ",".join(select)} if select else {}
        return _object(await self._call("GET", odata_url(self._base, resource, guid=guid, options=options)))

    async def count(self, resource: str) -> int:
        """The answer is plain text."""
        reply = await self._call("GET", odata_url(self._base, resource, operation="$count"))
        digits = reply.body.decode("utf-8-sig", errors="replace").strip()
        if not digits.isdecimal():
            raise Rejected("1C answered a count that is no number")
        return int(digits)

    async def create(self, resource: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """A new object, not posted. OData has no idempotency: after Unknown search by our key before a repeat."""
        return _object(await self._call("POST", odata_url(self._base, resource), fields), writes=True)

    async def change(self, resource: str, guid: str, fields: Mapping[str, Any]) -> None:
        """Only the given fields; a tabular part is replaced whole. Never DELETE: that removes physically."""
        await self._call("PATCH", odata_url(self._base, resource, guid=guid), fields)

    async def post(self, resource: str, guid: str) -> None:
        """Post a document. Raises ConfigurationError with 1C's own sentence when it cannot be posted."""
        options = {"PostingModeOperational": "false"}
        await self._call("POST", odata_url(self._base, resource, guid=guid, operation="Post", options=options), {})

    # ------------------------------------------------------------------------------------------------- transport

    async def _call(self, method: str, url: str, content: Mapping[str, Any] | None = None) -> Reply:
        body = None if content is None else canonical_bytes(content)
        writes = method != "GET"
        async with self._one_at_a_time:
            started = time.perf_counter()
            reply: Reply | None = None
            try:
                reply = await self._send(method, url, body)
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
                raise Unavailable("1C cannot be reached", scope="system") from error
            except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
                raise NotPublished("the address of 1C is wrong") from error
            except httpx.HTTPError as error:
                if writes:
                    raise Unknown("1C did not answer") from error
                raise Unavailable("1C did not answer", scope="system") from error
            finally:
                duration_ms = (time.perf_counter() - started) * 1000
                status, answer = (reply.status, reply.body) if reply else (None, None)
                self._log_call("onec", method, url, body, status, answer, duration_ms)
        check(reply, writes=writes)
        return reply

    async def _send(self, method: str, url: str, body: bytes | None) -> Reply:
        headers = (
            self._headers if body is None else {**self._headers, "Content-Type": "application/json; charset=utf-8"}
        )
        async with self._http.stream(
            method, url, content=body, headers=headers, timeout=TIMEOUT, follow_redirects=False
        ) as response:
            received = bytearray()
            async for piece in response.aiter_bytes():
                received += piece
                if len(received) > MAX_ANSWER_BYTES:
                    raise httpx.ReadError("the answer is too large")
            retry_after = response.headers.get("Retry-After", "")
            return Reply(
                status=response.status_code,
                body=bytes(received),
                content_type=response.headers.get("Content-Type", ""),
                retry_after_s=float(retry_after) if retry_after.isdecimal() else None,
            )


def _object(reply: Reply, *, writes: bool = False) -> Mapping[str, Any]:
    """Raises Unknown or Rejected when the answer is no JSON object: XML, a page of the web server."""
    content = reply_json(reply)
    if isinstance(content, Mapping):
        return content
    if writes:
        raise Unknown("1C answered with something that is no JSON object")
    raise Rejected("1C answered with something that is no JSON object", code="unavailable")
