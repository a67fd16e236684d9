"""Every text with placeholders and every expression of a flow, and the names that exist where it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from dialogs.actions import Catalogue
from dialogs.business_events import EVENTS, MESSAGE_FIELDS
from dialogs.expressions import Expression
from dialogs.flow import (
    Ask,
    Assign,
    Assignment,
    Branch,
    Call,
    Case,
    Do,
    Flow,
    Handoff,
    Interrupt,
    Say,
    Silence,
    Step,
    TemplateUse,
    Variable,
    Wait,
    Wording,
)
from dialogs.reading import Path
from dialogs.texts import Text
from dialogs.verify.folder import Folder


@dataclass(frozen=True, slots=True)
class Fields:
    """What `event` or `result` has at a place; `fields` None: it is not known, so nothing is wrong."""

    owner: str  # the event, action or flow
    code: str  # of a field that it has not
    fields: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class Names:
    """What exists besides variables, `dialog`, `contact`, `channel`."""

    event: Fields | None = None
    result: Fields | None = None
    item: bool = False
    finished: Fields | None = None  # what `event.result` has, if it is known whose result it is


_PLAIN = Names()
_ITEM = Names(item=True)
_KEY = Names(event=Fields("event", "N01", {"id": "text"}))


@dataclass(frozen=True, slots=True)
class TextUse:
    text: Text
    path: Path
    step: str | None
    kind: Literal["sent", "with", "key"] = "sent"
    names: Names = _PLAIN


@dataclass(frozen=True, slots=True)
class ExpressionUse:
    expression: Expression
    path: Path
    step: str | None
    names: Names = _PLAIN
    is_condition: bool = False
    target: Variable | None = None  # where the value goes, if that is declared


# --------------------------------------------------------------------------------------------------------------- texts


def texts_of(flow: Flow) -> Iterator[TextUse]:
    """Titles and `about` of written options are no texts with placeholders: they are compared with what people type."""
    yield from _of_silence(flow.silence, None)
    for step in flow.steps.values():
        yield from _texts_of_step(step, flow)


def _texts_of_step(step: Step, flow: Flow) -> Iterator[TextUse]:
    if isinstance(step, Say):
        yield from _of_wording(step.text, step.id)
        yield from _of_template(step.template, step.id)
    elif isinstance(step, Ask):
        for wording in (step.text, step.invalid, step.button):
            yield from _of_wording(wording, step.id)
        yield from _of_template(step.template, step.id)
        if step.silence is not flow.silence:
            yield from _of_silence(step.silence, step.id)
        if step.options_from is not None:
            source = step.options_from
            yield TextUse(source.title, (*source.path, "title"), step.id, names=_ITEM)
            if source.about is not None:
                yield TextUse(source.about, (*source.path, "about"), step.id, names=_ITEM)
    elif isinstance(step, Handoff):
        yield from _of_wording(step.open_say, step.id)
        yield from _of_wording(step.closed_say, step.id)
    elif isinstance(step, Do):
        for _, text, path in step.params:
            yield TextUse(text, path, step.id, "with")
        if step.once_per is not None:
            yield TextUse(step.once_per, (*step.path, "once_per"), step.id, "key", _KEY)


def _of_wording(wording: Wording | None, step: str | None) -> Iterator[TextUse]:
    if wording is not None:
        yield TextUse(wording.own, wording.path, step)


def _of_template(template: TemplateUse | None, step: str | None) -> Iterator[TextUse]:
    if template is not None:
        for index, text in enumerate(template.params):
            yield TextUse(text, (*template.path, "params", index), step)


def _of_silence(silence: Silence | None, step: str | None) -> Iterator[TextUse]:
    if silence is not None:
        for reminder in silence.reminders:
            yield from _of_wording(reminder.text, step)
            yield from _of_template(reminder.template, step)


# --------------------------------------------------------------------------------------------------------- expressions


@dataclass(slots=True)
class _Expressions:
    flow: Flow
    folder: Folder | None  # None: other flows are not known
    catalogue: Catalogue
    _events: dict[str | None, Fields] = field(default_factory=dict)

    def all(self) -> Iterator[ExpressionUse]:
        for entry in self.flow.start:
            names = Names(event=self._event(entry.event))
            yield from self._condition(entry.condition, (*entry.path, "if"), None, names)
            yield from self._assigned(entry.take, None, names)
        for interrupt in self.flow.interrupts:
            names = Names(event=self._of_interrupt(interrupt))
            yield from self._condition(interrupt.condition, (*interrupt.path, "if"), None, names)
            yield from self._given(interrupt.params, interrupt.target, None, names)
        for step in self.flow.steps.values():
            yield from self._of_step(step)

    def _of_step(self, step: Step) -> Iterator[ExpressionUse]:
        if isinstance(step, Branch):
            for branching in step.cases:
                yield from self._condition(branching.condition, (*branching.path, "if"), step.id, _PLAIN)
        elif isinstance(step, Assign):
            yield from self._assigned(step.values, step.id, _PLAIN)
        elif isinstance(step, Ask):
            yield from self._condition(step.valid, (*step.path, "valid"), step.id, _PLAIN)
            if step.options_from is not None:
                yield ExpressionUse(step.options_from.id, (*step.options_from.path, "id"), step.id, _ITEM)
        elif isinstance(step, Do):
            yield from self._assigned(step.save, step.id, Names(result=self._result_of(step)))
        elif isinstance(step, Call):
            yield from self._given(step.params, step.flow, step.id, _PLAIN)
            yield from self._assigned(step.save, step.id, Names(result=self._returned(step.flow)))
        elif isinstance(step, Wait):
            for case in step.cases:
                names = self._of_case(case)
                yield from self._condition(case.condition, (*case.path, "if"), step.id, names)
                yield from self._assigned(case.save, step.id, names)
                yield from self._given(case.params, case.call, step.id, names)

    def _condition(
        self, expression: Expression | None, path: Path, step: str | None, names: Names
    ) -> Iterator[ExpressionUse]:
        if expression is not None:
            yield ExpressionUse(expression, path, step, names, is_condition=True)

    def _assigned(self, values: tuple[Assignment, ...], step: str | None, names: Names) -> Iterator[ExpressionUse]:
        for name, expression, path in values:
            yield ExpressionUse(expression, path, step, names, target=self.flow.variables.get(name))

    def _given(
        self, params: tuple[Assignment, ...], called: str | None, step: str | None, names: Names
    ) -> Iterator[ExpressionUse]:
        flow = self.folder.flows.get(called or "") if self.folder is not None else None
        for name, expression, path in params:
            target = flow.variables.get(name) if flow is not None and name in flow.takes else None
            yield ExpressionUse(expression, path, step, names, target=target)

    # ----------------------------------------------------------------------------------------------------- the names

    def _event(self, event: str | None) -> Fields:
        """Of an event by name, or of a message."""
        known = self._events.get(event)
        if known is None:
            fields = MESSAGE_FIELDS if event is None else EVENTS.get(event)
            known = self._events[event] = Fields(event or "message", "I08", fields)
        return known

    def _of_interrupt(self, interrupt: Interrupt) -> Fields:
        if interrupt.event is None:
            return self._event(None)
        fields = EVENTS.get(interrupt.event)
        if fields is not None and (interrupt.texts or interrupt.phrases or interrupt.command):
            fields = {**fields, **MESSAGE_FIELDS}  # either may be the occasion
        return Fields(interrupt.event, "I08", fields)

    def _of_case(self, case: Case) -> Names:
        """`event.step = 'create'` in the condition says whose result `event.result` is."""
        finished = None
        if case.event == "effect.done" and case.condition is not None:
            for path, sign, texts in case.condition.comparisons:
                step = self.flow.steps.get(texts[0]) if path == ("event", "step") and sign == "=" else None
                if isinstance(step, Do):
                    finished = self._result_of(step)
        return Names(event=self._event(case.event), finished=finished)

    def _result_of(self, step: Do) -> Fields:
        return Fields(step.action, "I04", step.spec.result if step.action in self.catalogue else None)

    def _returned(self, name: str) -> Fields:
        called = self.folder.flows.get(name) if self.folder is not None else None
        if called is None:
            return Fields(name, "F16", None)
        types = {variable: called.variables[variable].type for variable in called.returns}
        return Fields(name, "F16", {**types, "end": "text"})


def expressions_of(flow: Flow, *, folder: Folder | None, catalogue: Catalogue) -> Iterator[ExpressionUse]:
    return _Expressions(flow, folder, catalogue).all()
