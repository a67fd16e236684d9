"""A conversation as the journal has it, and what a replay of it may come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Any, Literal

from dialogs.events import Event
from dialogs.record import record

Kind = Literal["begin", "event", "timer", "park", "ask_again", "cancel", "take_over"]
Class = Literal["same", "text", "shorter", "way", "stuck", "unplayable"]

CLASSES: tuple[Class, ...] = ("same", "text", "shorter", "way", "stuck", "unplayable")
"""From harmless to serious: a conversation counts by the most serious thing found in it."""


@record(frozen=True, slots=True)
class Told:
    """What the journal says of one turn."""

    step: str  # FLOW.STEP on top afterwards
    lines: tuple[str, ...] | None = ()  # of all its messages, without empty ones; None: cannot be compared


@record(frozen=True, slots=True, kw_only=True)
class Happened:
    """One thing that reached the dialog, in the order in which the service handled it.

    `park`, `ask_again`, `cancel` and `take_over` are what was done to it because of another dialog or of a manager who
    wrote past the bot; `event` is the occasion then.
    """

    kind: Kind
    at: datetime  # when it was handled: later than the event's own time by what it had to wait
    event: Event
    told: Told | None  # None: nothing came of it
    contact: Mapping[str, Any] = field(default_factory=dict)  # what other dialogs of the person stored before it
    values: Mapping[str, Any] | None = None  # begun by the restart of another dialog, with these variables
    words: str | None = None  # what the customer wrote or pressed


@record(frozen=True, slots=True, kw_only=True)
class Recording:
    """One dialog with everything that it depends on. The first of `items` is its beginning."""

    dialog_id: int
    contact_id: int | None
    channel: str
    lang: str
    flow: str
    version: int
    items: Sequence[Happened]
    contact: Mapping[str, Any] = field(default_factory=dict)  # the person's variables before the dialog
    had_dialog: bool = False  # the contact had one before
    last_message_at: datetime | None = None  # before the dialog, if no message began it
    until: datetime  # so far the recording goes: timers come due until then


@record(frozen=True, slots=True, kw_only=True)
class Difference:
    """Where a draft goes otherwise than the conversation went, and why that is so.

    `reason` is a constant word; `live` and `draft` are what each of the two did there.
    """

    kind: Class
    reason: str
    step: str  # where the dialog stood: FLOW.STEP
    event: str  # message, press, action, timer, manager, or the kind of a business event
    words: str | None = None
    live: str = ""
    draft: str = ""


@record(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one conversation."""

    dialog_id: int
    version: int  # that it was recorded with
    kind: Class
    difference: Difference | None = None  # None for `same`


class NotPlayable(Exception):
    """The conversation cannot be played again; `reason` is a constant word, `detail` what it is about."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail
