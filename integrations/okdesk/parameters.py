"""Parameters of an order, and results: between the catalogue's types and Okdesk's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from integrations.base import Never, Order
from integrations.okdesk.html import clean
from integrations.okdesk.phones import e164
from integrations.okdesk.schemas import Issue
from integrations.okdesk.settings import OkdeskSettings

_LONGEST_TITLE: Final = 120
_MORNING: Final = time(9)  # of a day that comes without a time
_FRESH: Final = timedelta(minutes=1)
_MOST_KEYS: Final = 10_000


def text(params: Mapping[str, Any], name: str) -> str | None:
    """None when it is absent or blank."""
    value = params.get(name)
    if value is None or isinstance(value, bool | dict | list):
        return None
    return clean(str(value)).strip() or None


def integer(params: Mapping[str, Any], name: str) -> int:
    """Raises Never when it is no whole number above zero."""
    value = params.get(name)
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit() and len(value) < 19:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise Never(f"{name} must be a whole number above zero.", code="invalid")
    return value


def flag(params: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = params.get(name, default)
    return value.strip().lower() == "true" if isinstance(value, str) else value is True


def phone(params: Mapping[str, Any], name: str) -> str:
    """E.164. Raises Never when it is no phone."""
    found = e164(text(params, name) or "")
    if found is None:
        raise Never(f"{name} is not a phone number.", code="invalid")
    return found


def files(params: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    value = params.get("files")
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []


def moment(written: str, timezone: str) -> datetime:
    """An ISO date or time, on the account's clock where it has no offset. Raises Never."""
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        raise Never("delay_to must be an ISO date or time.", code="invalid") from None
    if len(written) <= 10:
        found = datetime.combine(found.date(), _MORNING)
    return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(timezone))


def attributes(lines: str | None) -> dict[str, str]:
    """Lines `code: value` as custom attributes. Raises Never for a line without a colon."""
    found: dict[str, str] = {}
    for line in (lines or "").splitlines():
        if line.strip():
            code, colon, value = line.partition(":")
            if not colon or not code.strip():
                raise Never("parameters must be lines of the form code: value.", code="invalid")
            found[code.strip()] = value.strip()
    return found


def title_and_rest(written: str, fallback: str) -> tuple[str, str]:
    """The first meaningful line, at most 120 characters, and the whole text if that is not all of it."""
    lines = [" ".join(line.split()) for line in written.splitlines()]
    line = next((line for line in lines if any(c.isalnum() for c in line)), "")
    title = line if len(line) <= _LONGEST_TITLE else line[: _LONGEST_TITLE - 1].rstrip() + "…"
    return title or fallback[:_LONGEST_TITLE], "" if title == written.strip() else written.strip()


def issue_result(issue: Issue, settings: OkdeskSettings) -> dict[str, Any]:
    """The fields of `okdesk.get_issue`."""
    status = issue.status
    return {
        "id": issue.id,
        "number": str(issue.id),
        "title": issue.title,
        "status": issue.status_code,
        "status_name": (status.name or status.code) if status else None,
        "final": issue.status_code in settings.final_statuses,
        "assignee": issue.assignee.name if issue.assignee else None,
        "deadline_at": issue.deadline_at,
        "created_at": issue.created_at,
    }


class Repeats:
    """Tells whether an order may have been begun before, and which order made what.

    Memory of one process: it only spares look-ups and settles which of two orders with equal content made a thing.
    What it cannot remember counts as a repeat: an order from before this process, or one that is no longer fresh.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._since = now()
        self._begun: dict[str, None] = {}
        self._made: dict[tuple[str, int], str] = {}

    def begin(self, order: Order) -> bool:
        """Note that the order is begun; true if it may be a repeat, so that one must look first."""
        is_known = order.attempt > 1 or order.key in self._begun
        is_repeat = is_known or order.created_at < self._since or self._now() - order.created_at > _FRESH
        self._begun[order.key] = None
        if len(self._begun) > _MOST_KEYS:
            del self._begun[next(iter(self._begun))]
        return is_repeat

    def claim(self, kind: str, made: int, order: Order) -> None:
        self._made[kind, made] = order.key
        if len(self._made) > _MOST_KEYS:
            del self._made[next(iter(self._made))]

    def is_of_another(self, kind: str, made: int, order: Order) -> bool:
        return self._made.get((kind, made), order.key) != order.key
