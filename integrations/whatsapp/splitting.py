"""One POST of Meta cut into the things that happened. Runs before the answer: look-ups only, no validation.

Contract: section 0 rules 2 and 3, sections 3.2 and 3.3. Nothing here raises: what cannot be read becomes a dead event
with its bytes, and its neighbours go on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from integrations.base import IncomingEvent
from integrations.whatsapp.wire import contact_for, digest, dump, moment, number_of, parse, storable

OBJECT = "whatsapp_business_account"
ROUTED_FIELDS = frozenset({"messages", "user_preferences", "smb_message_echoes"})
NOTICE_FIELDS = frozenset(
    {
        "message_template_status_update",
        "message_template_quality_update",
        "message_template_components_update",
        "template_category_update",
        "account_update",
        "account_alerts",
        "account_review_update",
        "security",
        "phone_number_quality_update",
        "phone_number_name_update",
        "business_capability_update",
    }
)
MOST_UNREADABLE = 1000  # Meta puts at most 1000 updates into a POST; more broken items are kept as one event

State = Literal["waiting", "ignored", "dead"]


@dataclass(slots=True)
class _Cut:
    """An event that is found but has no body yet: one event keeps the request's bytes, several are written apart."""

    kind: str
    external_id: str
    key: str
    occurred_at: datetime | None = None
    state: State = "waiting"
    error: str | None = None
    parts: tuple[Any, str, Any, str | None, Any, Any] | None = None  # entry, field, value, array, item, contact
    entry: Any = None  # of what has no such parts: the entry, cut down to what could not be read


def split(body: bytes, numbers: Set[str], received_at: datetime) -> list[IncomingEvent]:
    """All events of one signed POST, in the order of its arrays.

    `numbers` are the ids of our numbers. `received_at` only tells apart account notices that carry no time of their
    own: the same notice counts once a day. An empty `entry` gives no event.
    """
    try:
        document = parse(body)
    except ValueError:
        return [_whole(body, "the body is not JSON")]
    if not isinstance(document, dict):
        return [_whole(body, "the body is not a JSON object")]
    kind_of_object = document.get("object")
    if kind_of_object != OBJECT:
        if not isinstance(kind_of_object, str):
            return [_whole(body, "the body does not say what object it is about")]
        return [_whole(body, "the update is about another Meta product", "foreign", "ignored", digest(document))]
    entries = document.get("entry")
    if not isinstance(entries, list):
        return [_whole(body, "the body has no list of entries")]
    splitter = _Splitter(body, numbers, received_at)
    for entry in entries:
        splitter.entry(entry)
    return splitter.events()


def _whole(
    body: bytes, error: str, kind: str = "unreadable", state: State = "dead", name: str | None = None
) -> IncomingEvent:
    name = name or hashlib.sha256(body).hexdigest()
    return IncomingEvent(kind, f"{kind}:{name}", f"whatsapp-{kind}", body, None, state, error)


class _Splitter:
    def __init__(self, body: bytes, numbers: Set[str], received_at: datetime) -> None:
        self._body = body
        self._numbers = numbers
        self._received_at = received_at
        self._cuts: list[_Cut] = []
        self._broken: set[str] = set()  # ids of unreadable items: a thousand nulls are one event
        self._overflow = False

    def events(self) -> list[IncomingEvent]:
        if self._overflow:
            self._cuts.append(
                _Cut(
                    "unreadable",
                    f"unreadable:{self._body_hash()}",
                    "whatsapp-unreadable",
                    state="dead",
                    error="the body holds more broken updates than are kept apart",
                )
            )
        is_alone = len(self._cuts) == 1
        return [
            IncomingEvent(
                cut.kind,
                cut.external_id,
                cut.key,
                self._body if is_alone else self._written(cut),
                cut.occurred_at,
                cut.state,
                cut.error,
            )
            for cut in self._cuts
        ]

    def entry(self, entry: Any) -> None:
        changes = entry.get("changes") if isinstance(entry, dict) else None
        if not isinstance(changes, list):
            self._unreadable(entry, "", None, None, entry, "an entry without a list of changes", kept=entry)
            return
        for change in changes:
            field = change.get("field") if isinstance(change, dict) else None
            if not isinstance(field, str):
                kept = {"id": entry.get("id"), "changes": [change]}
                self._unreadable(entry, "", None, None, change, "a change without a field", kept=kept)
            elif field in ROUTED_FIELDS:
                self._routed(entry, field, change.get("value"))
            else:
                self._other(entry, field, change.get("value"))

    # ------------------------------------------------------------------------------- changes of one of our numbers

    def _routed(self, entry: Any, field: str, value: Any) -> None:
        number = number_of(value)
        if number is None:
            self._unreadable(entry, field, value, None, None, "a change that does not say which number it is for")
            return
        is_bare = True
        for array, cutter in _CUTTERS.items():
            items = value.get(array)
            if items is None:
                continue
            is_bare = is_bare and items == []
            if not isinstance(items, list):
                self._unreadable(entry, field, value, array, items, f"{array} is not a list")
                continue
            for item in items:
                cut = cutter(number, item) if isinstance(item, dict) else None
                if cut is None:
                    self._unreadable(entry, field, value, array, item, f"an item of {array} without id or person")
                    continue
                cut.parts = entry, field, value, array, item, self._contact(value, item)
                self._add(cut, number)
        if is_bare:
            self._bare(entry, field, value, number)

    def _bare(self, entry: Any, field: str, value: Any, number: str) -> None:
        """A change without messages or statuses: errors of the account, or something that is new to us."""
        errors = value.get("errors")
        if not isinstance(errors, list) or not errors:
            cut = _Cut(f"field:{field}", self._day_id(field, entry, value), f"whatsapp-field:{field}")
            cut.state, cut.error = "ignored", "the change holds nothing that we know"
            cut.parts = entry, field, value, None, None, None
            self._add(cut, number)
            return
        for error in errors:
            cut = _Cut("errors", self._day_id("errors", entry, [number, error]), f"whatsapp-errors:{storable(number)}")
            cut.parts = entry, field, value, "errors", error, None
            self._add(cut, number)

    def _add(self, cut: _Cut, number: str) -> None:
        if number not in self._numbers:
            cut.kind, cut.external_id = "foreign", f"foreign:{cut.external_id}"
            cut.state, cut.error = "ignored", "the update is for a number that is not configured here"
        self._cuts.append(cut)

    @staticmethod
    def _contact(value: Any, item: Any) -> dict[str, Any] | None:
        contacts = value.get("contacts")
        if not contacts:
            return None
        wa_id = item.get("from") or item.get("recipient_id") or item.get("wa_id")
        user_id = item.get("from_user_id") or item.get("recipient_user_id") or item.get("user_id")
        return contact_for(contacts, wa_id, user_id)

    # --------------------------------------------------------------------------------------- everything else

    def _other(self, entry: Any, field: str, value: Any) -> None:
        name = field if len(field) <= 60 and field.isascii() and field.isprintable() else storable(field)[:16]
        cut = _Cut(f"field:{name}", self._day_id(field, entry, value), f"whatsapp-field:{name}")
        cut.occurred_at = moment(entry.get("time"))
        if field not in NOTICE_FIELDS:
            cut.state, cut.error = "ignored", "updates of this field are kept and not handled"
        cut.parts = entry, field, value, None, None, None
        self._cuts.append(cut)

    def _unreadable(
        self, entry: Any, field: str, value: Any, array: str | None, item: Any, error: str, kept: Any = None
    ) -> None:
        name = digest([field, number_of(value), array, item if array or item is not None else value])
        external_id = f"unreadable:{name or self._body_hash()}"
        if external_id in self._broken:
            return
        if len(self._broken) >= MOST_UNREADABLE:
            self._overflow = True
            return
        self._broken.add(external_id)
        cut = _Cut("unreadable", external_id, "whatsapp-unreadable", None, "dead", error)
        if field:
            cut.parts = entry, field, value, array, item, None
        else:
            cut.entry = kept
        self._cuts.append(cut)

    def _day_id(self, field: str, entry: Any, value: Any) -> str:
        """Account notices have no id. `entry.time` tells two of them apart; without it, the day they came on."""
        time = entry.get("time") or self._received_at.date().isoformat()
        return f"{storable(field)}:{digest([field, entry.get('id'), time, value]) or self._body_hash()}"

    def _body_hash(self) -> str:
        return hashlib.sha256(self._body).hexdigest()

    def _written(self, cut: _Cut) -> bytes:
        """The envelope with this event alone. What has no place in one, or is nested too deeply, keeps everything."""
        if cut.parts is None:
            written = dump({"object": OBJECT, "entry": [cut.entry]})
            return self._body if cut.entry is None or written is None else written
        entry, field, value, array, item, contact = cut.parts
        small = value
        if array is not None:
            small = {name: value[name] for name in ("messaging_product", "metadata") if name in value}
            if contact is not None:
                small["contacts"] = [contact]
            if array == "messages" and "errors" in value:
                small["errors"] = value["errors"]  # they explain a message without content (contract, section 4.3)
            small[array] = [item]
        around = {name: entry[name] for name in ("id", "time") if name in entry}
        written = dump({"object": OBJECT, "entry": [{**around, "changes": [{"field": field, "value": small}]}]})
        return self._body if written is None else written


