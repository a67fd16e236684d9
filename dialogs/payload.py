"""Payloads of buttons: `DIALOG.VERSION.STEP.OPTION` (FLOWS.md section 7)."""

from __future__ import annotations

import re

from dialogs.record import record

_PAYLOAD = re.compile(r"([0-9a-z]{1,13})\.([0-9a-z]{1,6})\.([0-9]{1,3})\.(#?[a-z0-9_]{1,40})")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@record(frozen=True, slots=True)
class Pressed:
    """A payload taken apart."""

    dialog_id: int
    version: int
    step: int  # index of the step in its file
    option: str  # option id; `#` and a number for an option made of a list; stars of a rating


def read_payload(payload: str) -> Pressed | None:
    """None if it is no payload of ours: it comes from outside."""
    found = _PAYLOAD.fullmatch(payload)
    if found is None:
        return None
    return Pressed(int(found[1], 36), int(found[2], 36), int(found[3]), found[4])


def base36(number: int) -> str:
    digits = "" if number else "0"
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits
