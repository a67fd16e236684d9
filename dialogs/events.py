"""What can happen to a conversation.

Every event is a fact that has already happened. Time, ids and chance come in with it, so the same event in the same
state always leads to the same step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any, Literal

from dialogs.record import record

Json = Any  # JSON as `json.loads` gives it: dict, list, str, int, float, bool, None

FileKind = Literal["photo", "file", "voice", "audio", "video", "sticker"]


@record(frozen=True, slots=True)
class File:
    """A file that a person sent; the bytes stay with the channel until somebody needs them."""

    id: str  # what the channel fetches it by (WhatsApp media id, Telegram file_id)
    kind: FileKind
    name: str | None = None  # hostile input: for showing only, never a path
    mime: str | None = None
    size: int | None = None  # bytes


@record(frozen=True, slots=True)
class Location:
    latitude: float
    longitude: float
    name: str | None = None
    address: str | None = None


@record(frozen=True, slots=True)
class Card:
    """A contact card that was shared in the chat."""

    phones: tuple[str, ...]  # as written on the card
    name: str | None = None
    is_own: bool = False  # the channel proves that this is the sender's own number


@record(frozen=True, slots=True)
class MessageReceived:
    """A message of the customer. `text` is also the caption of `files`."""

    id: str  # id of our inbox event
    at: datetime  # when it was written, aware UTC
    text: str | None = None
    files: tuple[File, ...] = ()
    location: Location | None = None
    card: Card | None = None
    unsupported: bool = False  # a kind of message that cannot be read (poll, sticker, …)
    message_id: str | None = None  # the channel's id: the wamid; CHAT:MESSAGE_ID for Telegram
    edits: str | None = None  # the channel's id of the message that this one replaces the text of


@record(frozen=True, slots=True)
class ButtonPressed:
    """A press on a button that carries a payload of ours (DIALOG.VERSION.STEP.OPTION)."""

    id: str
    at: datetime
    payload: str
    title: str | None = None
    message_id: str | None = None


def renamed(said: MessageReceived | ButtonPressed, id: str) -> MessageReceived | ButtonPressed:
    """The same under another id."""
    if isinstance(said, ButtonPressed):
        return ButtonPressed(id, said.at, said.payload, said.title, said.message_id)
    return MessageReceived(
        id,
        said.at,
        said.text,
        said.files,
        said.location,
        said.card,
        said.unsupported,
        said.message_id,
        said.edits,
    )


@record(frozen=True, slots=True)
class BusinessEvent:
    """Something happened in another system; the kinds and their fields are in `dialogs.business_events`."""

    id: str
    at: datetime
    kind: str  # okdesk.status_changed, onec.payment_changed, …
    fields: Mapping[str, Json] = field(default_factory=dict)
    phone: str | None = None  # E.164


@record(frozen=True, slots=True)
class EffectFinished:
    """The end of an action that a `do` step ordered."""

    id: str
    at: datetime
    key: str  # key of the effect, as in RunAction
    step: str
    action: str
    ok: bool
    result: Mapping[str, Json] = field(default_factory=dict)  # when ok
    code: str | None = None  # when not: not_found, invalid, forbidden, unavailable
    message: str | None = None


@record(frozen=True, slots=True)
class TimerFired:
    """A timer came due. `turn` is the number of the turn that set it: an old one is ignored."""

    id: str
    at: datetime  # when it was due
    name: str
    turn: int


@record(frozen=True, slots=True)
class ManagerActed:
    """A manager wrote into a conversation that was handed off, or ended the handoff."""

    id: str
    at: datetime
    action: Literal["say", "returned", "closed"]
    text: str | None = None
    files: tuple[File, ...] = ()
    manager: str | None = None  # name, for the journal


@record(frozen=True, slots=True)
class DialogStarted:
    """A flow is begun directly: by another flow, by a restart, or by a test."""

    id: str
    at: datetime
    values: Mapping[str, Json] = field(default_factory=dict)  # its `takes`, or variables of a `take`
    occasion: BusinessEvent | MessageReceived | None = None  # what began it, if something did


Event = MessageReceived | ButtonPressed | BusinessEvent | EffectFinished | TimerFired | ManagerActed | DialogStarted