# ------------------------------------------------------------------------------------------------ items of the arrays


def _text(item: dict[str, Any], name: str) -> str | None:
    value = item.get(name)
    return value if isinstance(value, str) and value else None


def conversation_key(number: str, address: str) -> str:
    """The same person writing to two of our numbers is two conversations."""
    return f"whatsapp:{storable(number)}:{storable(address)}"


def _message(number: str, item: dict[str, Any]) -> _Cut | None:
    wamid = _text(item, "id")
    address = _text(item, "from") or _text(item, "from_user_id")
    if wamid is None or address is None:
        return None
    cut = _Cut(
        "system" if item.get("type") == "system" else "message",
        f"{storable(number)}:{storable(wamid)}",
        conversation_key(number, address),
        moment(item.get("timestamp")),
    )
    if item.get("group_id"):
        cut.state, cut.error = "ignored", "a message of a group chat"
    return cut


def _status(number: str, item: dict[str, Any]) -> _Cut | None:
    """Statuses have a key of their own: a flood of them never holds up a message."""
    wamid, status = _text(item, "id"), _text(item, "status")
    if wamid is None or status is None:
        return None
    at = moment(item.get("timestamp"))
    second = int(at.timestamp()) if at is not None else "-"
    return _Cut(
        "status",
        f"{storable(number)}:{storable(wamid)}:{storable(status)}:{second}",
        f"whatsapp-status:{storable(wamid)}",
        at,
    )


def _echo(number: str, item: dict[str, Any]) -> _Cut | None:
    wamid = _text(item, "id")
    address = _text(item, "to") or _text(item, "to_user_id")
    if wamid is None or address is None:
        return None
    return _Cut(
        "echo",
        f"{storable(number)}:{storable(wamid)}",
        conversation_key(number, address),
        moment(item.get("timestamp")),
    )


def _preference(number: str, item: dict[str, Any]) -> _Cut | None:
    address = _text(item, "wa_id") or _text(item, "user_id")
    value = _text(item, "value")
    if address is None or value is None:
        return None
    at = moment(item.get("timestamp"))
    second = int(at.timestamp()) if at is not None else "-"
    category = _text(item, "category") or "-"
    what = ":".join(storable(part) for part in (number, "preference", address, category, value))
    return _Cut("preference", f"{what}:{second}", conversation_key(number, address), at)


_CUTTERS: dict[str, Callable[[str, dict[str, Any]], _Cut | None]] = {
    "messages": _message,
    "statuses": _status,
    "message_echoes": _echo,
    "user_preferences": _preference,
}
