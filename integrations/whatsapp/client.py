"""One method for each call that we make to Meta's Graph API. Contract: sections 1, 5, 8, 9."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson
from yarl import URL

from integrations.base import CallLog, Later, Unknown
from integrations.whatsapp.connections import AnswerLost, Connections, NotSent, Reply, head_of_post
from integrations.whatsapp.errors import GraphError, refusal
from integrations.whatsapp.settings import WhatsAppSettings

USER_AGENT = "fixit-exchange/1.0"
# No total: it could run out while the request still waits for a connection, and then nobody could tell whether it
# was written. `connect` covers the pool, name, TCP and TLS; what runs out there was surely not sent.
# `sock_read` is the time for the whole answer to a message, elsewhere the time without a byte.
TIMEOUT = aiohttp.ClientTimeout(total=None, connect=10.0, sock_connect=5.0, sock_read=20.0)
# The request did not reach Meta. Everything else that breaks may have broken after it was written.
_NOT_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)


class WhatsAppClient:
    """Calls of `graph.facebook.com`.

    Messages go through connections of our own (decision 0014), with heads that are built once; the rest by `http`.
    """

    def __init__(
        self,
        settings: WhatsAppSettings,
        http: aiohttp.ClientSession,
        log_call: CallLog,
        timeout: aiohttp.ClientTimeout = TIMEOUT,
    ) -> None:
        """Raises ValueError if a setting cannot stand in an HTTP request."""
        self.http = http  # opened and closed by the caller
        self.log_call = log_call
        self._timeout = timeout
        self.numbers = settings.numbers
        self.authorization = {"Authorization": f"Bearer {settings.access_token}", "User-Agent": USER_AGENT}
        base = f"{settings.api_url.rstrip('/')}/{settings.api_version}"
        self.api = URL(base)
        self._connections = Connections(
            base, wait_s=timeout.connect, connect_s=timeout.sock_connect, answer_s=timeout.sock_read
        )
        headers = {**self.authorization, "Content-Type": "application/json"}
        urls = {number: f"{base}/{number}/messages" for number in settings.numbers}
        self._messages = {number: (url, head_of_post(url, headers)) for number, url in urls.items()}

    async def close(self) -> None:
        """Close the connections for messages; `http` stays open."""
        await self._connections.close()

    async def post_message(self, number: str, body: Mapping[str, Any], *, attempt: int = 1) -> dict[str, Any]:
        """Send one body to `/{number}/messages` and return the answer of a success.

        Raises Later (refused for now, or surely not sent), Never (refused for good) or Unknown (perhaps done).
        `attempt` (from 1) sets how long a Later asks to wait.
        """
        status, answer, retry_after = await self._post(number, orjson.dumps(body))
        if status == 200:
            try:
                document = orjson.loads(answer)
            except orjson.JSONDecodeError:
                document = None
            if isinstance(document, dict) and "error" not in document:
                return document
        error = GraphError.of(answer)
        if error is None:
            raise Unknown(f"WhatsApp gave an answer that cannot be read (HTTP {status})")
        raise refusal(error, status, attempt=attempt, retry_after_s=_retry_after_s(retry_after))

    async def get(self, path: str, params: Mapping[str, str]) -> dict[str, Any]:
        """Read a node. Raises Later or Never: a reading may always be repeated."""
        url = (self.api / path).with_query(params)
        try:
            status, headers, answer = await self.call("GET", url)
            if status == 200:
                document = orjson.loads(answer)
                if isinstance(document, dict) and "error" not in document:
                    return document
            error = GraphError.of(answer)
            if error is None:
                raise Later(f"WhatsApp gave an answer that cannot be read (HTTP {status})")
            raise refusal(error, status, attempt=1, retry_after_s=_retry_after_s(headers.get("Retry-After", "")))
        except (Unknown, orjson.JSONDecodeError) as lost:
            raise Later("WhatsApp gave no answer that can be read") from lost

    async def upload(self, number: str, data: bytes, *, mime: str, name: str) -> str:
        """Store a file with Meta for 30 days and return its media id. Raises Later or Never."""
        form = aiohttp.FormData()
        form.add_field("messaging_product", "whatsapp")
        form.add_field("type", mime)
        form.add_field("file", data, filename=name, content_type=mime)
        try:
            status, headers, answer = await self.call("POST", self.api / number / "media", form=form)
            document = orjson.loads(answer)
            media_id = document.get("id") if isinstance(document, dict) else None
            if status == 200 and media_id:
                return str(media_id)
            error = GraphError.of(answer)
            if error is None:
                raise Later(f"WhatsApp took no file and did not say why (HTTP {status})")
            raise refusal(error, status, attempt=1, retry_after_s=_retry_after_s(headers.get("Retry-After", "")))
        except (Unknown, orjson.JSONDecodeError) as lost:  # a file stored twice does no harm
            raise Later("WhatsApp did not say whether it took the file") from lost

    async def check(self) -> str:
        """A sentence about our numbers, for `doctor`. Raises Later or Never."""
        found = []
        for number in self.numbers:
            node = await self.get(number, {"fields": "display_phone_number,verified_name,quality_rating"})
            found.append(f"{node.get('display_phone_number', number)} ({node.get('verified_name', '?')})")
        return "number " + ", ".join(found)

    async def _post(self, number: str, data: bytes) -> Reply:
        """Send `data` to `/{number}/messages`. Raises Later if it was surely not sent, Unknown if it may have been."""
        url, head = self._messages[number]
        clock = asyncio.get_running_loop().time
        begun = clock()
        status, answer = None, None
        try:
            reply = await self._connections.post(head, data)
            status, answer = reply.status, reply.body
            return reply
        except NotSent as error:
            raise Later(f"WhatsApp cannot be reached: {error}", scope="system") from error
        except AnswerLost as error:
            status = error.status
            raise Unknown(f"the answer of WhatsApp was lost: {error}") from error
        finally:
            self.log_call("whatsapp", "POST", url, data, status, answer, (clock() - begun) * 1000)

    async def call(
        self, method: str, url: URL, *, form: aiohttp.FormData | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        """One request; its status, headers and body. Raises Later if it was surely not sent, else Unknown."""
        clock = asyncio.get_running_loop().time
        begun = clock()
        status, answer = None, None
        try:
            async with self.http.request(
                method,
                url,
                data=form,
                headers=self.authorization,
                timeout=self._timeout,
                allow_redirects=False,  # the token goes to no other host
            ) as response:
                status = response.status
                answer = await response.read()
                return status, response.headers, answer
        except _NOT_SENT as error:
            raise Later(f"WhatsApp cannot be reached: {type(error).__name__}", scope="system") from error
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise Unknown(f"the answer of WhatsApp was lost: {type(error).__name__}") from error
        finally:
            self.log_call("whatsapp", method, str(url), None, status, answer, (clock() - begun) * 1000)


def _retry_after_s(value: str) -> float | None:
    return float(value) if value.isascii() and value.isdigit() and len(value) <= 6 else None
