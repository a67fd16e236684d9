"""Every way from one step to another, with the words that say what takes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dialogs.draw.names import event_name
from dialogs.draw.reading import condition
from dialogs.draw.words import duration, word, wrong_answers
from dialogs.expressions import Expression
from dialogs.flow import Ask, Branch, Case, Close, Do, Flow, Handoff, Interrupt, Retry, Start, Step, Wait

START = "_start"  # no step has such a name
INTERRUPTS = "_interrupts"

_TROUBLE = ("retry", "silence", "rejected", "slow", "nobody")


@dataclass(frozen=True, slots=True)
class Way:
    source: str
    target: str
    kind: str  # begin next answer option branch case close retry silence edit edited interrupt, or an outcome
    label: str = ""  # short; empty: simply what comes next
    full: str = ""  # all of it, where `label` leaves something out

    @property
    def about(self) -> str:
        return self.full or self.label

    @property
    def is_trouble(self) -> bool:
        """What happens when a talk does not go as hoped."""
        return self.kind in _TROUBLE


def of_flow(flow: Flow, lang: str) -> Iterator[Way]:
    """All ways, those of one step together and the usual ones first."""
    yield Way(START, flow.first.id, "begin")
    for interrupt in flow.interrupts:
        if interrupt.act == "next" and interrupt.target is not None:
            yield Way(INTERRUPTS, interrupt.target, "interrupt", _occasions(interrupt, flow, lang))
    returns = _returns_of_edits(flow)
    for step in flow.steps.values():
        yield from _of_step(step, flow, lang)
        for target in returns.get(step.id, ()):
            yield Way(step.id, target, "edited", word("edited", lang))


def _of_step(step: Step, flow: Flow, lang: str) -> Iterator[Way]:
    if isinstance(step, Ask):
        yield from _of_question(step, lang)
    elif isinstance(step, Branch):
        for branching in step.cases:
            if branching.condition is None:
                yield Way(step.id, branching.next, "branch", word("else", lang))
            else:
                said = condition(branching.condition.text, flow, lang)
                yield Way(step.id, branching.next, "branch", said, branching.condition.text)
    elif isinstance(step, Do):
        for name, target in step.outcome.items():
            yield Way(step.id, target, name, word(name, lang, duration(step.slow_after, lang)))
    elif isinstance(step, Handoff):
        for name, target in step.outcome.items():
            yield Way(step.id, target, name, word(name, lang, duration(step.nobody_after, lang)))
    elif isinstance(step, Wait):
        for case in step.cases:
            if case.next is not None:
                yield Way(step.id, case.next, "case", *_case(case, flow, lang))
        yield _closing(step, step.close, "close", lang)
    elif step.next is not None:
        yield Way(step.id, step.next, "next")


def _of_question(step: Ask, lang: str) -> Iterator[Way]:
    for option in step.options:
        title = option.title.by(lang).text
        if option.edit is not None:
            yield Way(step.id, option.edit, "edit", title)
        elif not option.is_back and (target := option.next or step.next) is not None:
            yield Way(step.id, target, "option", title)
    if step.next is not None and (step.options_from is not None or step.expect != ("choice",)):
        label = "" if not step.options else word("answer", lang)
        if step.options_from is not None and step.expect == ("choice",):
            label = word("picks", lang)
        yield Way(step.id, step.next, "answer", label)
    yield from _of_retry(step, step.retry, lang)
    if step.silence is not None and step.silence.close is not None:
        yield _closing(step, step.silence.close, "silence", lang)


def _of_retry(step: Step, retry: Retry | None, lang: str) -> Iterator[Way]:
    if retry is not None:
        yield Way(step.id, retry.then, "retry", wrong_answers(retry.max, lang))


def _closing(step: Step, close: Close, kind: str, lang: str) -> Way:
    return Way(step.id, close.next, kind, word(kind, lang, duration(close.after, lang)))


def _case(case: Case, flow: Flow, lang: str) -> tuple[str, str]:
    name = event_name(case.event, lang) if case.event else word("any_message", lang)
    if case.condition is None:
        return name, case.event or name
    said = condition(case.condition.text, flow, lang)
    return f"{name}: {said}" if said else name, f"{case.event or name}: {case.condition.text}"


def _returns_of_edits(flow: Flow) -> dict[str, list[str]]:
    """Question → where an answer leads when an option with `edit` led to it."""
    returns: dict[str, list[str]] = {}
    for step in flow.steps.values():
        if isinstance(step, Ask) and step.edited is not None:
            for option in step.options:
                if option.edit is not None and step.edited not in returns.setdefault(option.edit, []):
                    returns[option.edit].append(step.edited)
    return returns


def notes_of_step(step: Step, flow: Flow, lang: str) -> Iterator[str]:
    """What a step can do that leads to no other step of the flow."""
    if isinstance(step, Ask):
        for option in step.options:
            if option.is_back:
                yield f"{option.title.by(lang).text} ↩ {word('to_before', lang)}"
    elif isinstance(step, Wait):
        for case in step.cases:
            if case.call is not None:
                yield f"{_case(case, flow, lang)[0]}: {_called(case.call, lang)}"


def _called(flow: str, lang: str) -> str:
    return f"{word('call', lang)} {flow} {word('and_back', lang)}"


def occasion(entry: Start, flow: Flow, lang: str) -> str:
    """What begins the flow."""
    if entry.kind == "command":
        said = f"/{entry.command}"
    elif entry.kind == "text":
        said = ", ".join(f"«{text}»" for text in entry.texts)
    elif entry.kind == "event":
        said = event_name(entry.event or "", lang)
    else:
        said = word(entry.kind, lang)
    return _with_condition(said, entry.condition, flow, lang)


def interruption(interrupt: Interrupt, flow: Flow, lang: str) -> str:
    """An interrupt in one line: what is said or happens, and what comes of it."""
    said = _occasions(interrupt, flow, lang)
    if interrupt.act == "next":
        return f"{said} → {interrupt.target}"
    if interrupt.act == "call":
        return f"{said}: {_called(interrupt.target or '', lang)}"
    return f"{said} ↩ {word('to_before' if interrupt.act == 'back' else 'to_begin', lang)}"


def _occasions(interrupt: Interrupt, flow: Flow, lang: str) -> str:
    words = [*interrupt.texts, *(f"…{phrase}…" for phrase in interrupt.phrases)]
    said = [f"/{interrupt.command}"] if interrupt.command else []
    said += [f"«{text}»" for text in words]
    if interrupt.event:
        said.append(event_name(interrupt.event, lang))
    joined = ", ".join(said)
    return _with_condition(joined, interrupt.condition, flow, lang)


def _with_condition(said: str, written: Expression | None, flow: Flow, lang: str) -> str:
    limits = condition(written.text, flow, lang) if written is not None else ""
    return f"{said}: {limits}" if limits else said
