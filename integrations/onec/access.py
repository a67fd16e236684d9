"""Who may speak to our 1C address: networks and the token in its three forms (contract §3.1)."""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network


def parse_networks(networks: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    """Raises ValueError with the wrong one in it: a setting is wrong and the service must not start."""
    return tuple(ip_network(network.strip(), strict=False) for network in networks)


def is_allowed_address(remote: str | None, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    """Without networks everybody is allowed; with them an unknown caller is not."""
    if not networks:
        return True
    try:
        address = ip_address(remote or "")
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in networks if network.version == address.version)


def has_token(headers: Mapping[str, str], token: str) -> bool:
    """`Authorization: Bearer`, `X-Token`, or the password of Basic. Compared as bytes in constant time."""
    wanted = token.encode("utf-8")
    candidates = [_bytes(headers.get("X-Token", ""))]
    scheme, _, credentials = headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer":
        candidates.append(_bytes(credentials.strip()))
    elif scheme.lower() == "basic":
        candidates.append(_basic_password(credentials.strip()))
    return max([hmac.compare_digest(candidate, wanted) for candidate in candidates]) and bool(wanted)


def _bytes(header: str) -> bytes:
    """The header as it came: the HTTP layer keeps bytes that are not UTF-8 as surrogates."""
    try:
        return header.encode("utf-8", errors="surrogateescape")
    except UnicodeEncodeError:
        return b""


def _basic_password(credentials: str) -> bytes:
    """What follows the first colon; the login may be in any encoding, so nothing is decoded."""
    try:
        return b64decode(credentials + "=" * (-len(credentials) % 4), validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""
