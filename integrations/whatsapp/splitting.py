"""One POST of Meta cut into the things that happened. Runs before the answer: look-ups only, no validation.

Contract: section 0 rules 2 and 3, sections 3.2 and 3.3. Nothing here raises: what cannot be read becomes a dead event
with its bytes, and its neighbours go on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Set
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from integrations.base import IncomingEvent
from integrations.whatsapp.wire import contact_for, digest, dump, moment, number_of, parse, seconds_of, storable

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

# Where an event was found: entry, field, value, array, item. Without a field: the entry, cut down to what is broken.
_Place = tuple[Any, str | None, Any, str | None, Any]


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
    """Events are made with the request's bytes as their body: one that is alone keeps them, several are written apart.

    A POST of Meta holds one event as a rule, so what only several need is left to `_apart`.
    """

    __slots__ = ("_body", "_broken", "_found", "_numbers", "_overflow", "_received_at")

    def __init__(self, body: bytes, numbers: Set[str], received_at: datetime) -> None:
        self._body = body
        self._numbers = numbers
        self._received_at = received_at
        self._found: list[tuple[IncomingEvent, _Place | None]] = []
        self._broken: set[str] = set()  # ids of unreadable items: a thousand nulls are one event
        self._overflow = False

    def events(self) -> list[IncomingEvent]:
        if self._overflow:
            event = _whole(self._body, "the body holds more broken updates than are kept apart")
            self._found.append((event, None))
        if len(self._found) == 1:
            return [self._found[0][0]]
        return [self._apart(event, place) for event, place in self._found]

    def entry(self, entry: Any) -> None:
        changes = entry.get("changes") if isinstance(entry, dict) else None
        if not isinstance(changes, list):
            self._unreadable((entry, None, None, None, entry), "an entry without a list of changes")
            return
        for change in changes:
            field = change.get("field") if isinstance(change, dict) else None
            if not isinstance(field, str):
                kept = {"id": entry.get("id"), "changes": [change]}
                self._unreadable((kept, None, None, None, change), "a change without a field")
            elif field in ROUTED_FIELDS:
                self._routed(entry, field, change.get("value"))
            else:
                self._other(entry, field, change.get("value"))

    # ------------------------------------------------------------------------------- changes of one of our numbers

    def _routed(self, entry: Any, field: str, value: Any) -> None:
        number = number_of(value)
        if number is None:
            error = "a change that does not say which number it is for"
            self._unreadable((entry, field, value, None, None), error)
            return
        account, is_ours = storable(number), number in self._numbers
        is_bare = True
        for array, cutter in _CUTTERS.items():
            items = value.get(array)
            if items is None:
                continue
            if not isinstance(items, list):
                is_bare = False
                self._unreadable((entry, field, value, array, items), f"{array} is not a list")
                continue
            for item in items:
                is_bare = False
                place = entry, field, value, array, item
                event = cutter(self._body, account, item) if isinstance(item, dict) else None
                if event is None:
                    self._unreadable(place, f"an item of {array} without id or person")
                else:
                    self._found.append((event if is_ours else _foreign(event), place))
        if is_bare:
            found = self._bare(entry, field, value, number)
            self._found += [(event if is_ours else _foreign(event), place) for event, place in found]

    def _bare(self, entry: Any, field: str, value: Any, number: str) -> Iterator[tuple[IncomingEvent, _Place]]:
        """A change without messages or statuses: errors of the account, or something that is new to us."""
        errors = value.get("errors")
        if not isinstance(errors, list) or not errors:
            what, error = f"field:{field}", "the change holds nothing that we know"
            day_id = self._day_id(field, entry, value)
            event = IncomingEvent(what, day_id, f"whatsapp-{what}", self._body, None, "ignored", error)
            yield event, (entry, field, value, None, None)
            return
        for problem in errors:
            day_id = self._day_id("errors", entry, [number, problem])
            event = IncomingEvent("errors", day_id, f"whatsapp-errors:{storable(number)}", self._body)
            yield event, (entry, field, value, "errors", problem)

    # --------------------------------------------------------------------------------------- everything else

    def _other(self, entry: Any, field: str, value: Any) -> None:
        name = field if len(field) <= 60 and field.isascii() and field.isprintable() else storable(field)[:16]
        state: State = "waiting" if field in NOTICE_FIELDS else "ignored"
        error = None if field in NOTICE_FIELDS else "updates of this field are kept and not handled"
        day_id, at = self._day_id(field, entry, value), moment(entry.get("time"))
        event = IncomingEvent(f"field:{name}", day_id, f"whatsapp-field:{name}", self._body, at, state, error)
        self._found.append((event, (entry, field, value, None, None)))

    def _unreadable(self, place: _Place, error: str) -> None:
        _, field, value, array, item = place
        broken = item if array or item is not None else value
        name = digest([field or "", number_of(value), array, broken]) or self._body_hash()
        if name in self._broken:
            return
        if len(self._broken) >= MOST_UNREADABLE:
            self._overflow = True
            return
        self._broken.add(name)
        self._found.append((_whole(self._body, error, name=name), place))

    def _day_id(self, field: str, entry: Any, value: Any) -> str:
        """Account notices have no id. `entry.time` tells two of them apart; without it, the day they came on."""
        time = entry.get("time") or self._received_at.date().isoformat()
        return f"{storable(field)}:{digest([field, entry.get('id'), time, value]) or self._body_hash()}"

    def _body_hash(self) -> str:
        return hashlib.sha256(self._body).hexdigest()

    def _apart(self, event: IncomingEvent, place: _Place | None) -> IncomingEvent:
        """With an envelope of its own. What has no place in one, or is nested too deeply, keeps everything."""
        if place is None or place[0] is None:
            return event
        entry = _entry_of(place, _contact_of(event, place))
        written = dump({"object": OBJECT, "entry": [entry]})
        if written is None:
            return event
        return IncomingEvent(
            event.kind, event.external_id, event.key, written, event.occurred_at, event.state, event.error
        )


def _foreign(event: IncomingEvent) -> IncomingEvent:
    error = "the update is for a number that is not configured here"
    return replace(event, kind="foreign", external_id=f"foreign:{event.external_id}", state="ignored", error=error)


def _entry_of(place: _Place, contact: dict[str, Any] | None) -> Any:
    entry, field, value, array, item = place
    if field is None:
        return entry
    small = value
    if array is not None:
        small = {name: value[name] for name in ("messaging_product", "metadata") if name in value}
        if contact is not None:
            small["contacts"] = [contact]
        if array == "messages" and "errors" in value:
            small["errors"] = value["errors"]  # they explain a message without content (contract, section 4.3)
        small[array] = [item]
    around = {name: entry[name] for name in ("id", "time") if name in entry}
    return {**around, "changes": [{"field": field, "value": small}]}


def _contact_of(event: IncomingEvent, place: _Place) -> dict[str, Any] | None:
    _, _, value, array, item = place
    contacts = value.get("contacts") if array in _CUTTERS and event.kind != "unreadable" else None
    if not contacts:
        return None
    wa_id = item.get("from") or item.get("recipient_id") or item.get("wa_id")
    user_id = item.get("from_user_id") or item.get("recipient_user_id") or item.get("user_id")
    return contact_for(contacts, wa_id, user_id)


# ------------------------------------------------------------------------------------------------ items of the arrays


def _text(item: dict[str, Any], name: str) -> str | None:
    value = item.get(name)
    return value if isinstance(value, str) and value else None


def _message(body: bytes, account: str, item: dict[str, Any]) -> IncomingEvent | None:
    """The same person writing to two of our numbers is two conversations: the key names the number too."""
    wamid = _text(item, "id")
    address = _text(item, "from") or _text(item, "from_user_id")
    if wamid is None or address is None:
        return None
    is_in_group = bool(item.get("group_id"))
    return IncomingEvent(
        "system" if item.get("type") == "system" else "message",
        f"{account}:{storable(wamid)}",
        f"whatsapp:{account}:{storable(address)}",
        body,
        moment(item.get("timestamp")),
        "ignored" if is_in_group else "waiting",
        "a message of a group chat" if is_in_group else None,
    )


def _status(body: bytes, account: str, item: dict[str, Any]) -> IncomingEvent | None:
    """Statuses have a key of their own: a flood of them never holds up a message."""
    wamid, status = _text(item, "id"), _text(item, "status")
    if wamid is None or status is None:
        return None
    second = seconds_of(item.get("timestamp"))
    about = storable(wamid)
    return IncomingEvent(
        "status",
        f"{account}:{about}:{storable(status)}:{'-' if second is None else second}",
        f"whatsapp-status:{about}",
        body,
        moment(second),
    )


def _echo(body: bytes, account: str, item: dict[str, Any]) -> IncomingEvent | None:
    wamid = _text(item, "id")
    address = _text(item, "to") or _text(item, "to_user_id")
    if wamid is None or address is None:
        return None
    key = f"whatsapp:{account}:{storable(address)}"
    return IncomingEvent("echo", f"{account}:{storable(wamid)}", key, body, moment(item.get("timestamp")))


def _preference(body: bytes, account: str, item: dict[str, Any]) -> IncomingEvent | None:
    address = _text(item, "wa_id") or _text(item, "user_id")
    value = _text(item, "value")
    if address is None or value is None:
        return None
    second = seconds_of(item.get("timestamp"))
    person, category = storable(address), storable(_text(item, "category") or "-")
    return IncomingEvent(
        "preference",
        f"{account}:preference:{person}:{category}:{storable(value)}:{'-' if second is None else second}",
        f"whatsapp:{account}:{person}",
        body,
        moment(second),
    )


_CUTTERS: dict[str, Callable[[bytes, str, dict[str, Any]], IncomingEvent | None]] = {
    "messages": _message,
    "statuses": _status,
    "message_echoes": _echo,
    "user_preferences": _preference,
}
