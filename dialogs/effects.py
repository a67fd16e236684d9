"""What a conversation wants done. An effect is an order; the service carries it out after the turn is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any, Literal

from dialogs.events import File
from dialogs.record import record

QuickReply = Literal["share_contact", "share_location"]


@record(frozen=True, slots=True)
class Option:
    """One button of a question."""

    id: str
    title: str
    payload: str  # DIALOG.VERSION.STEP.OPTION, at most 64 bytes
    about: str | None = None


@record(frozen=True, slots=True)
class Template:
    """The approved WhatsApp template that goes out when the 24-hour window is closed."""

    name: str
    lang: str
    params: tuple[str, ...] = ()


@record(frozen=True, slots=True)
class SendMessage:
    """One message to the customer, channel-free: how it is shown is the channel's business (`render.py`)."""

    text: str
    options: tuple[Option, ...] = ()
    button: str | None = None  # title of the button that opens a list
    quick: tuple[QuickReply, ...] = ()
    media: str | None = None  # an https address
    files: tuple[File, ...] = ()  # a manager's files
    template: Template | None = None
    is_question: bool = False  # it asks the present question: harmless to repeat after a lost answer
    step: str | None = None  # FLOW.STEP, for the journal


@record(frozen=True, slots=True)
class RunAction:
    """An action of another system. The same key again is the same wish."""

    action: str
    key: str  # ACTION/FLOW/STEP/once_per
    step: str
    params: Mapping[str, Any] = field(default_factory=dict)  # converted to the catalogue's types
    writes: bool = False


@record(frozen=True, slots=True)
class SetTimer:
    name: str  # unique within the dialog: setting it again moves it
    due_at: datetime


@record(frozen=True, slots=True)
class CancelTimer:
    name: str


@record(frozen=True, slots=True)
class OpenHandoff:
    queue: str
    group: str
    is_open: bool  # inside the hours of the queue
    reason: Literal["flow", "failed"] = "flow"


@record(frozen=True, slots=True)
class CloseHandoff:
    outcome: Literal["returned", "closed", "nobody"]


@record(frozen=True, slots=True)
class ForwardToManager:
    """A customer's message in a handoff."""

    text: str | None
    files: tuple[File, ...] = ()
    is_edit: bool = False


@record(frozen=True, slots=True)
class SaveContact:
    """Variables with `scope: contact`."""

    values: Mapping[str, Any]


@record(frozen=True, slots=True)
class Link:
    """Business events of this subject belong to the dialog from now on."""

    subject: str  # issue:1077, order:ozon-33-1


@record(frozen=True, slots=True)
class CountGoal:
    goal: str
    step: str


@record(frozen=True, slots=True)
class StartDialog:
    """Begin another dialog for the same contact and channel (a restart after something was written outside)."""

    flow: str
    values: Mapping[str, Any] = field(default_factory=dict)


@record(frozen=True, slots=True)
class EndDialog:
    tag: str  # ok, cancelled, silent, failed


Effect = (
    SendMessage
    | RunAction
    | SetTimer
    | CancelTimer
    | OpenHandoff
    | CloseHandoff
    | ForwardToManager
    | SaveContact
    | Link
    | CountGoal
    | StartDialog
    | EndDialog
)
