"""Where a conversation stands: what a turn reads, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any, Literal

from dialogs.events import BusinessEvent, Card, EffectFinished, File, Location, MessageReceived
from dialogs.record import record

Status = Literal["active", "handed_off", "closed"]
Begun = Literal["start", "call", "interrupt", "event", "case"]  # event: by an interrupt on a business event
Held = MessageReceived | BusinessEvent

NEW = "_new"  # the state of a frame that has not begun


@record(frozen=True, slots=True)
class Frame:
    """One running flow. A dialog is a stack of them: a called flow lies on top of its caller.

    Nobody changes the mappings in here; a turn that stores a variable makes new ones.
    """

    flow: str
    version: int
    step: str = NEW
    variables: Mapping[str, Any] = field(default_factory=dict)  # those with `scope: dialog`
    begun: Begun = "start"
    given: Mapping[str, Any] = field(default_factory=dict)  # variables it began with: a restart keeps them
    answered: tuple[str, ...] = ()  # questions answered, for `back`
    wrong: int = 0  # wrong answers in this stay at the question
    edit: str | None = None  # the step whose option led here by `edit`
    since: datetime | None = None  # silence is counted from here
    reminded: int = 0
    refused: str | None = None  # the channel's id of the last message refused at this question
    templated: bool = False  # the question went out as a template: its full text was not seen
    deadline: datetime | None = None  # of a `wait`
    key: str | None = None  # key of the action that a `do` waits for
    pending: EffectFinished | None = None  # its outcome, which came while another frame lay on top
    spoke: bool = False  # something was sent since this frame began
    unasked: bool = False  # moved to a question of a new version, which is asked at the next message


@record(frozen=True, slots=True)
class Dialog:
    """One conversation of a contact in a channel (or of nobody, for flows without a customer).

    `contact` (the variables with `scope: contact`) belongs to the person: the caller puts it in for every turn and
    stores `SaveContact`; it is not part of `dialog_to_json`.
    """

    id: int
    contact_id: int | None
    channel: str
    status: Status
    frames: tuple[Frame, ...]  # the last one is on top; a closed dialog keeps the frame it ended in
    turn: int = 0  # number of the last turn
    wrote: bool = False  # something was written outside
    lang: str = "ru"
    timers: Mapping[str, int] = field(default_factory=dict)  # name → number of the turn that set it
    held: tuple[Held, ...] = ()  # what came while it could not be handled
    last_press: tuple[str, datetime] | None = None  # payload of the option answered last, to know a double tap
    parked: bool = False  # its question waits until the question of another dialog is left
    last_message_at: datetime | None = None  # the customer's last message, for the 24-hour window
    contact: Mapping[str, Any] = field(default_factory=dict)

    @property
    def top(self) -> Frame:
        return self.frames[-1]


def new_dialog(
    id: int,
    contact_id: int | None,
    channel: str,
    flow: str,
    version: int,
    lang: str,
    contact: Mapping[str, Any],
    last_message_at: datetime | None = None,
) -> Dialog:
    """A dialog that has not begun: `advance` it with `DialogStarted`."""
    frame = Frame(flow, version)
    return Dialog(
        id, contact_id, channel, "active", (frame,), lang=lang, contact=contact, last_message_at=last_message_at
    )


# ------------------------------------------------------------------------------------------------------- as JSON


def dialog_to_json(dialog: Dialog) -> dict[str, Any]:
    """The stored form: what is empty is left out, so an ordinary dialog stays well under a kilobyte."""
    data: dict[str, Any] = {
        "id": dialog.id,
        "contact": dialog.contact_id,
        "channel": dialog.channel,
        "status": dialog.status,
        "frames": [_frame_to_json(frame) for frame in dialog.frames],
        "turn": dialog.turn,
        "lang": dialog.lang,
    }
    if dialog.wrote:
        data["wrote"] = True
    if dialog.timers:
        data["timers"] = dict(dialog.timers)
    if dialog.held:
        data["held"] = [_held_to_json(event) for event in dialog.held]
    if dialog.last_press:
        data["press"] = [dialog.last_press[0], dialog.last_press[1].isoformat()]
    if dialog.parked:
        data["parked"] = True
    if dialog.last_message_at:
        data["last"] = dialog.last_message_at.isoformat()
    return data


def dialog_from_json(data: Mapping[str, Any], *, contact: Mapping[str, Any]) -> Dialog:
    """The inverse of `dialog_to_json`; `contact` are the person's variables as they are now."""
    press = data.get("press")
    return Dialog(
        id=data["id"],
        contact_id=data["contact"],
        channel=data["channel"],
        status=data["status"],
        frames=tuple(_frame_from_json(frame) for frame in data["frames"]),
        turn=data["turn"],
        wrote=data.get("wrote", False),
        lang=data["lang"],
        timers=data.get("timers", {}),
        held=tuple(_held_from_json(event) for event in data.get("held", ())),
        last_press=(press[0], datetime.fromisoformat(press[1])) if press else None,
        parked=data.get("parked", False),
        last_message_at=_time(data.get("last")),
        contact=contact,
    )


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _frame_to_json(frame: Frame) -> dict[str, Any]:
    data: dict[str, Any] = {"flow": frame.flow, "version": frame.version, "step": frame.step}
    if frame.variables:
        data["vars"] = dict(frame.variables)
    if frame.begun != "start":
        data["begun"] = frame.begun
    if frame.given:
        data["given"] = dict(frame.given)
    if frame.answered:
        data["answered"] = list(frame.answered)
    if frame.wrong:
        data["wrong"] = frame.wrong
    if frame.edit:
        data["edit"] = frame.edit
    if frame.since:
        data["since"] = frame.since.isoformat()
    if frame.reminded:
        data["reminded"] = frame.reminded
    if frame.refused:
        data["refused"] = frame.refused
    if frame.templated:
        data["templated"] = True
    if frame.deadline:
        data["deadline"] = frame.deadline.isoformat()
    if frame.key:
        data["key"] = frame.key
    if frame.pending:
        data["pending"] = _finished_to_json(frame.pending)
    if frame.spoke:
        data["spoke"] = True
    if frame.unasked:
        data["unasked"] = True
    return data


