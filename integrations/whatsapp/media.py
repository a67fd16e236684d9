"""Fetching what customers sent. Contract: section 5.4."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from typing import Any

import aiohttp
from yarl import URL

from integrations import downloads
from integrations.base import Later, Never
from integrations.whatsapp.client import WhatsAppClient

META_DOMAINS = ("fbsbx.com", "fbcdn.net", "facebook.com", "whatsapp.net")
_TIMEOUT = aiohttp.ClientTimeout(total=120.0, connect=10.0, sock_connect=5.0, sock_read=20.0)
_LOOKUPS = 2  # an address lives five minutes; the media id seven days
_HOPS = 3
_CHUNK_BYTES = 64 * 1024


class MediaStore:
    """Looks an id up and downloads from the address it gives: with our token, and so from Meta's hosts only."""

    def __init__(self, client: WhatsAppClient) -> None:
        self._client = client
        # Meta then checks that the file was sent to that number; with several we cannot tell to which.
        self._query = {"phone_number_id": client.numbers[0]} if len(client.numbers) == 1 else {}

    async def download(self, media_id: str, limit_bytes: int) -> bytes:
        """The bytes of a file. Raises Later (no answer, wrong checksum) or Never (gone, too large, foreign host)."""
        if not media_id.isascii() or not media_id.isalnum():
            raise Never("not an id of WhatsApp media", code="not_found")
        for _ in range(_LOOKUPS):
            node = await self._client.get(media_id, self._query)
            size = node.get("file_size")  # a string in Meta's schema, a number in practice
            if isinstance(size, int | str) and str(size).isdecimal() and int(size) > limit_bytes:
                raise Never(f"the file is larger than {limit_bytes} bytes", code="invalid")
            address = node.get("url")
            if not isinstance(address, str):
                raise Later("WhatsApp gave no address for the file")
            data = await self._fetch(address, limit_bytes)
            if data is None:
                continue
            if not _is_intact(data, node.get("sha256")):
                raise Later("the file does not have the checksum that WhatsApp names")
            return data
        raise Later("WhatsApp does not know the file's address any more", retry_after_s=30.0)

    async def _fetch(self, address: str, limit_bytes: int) -> bytes | None:
        """The bytes at an address; None if the address is dead and must be looked up again."""
        begun = asyncio.get_running_loop().time()
        status: int | None = None
        url = self._trusted(address)
        try:
            for _ in range(_HOPS):
                async with downloads.fetch(
                    url, own=self._client.api, headers=self._client.authorization, timeout=_TIMEOUT
                ) as response:
                    status = response.status
                    if status in downloads.REDIRECTS:
                        url = self._trusted(response.headers.get("Location", ""), base=url)
                        continue
                    if status in (401, 403, 404, 410):
                        return None
                    if status != 200:
                        raise Later(f"WhatsApp did not give the file (HTTP {status})")
                    return await _capped(response, limit_bytes)
            raise Never("the file is behind too many redirects", code="forbidden")
        except downloads.Forbidden as error:
            raise Never(f"the file's address is not fetched: {error}", code="forbidden") from None
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise Later(f"the file did not arrive: {type(error).__name__}") from error
        finally:
            duration_ms = (asyncio.get_running_loop().time() - begun) * 1000
            # The query of the address is a key to the file.
            self._client.log_call("whatsapp", "GET", str(url.with_query(None)), None, status, None, duration_ms)

    def _trusted(self, address: str, base: URL | None = None) -> URL:
        """The address, if our token may be sent there: a host of Meta, or the one that the API is at."""
        try:
            url = downloads.join(address, base)
        except downloads.Forbidden as error:
            raise Never(f"the address of the file is not fetched: {error}", code="forbidden") from error
        host, origin = url.host or "", url.origin()
        is_meta = url.scheme == "https" and any(
            host == domain or host.endswith(f".{domain}") for domain in META_DOMAINS
        )
        if not is_meta and origin != self._client.api.origin():
            raise Never("the file is at a host that is not WhatsApp's", code="forbidden")
        return url


async def _capped(response: aiohttp.ClientResponse, limit_bytes: int) -> bytes:
    data = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        data += chunk
        if len(data) > limit_bytes:
            raise Never(f"the file is larger than {limit_bytes} bytes", code="invalid")
    return bytes(data)


def _is_intact(data: bytes, named: Any) -> bool:
    """Base64 in webhooks, hex in samples of the lookup: both are accepted; no checksum proves nothing wrong."""
    if not isinstance(named, str) or not named:
        return True
    found = hashlib.sha256(data).digest()
    return named.strip() == base64.b64encode(found).decode() or named.strip().lower() == found.hex()
