"""A flow version made ready to run: everything that a turn would otherwise work out again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dialogs.cleaning import normal
from dialogs.effects import Template
from dialogs.flow import FILE_ANSWERS, Ask, Choice, Flow, Interrupt, TemplateUse, Variable, Wait
from dialogs.machine import build_machine
from dialogs.project import Project
from dialogs.scope import Scope
from dialogs.texts import Titles
from dialogs.values import PARSED_KINDS

# Where an answer may be a number itself, the number of an option shown is not taken for the option.
_NUMERIC_KINDS = frozenset({"number", "money", "date", "time", "phone"})
_MAX_FILES = 5


@dataclass(frozen=True, slots=True)
class Answer:
    """One kind of answer that a question takes."""

    kind: str
    variable: str | None  # where it goes
    max: int | None = None
    min: int | None = None
    of: int | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """An `ask` step with its tables."""

    ask: Ask
    name: str  # FLOW.STEP
    written: tuple[Answer, ...]  # kinds that a text can fill, in the order of `expect`
    files: tuple[Answer, ...]
    takes_location: Answer | None
    takes_card: Answer | None
    choice: Answer | None
    rating: Answer | None  # buttons 1…of are shown for it
    number_counts: bool  # a typed number may be that of an option
    typed: Mapping[str, Mapping[str, Choice]]  # language → normal title → option; titles of the own language always
    by_id: Mapping[str, Choice]


class Program:
    """One flow version. Immutable after construction, shared by all dialogs that stand in it."""

    def __init__(self, flow: Flow, project: Project) -> None:
        self.flow = flow
        self.steps = flow.steps
        self.machine = build_machine(flow)
        self.contact_names = frozenset(name for name, variable in flow.variables.items() if variable.is_contact)
        self.step_names = {step.id: f"{flow.name}.{step.id}" for step in flow.steps.values()}
        self.questions = {step.id: _question(step, flow) for step in flow.steps.values() if isinstance(step, Ask)}
        self.commands: dict[str, list[Interrupt]] = {}
        self.texts: dict[str, list[Interrupt]] = {}
        self.phrases: list[tuple[str, Interrupt]] = []
        self.events: dict[str, list[Interrupt]] = {}
        for interrupt in flow.interrupts:
            if interrupt.command:
                self.commands.setdefault(interrupt.command, []).append(interrupt)
            for text in interrupt.texts:
                self.texts.setdefault(text, []).append(interrupt)
            for phrase in interrupt.phrases:
                if phrase:
                    self.phrases.append((f" {phrase} ", interrupt))
            if interrupt.event:
                self.events.setdefault(interrupt.event, []).append(interrupt)
        self.listens_to = frozenset(
            case.event
            for step in flow.steps.values()
            if isinstance(step, Wait)
            for case in step.cases
            if case.event is not None
        )
        self._template_langs = {name: approved.lang for name, approved in (project.templates or {}).items()}
        self._titles = {lang: _titles(flow, lang) for lang in _languages(flow)}
        self._own_titles = self._titles[flow.lang]

    def titles(self, lang: str) -> Titles:
        """For the filter `title`."""
        return self._titles.get(lang, self._own_titles)

    def template(self, use: TemplateUse | None, scope: Scope) -> Template | None:
        """A template has one language, the one it was approved in."""
        if use is None:
            return None
        lang = self._template_langs.get(use.name, self.flow.lang)
        titles = self.titles(lang)
        return Template(use.name, lang, tuple([text.render(scope, lang=lang, titles=titles) for text in use.params]))


def _question(ask: Ask, flow: Flow) -> Question:
    answers = [_answer(kind, ask.stores.get(kind), flow.variables) for kind in ask.expect]
    has_options = bool(ask.options) or ask.options_from is not None
    by_kind = {answer.kind: answer for answer in answers}
    own_titles = {normal(option.title.own.text): option for option in reversed(ask.options)}
    typed = {
        lang: {**own_titles, **{normal(option.title.by(lang).text): option for option in reversed(ask.options)}}
        for lang in _languages(flow)
    }
    return Question(
        ask=ask,
        name=f"{flow.name}.{ask.id}",
        written=tuple(answer for answer in answers if answer.kind in PARSED_KINDS),
        files=tuple(answer for answer in answers if answer.kind in FILE_ANSWERS),
        takes_location=by_kind.get("location"),
        takes_card=by_kind.get("shared_contact"),
        choice=by_kind.get("choice"),
        rating=None if has_options else by_kind.get("rating"),
        number_counts=not _NUMERIC_KINDS.intersection(ask.expect),
        typed=typed,
        by_id={option.id: option for option in ask.options},
    )


def _answer(kind: str, name: str | None, variables: Mapping[str, Variable]) -> Answer:
    variable = variables[name] if name is not None else None
    if kind in FILE_ANSWERS:
        return Answer(kind, name, max=(variable.max if variable else None) or _MAX_FILES)
    of = 5 if kind == "rating" else None
    if variable is None:
        return Answer(kind, None, of=of)
    return Answer(kind, name, variable.max, variable.min, variable.of or of)


def _languages(flow: Flow) -> set[str]:
    return {flow.lang, *(lang for wording in flow.wordings.values() for lang in wording.others)}


def _titles(flow: Flow, lang: str) -> Callable[[str], Mapping[str, str]]:
    by_variable: dict[str, dict[str, str]] = {}
    for step in flow.steps.values():
        if isinstance(step, Ask) and "choice" in step.stores:
            titles = by_variable.setdefault(step.stores["choice"], {})
            titles.update({option.id: option.title.by(lang).text for option in step.options})
    empty: dict[str, str] = {}
    return lambda variable: by_variable.get(variable, empty)