def _frame_from_json(data: Mapping[str, Any]) -> Frame:
    pending = data.get("pending")
    return Frame(
        flow=data["flow"],
        version=data["version"],
        step=data["step"],
        variables=data.get("vars", {}),
        begun=data.get("begun", "start"),
        given=data.get("given", {}),
        answered=tuple(data.get("answered", ())),
        wrong=data.get("wrong", 0),
        edit=data.get("edit"),
        since=_time(data.get("since")),
        reminded=data.get("reminded", 0),
        refused=data.get("refused"),
        templated=data.get("templated", False),
        deadline=_time(data.get("deadline")),
        key=data.get("key"),
        pending=_finished_from_json(pending) if pending else None,
        spoke=data.get("spoke", False),
        unasked=data.get("unasked", False),
    )


def _finished_to_json(event: EffectFinished) -> dict[str, Any]:
    return {
        "id": event.id,
        "at": event.at.isoformat(),
        "key": event.key,
        "step": event.step,
        "action": event.action,
        "ok": event.ok,
        "result": dict(event.result),
        "code": event.code,
        "message": event.message,
    }


def _finished_from_json(data: Mapping[str, Any]) -> EffectFinished:
    return EffectFinished(**{**data, "at": datetime.fromisoformat(data["at"])})


def _held_to_json(event: Held) -> dict[str, Any]:
    if isinstance(event, BusinessEvent):
        return {
            "kind": event.kind,
            "id": event.id,
            "at": event.at.isoformat(),
            "fields": dict(event.fields),
            "phone": event.phone,
        }
    data: dict[str, Any] = {"id": event.id, "at": event.at.isoformat(), "text": event.text}
    if event.files:
        data["files"] = [[file.id, file.kind, file.name, file.mime, file.size] for file in event.files]
    if event.location:
        place = event.location
        data["location"] = [place.latitude, place.longitude, place.name, place.address]
    if event.card:
        data["card"] = [list(event.card.phones), event.card.name, event.card.is_own]
    if event.unsupported:
        data["unsupported"] = True
    if event.message_id:
        data["message_id"] = event.message_id
    return data


def _held_from_json(data: Mapping[str, Any]) -> Held:
    at = datetime.fromisoformat(data["at"])
    if "kind" in data:
        return BusinessEvent(data["id"], at, data["kind"], data["fields"], data["phone"])
    card = data.get("card")
    return MessageReceived(
        id=data["id"],
        at=at,
        text=data["text"],
        files=tuple(File(*file) for file in data.get("files", ())),
        location=Location(*data["location"]) if "location" in data else None,
        card=Card(tuple(card[0]), card[1], card[2]) if card else None,
        unsupported=data.get("unsupported", False),
        message_id=data.get("message_id"),
    )
