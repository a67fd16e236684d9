"""Fetching from addresses that somebody else chose: over TLS, and from the public Internet alone.

A link in another system's answer may name anything: our database, the router, the cloud's metadata. A check of the
name would not help, because the next look-up may give another address. So the address is checked of every connection,
at the moment when its socket is made.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import aiohttp
from aiohttp.connector import AddrInfoType
from yarl import URL

REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NAT64 = IPv6Network("64:ff9b::/96")
_EMBEDDING = (_NAT64, IPv6Network("64:ff9b:1::/48"), IPv6Network("::/96"))


class Forbidden(Exception):
    """This address is not fetched, now or later. The text holds no address: a link may be a key."""


class _NotPublic(OSError):
    pass


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public Internet: not to this machine, its networks, or its cloud."""
    try:
        found: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if inner is None and any(found in network for network in _EMBEDDING):
            inner = IPv4Address(int(found) & 0xFFFFFFFF)
            return found in _NAT64 and is_public(str(inner))
        if inner is not None:
            return is_public(str(inner))
    return found.is_global and not found.is_multicast


def join(address: str, base: URL | None = None) -> URL:
    """The address of a link, or of a redirect that came from `base`. Raises Forbidden if it cannot be read."""
    try:
        url = URL(address, encoded=True)
        url = base.join(url) if base is not None else url
        if not url.host or url.scheme not in ("http", "https"):
            raise Forbidden("it is no web address")
        url.origin()
    except ValueError as error:
        raise Forbidden("it cannot be read") from error
    return url


@asynccontextmanager
async def fetch(
    url: URL, *, own: URL, headers: Mapping[str, str] | None = None, timeout: aiohttp.ClientTimeout
) -> AsyncIterator[aiohttp.ClientResponse]:
    """GET one address. Redirects are given back, not followed: whoever calls judges the next address anew.

    `own`: the API that is configured; whatever is at its origin is fetched, be it on this machine and without TLS.
    Raises Forbidden, and what aiohttp raises.
    """
    is_own = url.origin() == own.origin()
    if url.scheme != "https" and not is_own:
        raise Forbidden("it is not https")
    # A session of its own: a connection that was made without the check is never used with it.
    connector = aiohttp.TCPConnector(socket_factory=None if is_own else _public_socket)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False) as http:
        try:
            async with http.get(url, headers=headers, allow_redirects=False) as response:
                yield response
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, _NotPublic):
                raise Forbidden("it is not on the public Internet") from None
            raise


def _public_socket(found: AddrInfoType) -> socket.socket:
    """A socket to one address of the host. Raises OSError, and the next address is tried."""
    family, kind, protocol, _, address = found
    if not is_public(str(address[0])):
        raise _NotPublic("the address is not public")
    return socket.socket(family, kind, protocol)
