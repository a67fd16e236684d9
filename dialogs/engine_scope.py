"""What the names in a flow's texts and conditions mean during a turn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dialogs.cleaning import clean
from dialogs.commands import command_of
from dialogs.events import BusinessEvent, DialogStarted, Event, MessageReceived
from dialogs.scope import Path, walk

if TYPE_CHECKING:
    from dialogs.engine_turn import Place, Turn


def event_fields(event: Event) -> Mapping[str, Any]:
    """What `event.…` has: the fields of a business event, or id, text and payload of a message."""
    if isinstance(event, DialogStarted) and event.occasion is not None:
        event = event.occasion
    if isinstance(event, BusinessEvent):
        return {
            **event.fields,
            "id": event.id,
            "kind": event.kind,
            "at": event.at.isoformat(),
            "phone": event.phone or event.fields.get("phone"),
        }
    if isinstance(event, MessageReceived):
        text = clean(event.text) if event.text else ""
        command = command_of(text)
        return {"id": event.id, "text": text, "payload": command[1] if command else None}
    return {"id": event.id}


class TurnScope:
    """The names of one frame: its variables, the contact's, and whatever this moment has besides."""

    __slots__ = ("_contact_names", "_event", "_event_fields", "_place", "_turn", "item", "new", "result")

    def __init__(self, turn: Turn, place: Place) -> None:
        self._turn = turn
        self._place = place
        self._contact_names = place.program.contact_names
        self._event: Event | None = None
        self._event_fields: Mapping[str, Any] = {}
        self.new: Mapping[str, Any] | None = None  # values that are tried by `valid`
        self.result: Mapping[str, Any] | None = None
        self.item: object | None = None

    def lookup(self, path: Path) -> object | None:
        name = path[0]
        value: object | None
        if self.new is not None and name in self.new:
            value = self.new[str(name)]
        elif name in self._contact_names:
            value = self._turn.contact.get(str(name))
        else:
            value = self._place.variables.get(name)  # type: ignore[arg-type]  # a path begins with a name
            if value is None:
                value = self._other(str(name))
        return value if len(path) == 1 else walk(value, path[1:])

    def today(self) -> str:
        return self._turn.today()

    def _other(self, name: str) -> object | None:
        turn = self._turn
        if name == "event":
            if self._event is not turn.event:
                self._event = turn.event
                self._event_fields = event_fields(turn.event)
            return self._event_fields
        if name == "result":
            return self.result
        if name == "item":
            return self.item
        if name == "channel":
            return turn.dialog.channel
        if name == "dialog":
            return {"id": dialog_name(turn.dialog.id), "flow": turn.dialog.frames[0].flow}
        if name == "contact":
            contact_id = turn.dialog.contact_id
            return {"id": None if contact_id is None else f"c{contact_id}"}
        return None


def dialog_name(dialog_id: int) -> str:
    """`dialog.id` as flows see it. It goes into keys and into other systems, so it must never change."""
    return f"d{dialog_id}"
