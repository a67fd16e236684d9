"""What a flow file says, as the engine and the verifier read it (FLOWS.md sections 3 to 8).

Nothing here decides anything. Every part keeps the `path` of its field, so that a finding can name the line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from typing import Any, Literal

from dialogs.actions import ActionSpec
from dialogs.effects import QuickReply
from dialogs.expressions import Expression
from dialogs.hours import QuietHours
from dialogs.reading import Document, Lines, Path
from dialogs.texts import Text

MAX_STEPS = 300
END_TAGS = ("ok", "cancelled", "silent", "failed")
CHANNELS = ("whatsapp", "telegram")
KINDS = ("say", "ask", "branch", "set", "do", "wait", "call", "handoff", "end")

FILLS: Mapping[str, tuple[str, ...]] = {
    "text": ("text",),
    "choice": ("choice",),
    "person_name": ("person_name",),
    "phone": ("phone", "shared_contact"),
    "email": ("email",),
    "url": ("url",),
    "address": ("address", "location"),
    "number": ("number",),
    "money": ("money",),
    "rating": ("rating",),
    "date": ("date",),
    "time": ("time",),
    "file_list": ("photo", "file"),
    "flag": (),
    "list": (),
}
"""Type of a variable → the kinds of answer that fill it."""

ANSWERS = frozenset(kind for kinds in FILLS.values() for kind in kinds)
FILE_ANSWERS = ("photo", "file")

Assignment = tuple[str, Expression, Path]  # variable or parameter, its value, where it is written


@dataclass(frozen=True, slots=True)
class Variable:
    name: str
    type: str
    path: Path
    title: str | None = None
    is_contact: bool = False  # scope: contact
    pii: bool = False
    max: int | None = None
    min: int | None = None
    of: int | None = None


@dataclass(frozen=True, slots=True)
class Wording:
    """One text of the flow in all its languages."""

    key: str  # of the translation file: `problem.ask`
    path: Path
    own: Text
    others: dict[str, Text] = field(default_factory=dict)  # filled while translations are read

    def by(self, lang: str) -> Text:
        return self.others.get(lang, self.own) if self.others else self.own


@dataclass(frozen=True, slots=True)
class TemplateUse:
    name: str
    params: tuple[Text, ...]
    path: Path


@dataclass(frozen=True, slots=True)
class Retry:
    max: int
    then: str
    path: Path


@dataclass(frozen=True, slots=True)
class Reminder:
    after: timedelta
    text: Wording
    template: TemplateUse | None
    path: Path


@dataclass(frozen=True, slots=True)
class Close:
    after: timedelta
    next: str
    path: Path


@dataclass(frozen=True, slots=True)
class Silence:
    reminders: tuple[Reminder, ...]
    close: Close | None
    path: Path


@dataclass(frozen=True, slots=True)
class Choice:
    """One option of an `ask`; without `next`, `edit` and `back` it goes where the step goes."""

    id: str
    title: Wording
    about: Wording | None
    path: Path
    next: str | None = None
    edit: str | None = None
    is_back: bool = False


@dataclass(frozen=True, slots=True)
class ChoicesFrom:
    """Options made of a list; `item` is the element."""

    variable: str
    id: Expression
    title: Text
    about: Text | None
    limit: int
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    id: str
    index: int  # in the file, from 0; part of the payload of buttons
    path: Path
    stage: str | None = None
    goal: str | None = None
    next: str | None = None  # `next`, or the following step; None where a step has none or needs none


@dataclass(frozen=True, slots=True, kw_only=True)
class Say(Step):
    text: Wording
    media: str | None = None
    template: TemplateUse | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask(Step):
    text: Wording
    expect: tuple[str, ...]  # with `choice` first if there are options
    stores: Mapping[str, str]  # kind of answer → variable, only where the type fits
    into: str | Mapping[str, str] | None = None
    options: tuple[Choice, ...] = ()
    options_from: ChoicesFrom | None = None
    valid: Expression | None = None
    invalid: Wording | None = None
    retry: Retry | None = None
    silence: Silence | None = None
    quick: tuple[QuickReply, ...] = ()
    button: Wording | None = None
    edited: str | None = None
    media: str | None = None
    template: TemplateUse | None = None


@dataclass(frozen=True, slots=True)
class Branching:
    condition: Expression | None  # None: else
    next: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch(Step):
    cases: tuple[Branching, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assign(Step):
    values: tuple[Assignment, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Do(Step):
    action: str
    spec: ActionSpec
    params: tuple[tuple[str, Text, Path], ...]
    save: tuple[Assignment, ...]
    once_per: Text | None
    outcome: Mapping[str, str]  # ok, rejected, slow
    slow_after: timedelta


@dataclass(frozen=True, slots=True)
class Case:
    """One case of a `wait`: an event or any message, and a step or a flow to call."""

    event: str | None  # None: any message
    condition: Expression | None
    save: tuple[Assignment, ...]
    path: Path
    next: str | None = None
    call: str | None = None
    params: tuple[Assignment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(Step):
    cases: tuple[Case, ...]
    close: Close


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Step):
    flow: str
    params: tuple[Assignment, ...]
    save: tuple[Assignment, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Handoff(Step):
    queue: str
    open_say: Wording
    closed_say: Wording
    outcome: Mapping[str, str]  # returned, closed, nobody
    nobody_after: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class End(Step):
    tag: str


@dataclass(frozen=True, slots=True)
class Interrupt:
    id: str
    path: Path
    texts: tuple[str, ...]
    phrases: tuple[str, ...]
    command: str | None
    event: str | None
    condition: Expression | None
    act: Literal["back", "restart", "next", "call"]
    target: str | None = None  # step of `next`, flow of `call`
    params: tuple[Assignment, ...] = ()


@dataclass(frozen=True, slots=True)
class Start:
    """One entry of `start`."""

    path: Path
    kind: Literal["command", "text", "event", "first_message", "any_message"]
    command: str | None = None
    texts: tuple[str, ...] = ()
    event: str | None = None
    condition: Expression | None = None
    take: tuple[Assignment, ...] = ()


@dataclass(frozen=True, slots=True)
class GoldenTest:
    """A golden dialog as written; `dialogs.golden` reads its lines."""

    name: str
    path: Path
    data: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Flow:
    """One version of a flow. Immutable: what is computed from it is computed once and kept."""

    name: str
    version: int
    title: str
    lang: str
    has_customer: bool
    channels: tuple[str, ...]
    is_callable: bool
    takes: tuple[str, ...]
    returns: tuple[str, ...]
    start: tuple[Start, ...]
    variables: Mapping[str, Variable]
    retry: Retry | None
    silence: Silence | None
    quiet_hours: QuietHours | None
    interrupts: tuple[Interrupt, ...]
    steps: Mapping[str, Step]  # in file order
    moves: bool  # publish: running: move
    moved: Mapping[str, str]
    tests: tuple[GoldenTest, ...]
    wordings: Mapping[str, Wording]  # every text that a translation may have
    document: Document

    @cached_property
    def first(self) -> Step:
        return next(iter(self.steps.values()))

    def without_source(self) -> Flow:
        """The same without its file's contents and tests: enough to run, and a third of the memory."""
        return replace(self, tests=(), document=Document(self.document.file, {}, Lines({})))
