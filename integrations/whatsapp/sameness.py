"""Whether two deliveries of one thing say the same: Meta packs a redelivery anew, in other company (contract 3.2)."""

from __future__ import annotations

from typing import Any

from integrations.whatsapp.wire import changes_of, parse

_ARRAYS = ("messages", "statuses", "message_echoes", "user_preferences", "errors")


def is_same(first: bytes, second: bytes) -> bool:
    """The envelope and the writing may differ; what counts is the item itself."""
    try:
        return _items(parse(first)) == _items(parse(second))
    except ValueError:
        return first == second


def _items(document: Any) -> list[Any]:
    items: list[Any] = []
    for _, change in changes_of(document):
        value = change.get("value")
        if not isinstance(value, dict):
            items.append(value)
            continue
        listed = [item for name in _ARRAYS for item in (value.get(name) or ()) if isinstance(item, dict)]
        # Errors beside a message belong to it; which of several they belong to is not said.
        kept = [item for item in listed if "code" not in item] or listed
        items += kept or [value]
    return items[:1]
