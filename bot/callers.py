"""Who calls us, and who has failed too often: addresses behind proxies, and their failures within a minute."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

FAILURES_PER_MINUTE = 100  # of one address: a sender whose secret is being changed stays far below it
WINDOW_S = 60.0
MAX_ADDRESSES = 4096
_NETWORK_OF_ONE = 64  # bits: whoever has one IPv6 address usually has all of its /64

Address = IPv4Address | IPv6Address


class Proxies:
    """The proxies whose word about a caller's address is taken: nobody else's is, because anybody can send it."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        """Raises ValueError if one is no network."""
        self._networks = tuple(ip_network(network, strict=False) for network in networks)

    def caller(self, remote: str | None, headers: Mapping[str, str]) -> str | None:
        """The address of who called: the last one of X-Forwarded-For that is none of our proxies.

        What stands before it was sent by the caller and proves nothing.
        """
        if not self._networks or not self._is_proxy(_read(remote)):
            return remote
        found = remote
        for part in reversed(_forwarded(headers)):
            address = _read(part)
            if address is None:
                break
            found = str(address)
            if not self._is_proxy(address):
                break
        return found

    def _is_proxy(self, address: Address | None) -> bool:
        return address is not None and any(
            address in network for network in self._networks if network.version == address.version
        )


def _forwarded(headers: Mapping[str, str]) -> list[str]:
    """Every line of the header: a proxy may add one of its own below the caller's."""
    getall = getattr(headers, "getall", None)
    lines = getall("X-Forwarded-For", ()) if getall is not None else [headers.get("X-Forwarded-For", "")]
    return [part for line in lines for part in line.split(",") if part.strip()]


def _read(text: str | None) -> Address | None:
    try:
        address = ip_address((text or "").strip())
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


@dataclass(slots=True)
class _Window:
    begun_at: float
    failures: int = 0


class Failures:
    """Counts failed requests by address. Asked only after a request has failed: a valid one is never refused.

    Holds `max_addresses` at most; of more, the one whose window began first is forgotten.
    """

    def __init__(
        self,
        *,
        limit: int = FAILURES_PER_MINUTE,
        max_addresses: int = MAX_ADDRESSES,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = limit
        self._max_addresses = max_addresses
        self._now = now
        self._windows: dict[str, _Window] = {}  # the oldest first

    def __len__(self) -> int:
        return len(self._windows)

    def count(self, caller: str | None) -> int | None:
        """Count a failure. None within the limit, else for how many seconds this address is over it."""
        name, now = _name(caller), self._now()
        window = self._windows.get(name)
        if window is None or now - window.begun_at >= WINDOW_S:
            self._windows.pop(name, None)
            if len(self._windows) >= self._max_addresses:
                del self._windows[next(iter(self._windows))]
            window = self._windows[name] = _Window(now)
        window.failures += 1
        if window.failures <= self._limit:
            return None
        return max(1, math.ceil(window.begun_at + WINDOW_S - now))


def _name(caller: str | None) -> str:
    address = _read(caller)
    if isinstance(address, IPv6Address):
        return str(ip_network((address, _NETWORK_OF_ONE), strict=False))
    return str(address) if address is not None else ""
