"""What a person of a golden test sends that is no text: photos, files, a place, a card."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from dialogs.events import Card, File, FileKind, Location, MessageReceived

KINDS = ("photo", "file", "voice", "video", "sticker", "location", "contact")


def sent_message(given: object, event_id: str, at: datetime, message_id: str) -> MessageReceived | None:
    """`{photo: 2, caption: TEXT}` and the like as a message; None if it cannot be read."""
    if not isinstance(given, Mapping):
        return None
    kinds = [kind for kind in KINDS if kind in given]
    caption = given.get("caption")
    if len(kinds) != 1 or set(given) - {kinds[0], "caption"} or not isinstance(caption, str | None):
        return None
    kind, value = kinds[0], given[kinds[0]]
    parts = _parts(kind, value, event_id)
    return MessageReceived(event_id, at, caption, message_id=message_id, **parts) if parts else None


def _parts(kind: str, value: Any, event_id: str) -> dict[str, Any]:
    if kind == "photo":
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 50:
            return {}
        return {"files": tuple(File(f"{event_id}-{n}", "photo", mime="image/jpeg") for n in range(1, value + 1))}
    if kind == "file":
        return {"files": (File(f"{event_id}-1", "file", name=value),)} if isinstance(value, str) else {}
    if kind == "contact":
        return {"card": Card((value,))} if isinstance(value, str) else {}
    if kind == "location":
        return _location(value)
    media: dict[str, FileKind] = {"voice": "voice", "video": "video", "sticker": "sticker"}
    return {"files": (File(f"{event_id}-1", media[kind]),)} if value is True else {}


def _location(value: Any) -> dict[str, Any]:
    """Coordinates are texts: strict YAML has no fractions."""
    if not isinstance(value, Mapping) or not {"lat", "lon"} <= set(value) <= {"lat", "lon", "address"}:
        return {}
    try:
        place = Location(float(value["lat"]), float(value["lon"]), address=value.get("address"))
    except (TypeError, ValueError):
        return {}
    return {"location": place}
