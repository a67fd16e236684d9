"""Playing a conversation against the engine: a person, managers, other systems and a clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dialogs.conversation import Conversation, Outcome, handle, start_dialog
from dialogs.dialog import Dialog, dialog_from_json, dialog_to_json
from dialogs.effects import CancelTimer, Effect, EndDialog, RunAction, SendMessage, SetTimer
from dialogs.events import (
    BusinessEvent,
    ButtonPressed,
    DialogStarted,
    EffectFinished,
    Event,
    File,
    ManagerActed,
    MessageReceived,
    TimerFired,
)
from dialogs.findings import format_finding
from dialogs.flows_set import Flows, load_folder
from tests.dialogs.catalogue import CATALOGUE

NOON = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)  # Monday, 12:00 in Moscow
HEAD = """\
format: 1
flow: {name}
title: "{name}"
channels: [telegram]
"""
PROJECT = """\
project: 1
queues:
  sales: {title: "Продажи", hours: {mon-fri: "09:00-20:00"}}
"""


def load(*texts: str, project: str = PROJECT) -> Flows:
    """Flows from their texts; a text without `format:` gets the usual head (its first line is then `flow: NAME`)."""
    files = {"project.yaml": project.encode()}
    for index, text in enumerate(texts):
        name, _, rest = text.strip().partition("\n")
        whole = text if "format:" in text else HEAD.format(name=name.removeprefix("flow: ")) + rest
        files[f"flow{index}.yaml"] = whole.encode()
    loaded = load_folder(files, CATALOGUE, timezone="Europe/Moscow")
    errors = [format_finding(found, "en") for found in loaded.findings if found.severity == "error"]
    if errors:
        pytest.fail("\n".join(errors))
    return loaded.flows


class Talk:
    """One contact in one channel. Every dialog goes through JSON between two events, as it does in the service."""

    def __init__(self, flows: Flows, *, channel: str = "telegram", contact: dict[str, Any] | None = None) -> None:
        self.flows = flows
        self.channel = channel
        self.contact: dict[str, Any] = dict(contact or {})
        self.lang = "ru"
        self.now = NOON
        self.dialogs: dict[int, Dialog] = {}  # the last active one last; ended ones too
        self.effects: list[Effect] = []  # of the last event
        self.outcome = Outcome()
        self.ended: dict[int, str] = {}
        self.linked: set[int] | None = None  # None: all
        self.actions: list[RunAction] = []  # of the whole talk
        self._due: dict[tuple[int, str], tuple[datetime, int]] = {}
        self._count = 0
        self._ids = 0

    # ------------------------------------------------------------------------------------------- what comes in

    def says(self, text: str, **more: Any) -> list[str]:
        return self._handle(MessageReceived(self._id(), self.now, text, message_id=f"m{self._count}", **more))

    def edits(self, message: str, text: str) -> list[str]:
        return self._handle(MessageReceived(self._id(), self.now, text, message_id=message, edits=message))

    def sends(self, kind: Any, caption: str | None = None, mime: str | None = None) -> list[str]:
        file = File("f1", kind, mime=mime)
        return self._handle(MessageReceived(self._id(), self.now, caption, files=(file,)))

    def presses(self, option: str) -> list[str]:
        return self._handle(ButtonPressed(self._id(), self.now, self.payload(option), option))

    def payload(self, option: str) -> str:
        top = self.dialog.top
        flow = self.flows.get(top.flow, top.version)
        return f"{self.dialog.id}.{top.version}.{flow.steps[top.step].index}.{option}"

    def presses_payload(self, payload: str) -> list[str]:
        return self._handle(ButtonPressed(self._id(), self.now, payload, "title"))

    def happens(self, kind: str, *, phone: str | None = None, now: datetime | None = None, **fields: Any) -> list[str]:
        return self._handle(BusinessEvent(self._id(), self.now, kind, fields, phone), now=now)

    def finishes(self, step: str, *, code: str | None = None, **result: Any) -> list[str]:
        action = next(action for action in reversed(self.actions) if action.step == step)
        event = EffectFinished(
            self._id(), self.now, action.key, step, action.action, code is None, result, code, code and "why"
        )
        return self._handle(event, dialog=self.dialog)

    def manager(self, action: Any, text: str | None = None) -> list[str]:
        return self._handle(ManagerActed(self._id(), self.now, action, text), dialog=self.dialog)

    def starts(self, flow: str, **values: Any) -> list[str]:
        event = DialogStarted(self._id(), self.now)
        found = self.flows.live(flow)
        return self._take(
            start_dialog(self.flows, self._conversation(), found, event, new_id=self._new_id, values=values)
        )

    def waits(self, **time: float) -> list[str]:
        """Time goes by; timers fire at their times. What was said meanwhile."""
        until = self.now + timedelta(**time)
        said: list[str] = []
        effects: list[Effect] = []
        while due := min(((at, key) for key, (at, _) in self._due.items() if at <= until), default=None):
            at, key = due
            self.now = max(self.now, at)
            timer = TimerFired(self._id(), self.now, key[1], self._due.pop(key)[1])
            said += self._handle(timer, dialog=self.dialogs[key[0]])
            effects += self.effects
        self.now = until
        self.effects = effects
        return said

    # ------------------------------------------------------------------------------------------ what there is

    @property
    def dialog(self) -> Dialog:
        """The last active one."""
        return list(self.dialogs.values())[-1]

    @property
    def at(self) -> str:
        return f"{self.dialog.top.flow}.{self.dialog.top.step}"

    @property
    def variables(self) -> dict[str, Any]:
        return dict(self.dialog.top.variables)

    def of(self, kind: type) -> list[Any]:
        return [effect for effect in self.effects if isinstance(effect, kind)]

    @property
    def due(self) -> dict[str, datetime]:
        """Timers of the last active dialog."""
        return {name: at for (dialog, name), (at, _) in self._due.items() if dialog == self.dialog.id}

    # ----------------------------------------------------------------------------------------------- the shell

    def _id(self) -> str:
        self._count += 1
        return f"e{self._count}"

    def _new_id(self) -> int:
        self._ids += 1
        return self._ids

    def _conversation(self) -> Conversation:
        opened = [
            dialog_from_json(dialog_to_json(dialog), contact=self.contact)
            for dialog in reversed(self.dialogs.values())
            if dialog.status != "closed"
        ]
        return Conversation(
            contact_id=7,
            channel=self.channel,
            dialogs=opened,
            contact=self.contact,
            lang=self.lang,
            had_dialog=bool(self.dialogs),
            channels=(self.channel,),
            linked=self.linked if self.linked is not None else set(self.dialogs),
            own_dialogs=[dialog.id for dialog in self.dialogs.values() if dialog.status == "closed"],
        )

    def _handle(self, event: Event, *, dialog: Dialog | None = None, now: datetime | None = None) -> list[str]:
        return self._take(
            handle(
                self.flows,
                self._conversation(),
                event,
                new_id=self._new_id,
                dialog_id=dialog.id if dialog else None,
                now=now,
            )
        )

    def _take(self, outcome: Outcome) -> list[str]:
        self.outcome = outcome
        self.effects = []
        said: list[str] = [message.text for message in outcome.messages]
        for step in outcome.steps:
            dialog = step.dialog
            self.dialogs.pop(dialog.id, None)
            self.dialogs[dialog.id] = dialog
            if dialog.contact_id is not None:
                self.contact = dict(dialog.contact)
            self.effects += step.effects
            for effect in step.effects:
                if isinstance(effect, SendMessage):
                    said.append(effect.text)
                elif isinstance(effect, RunAction):
                    self.actions.append(effect)
                elif isinstance(effect, SetTimer):
                    self._due[dialog.id, effect.name] = (effect.due_at, dialog.turn)
                elif isinstance(effect, CancelTimer):
                    self._due.pop((dialog.id, effect.name), None)
                elif isinstance(effect, EndDialog):
                    self.ended[dialog.id] = effect.tag
        return said
