"""Where dialogs stood after their last turn: kept by the text that was stored, so that it need not be read again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from dialogs.dialog import Dialog, dialog_from_json, dialog_to_json

MOST = 2000  # dialogs kept, some kilobytes each


class KnownDialogs:
    """Reads and writes dialogs as JSON texts, and remembers what it wrote.

    The text is the whole key: a dialog that another process has moved on has another one.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: dict[str, Dialog] = {}

    def read(self, state: str, contact: Mapping[str, Any]) -> Dialog:
        """The dialog of a stored text, with the person's variables as they are now."""
        known = self._known.get(state)
        if known is None:
            return dialog_from_json(orjson.loads(state), contact=contact)
        return _with(known, contact)

    def write(self, dialog: Dialog, *, instead: str | None) -> str:
        """The text to store. `instead`: the text that it replaces."""
        state = orjson.dumps(dialog_to_json(dialog), default=str).decode()
        if instead is not None:
            self._known.pop(instead, None)
        if dialog.status != "closed" and _is_plain(dialog):
            if len(self._known) >= self._most:
                del self._known[next(iter(self._known))]  # the one that was kept longest ago
            self._known[state] = dialog
        return state


def _with(dialog: Dialog, contact: Mapping[str, Any]) -> Dialog:
    return Dialog(
        dialog.id,
        dialog.contact_id,
        dialog.channel,
        dialog.status,
        dialog.frames,
        dialog.turn,
        dialog.wrote,
        dialog.lang,
        dialog.timers,
        dialog.held,
        dialog.last_press,
        dialog.parked,
        dialog.last_message_at,
        contact,
    )


def _is_plain(dialog: Dialog) -> bool:
    """Whether reading its JSON would give exactly this dialog: events, lists and tuples might come back otherwise."""
    if dialog.held:
        return False
    for frame in dialog.frames:
        if frame.pending is not None:
            return False
        for values in (frame.variables, frame.given):
            for value in values.values():
                if value is not None and type(value) not in (str, int, bool):
                    return False
    return True
