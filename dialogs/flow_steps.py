"""Reading the steps of a flow file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from typing import Any

from dialogs.actions import ActionSpec, Catalogue
from dialogs.flow import (
    END_TAGS,
    KINDS,
    MAX_STEPS,
    Assign,
    Assignment,
    Branch,
    Branching,
    Call,
    Case,
    Do,
    End,
    Handoff,
    Retry,
    Say,
    Silence,
    Step,
    Variable,
    Wait,
)
from dialogs.flow_ask import AskReader
from dialogs.flow_fields import Fields, Reader
from dialogs.flow_parts import Wordings, is_one_action, place_of_two, read_close, read_media, read_template
from dialogs.reading import Path

_COMMON = ("id", "stage", "goal", "note")
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "say": ("say", "media", "template", "next"),
    "ask": (
        *("ask", "expect", "into", "options", "options_from", "valid", "invalid", "retry", "silence"),
        *("quick", "button", "edited", "media", "template", "next"),
    ),
    "branch": ("branch",),
    "set": ("set", "next"),
    "do": ("do", "with", "save", "once_per", "outcome", "slow_after"),
    "wait": ("wait", "close"),
    "call": ("call", "with", "save", "next"),
    "handoff": ("handoff", "open_say", "closed_say", "outcome", "nobody_after"),
    "end": ("end",),
}
_MINUTE = timedelta(minutes=1)
_Following = str | None  # id of the next step in the file


class StepReader:
    """Reads the list `steps`; a step that cannot be read is left out."""

    def __init__(
        self,
        reader: Reader,
        *,
        variables: Mapping[str, Variable],
        catalogue: Catalogue,
        retry: Retry | None,
        silence: Silence | None,
        wordings: Wordings,
    ) -> None:
        self._reader = reader
        self._variables = variables
        self._catalogue = catalogue
        self._wordings = wordings
        self._asks = AskReader(reader, variables, wordings, retry, silence)
        self._readers: Mapping[str, Callable[[Fields, dict[str, Any], _Following], Step | None]] = {
            "say": self._say,
            "ask": self._ask,
            "branch": self._branch,
            "set": self._set,
            "do": self._do,
            "wait": self._wait,
            "call": self._call,
            "handoff": self._handoff,
            "end": self._end,
        }

    def read(self, top: Fields) -> dict[str, Step]:
        items = list(top.items("steps", must=True, may_be_empty=False))
        if len(items) > MAX_STEPS:
            top.wrong("steps", MAX_STEPS)
            return {}
        ids = [item.get("id") if isinstance(item, dict) else None for item, _ in items]
        steps: dict[str, Step] = {}
        for index, (item, path) in enumerate(items):
            following = ids[index + 1] if index + 1 < len(ids) else None
            name = ids[index]
            self._reader.step = name if isinstance(name, str) else None
            step = self._step(item, path, index, following if isinstance(following, str) else None)
            if step is not None:
                if step.id in steps:
                    self._reader.note("F02", (*path, "id"), x=step.id)
                else:
                    steps[step.id] = step
        self._reader.step = None
        return steps

    def _step(self, item: object, path: Path, index: int, following: _Following) -> Step | None:
        kinds = [kind for kind in KINDS if kind in item] if isinstance(item, dict) else []
        known: Collection[str] = {*_COMMON}
        for kind in kinds or KINDS:
            known = {*known, *_FIELDS[kind]}
        fields = self._reader.fields(item, path, known)
        if fields is None:
            return None
        if len(kinds) != 1:
            self._reader.note("Y07", (*path, "id") if fields.has("id") else path)
            return None
        fields.text("note")
        common = {
            "id": fields.slug("id", must=True),
            "index": index,
            "path": path,
            "stage": fields.text("stage"),
            "goal": fields.slug("goal"),
        }
        step = self._readers[kinds[0]](fields, common, following)
        return step if common["id"] is not None else None

    def _next(self, fields: Fields, following: _Following) -> str | None:
        own = fields.slug("next")
        if own is None and following is None and not fields.has("next"):
            self._reader.note("F05", (*fields.path, "id"))
        return own or following

    def _save(self, fields: Fields) -> tuple[Assignment, ...]:
        saved = fields.expressions("save")
        for name, _, path in saved:
            self.declared(name, path)
        return saved

    def declared(self, name: str, path: Path) -> Variable | None:
        variable = self._variables.get(name)
        if variable is None:
            self._reader.note("N05", path, x=name)
        return variable

    # --------------------------------------------------------------------------------------- one method for a kind

    def _say(self, fields: Fields, common: dict[str, Any], following: _Following) -> Step | None:
        text = self._wordings.read(fields, "say", f"{common['id']}.say", must=True)
        next_step = self._next(fields, following)
        media, template = read_media(fields), read_template(fields)
        return Say(**common, next=next_step, text=text, media=media, template=template) if text else None

    def _set(self, fields: Fields, common: dict[str, Any], following: _Following) -> Step | None:
        values = fields.expressions("set", must=True)
        for name, _, path in values:
            self.declared(name, path)
        return Assign(**common, next=self._next(fields, following), values=values)

    def _branch(self, fields: Fields, common: dict[str, Any], following: _Following) -> Step | None:
        cases: list[Branching] = []
        items = list(fields.items("branch", must=True, may_be_empty=False))
        is_complete = False
        for index, (value, path) in enumerate(items):
            case = self._reader.fields(value, path, ("if", "else", "next"))
            if case is None:
                is_complete = True  # it may have been the else
                continue
            condition = case.expression("if")
            is_else = case.only_true("else")
            target = case.slug("next", must=True)
            if case.has("if") is is_else:
                case.wrong("if")
            is_last = index == len(items) - 1
            is_complete = is_complete or (is_else and is_last)
            if is_else and not is_last:
                self._reader.note("F07", (*path, "else"))
                is_complete = True  # said once
            if target is not None and (condition is not None or is_else):
                cases.append(Branching(condition, target, path))
        if items and not is_complete:
            self._reader.note("F07", (*fields.path, "branch"))
        return Branch(**common, cases=tuple(cases))

    def _do(self, fields: Fields, common: dict[str, Any], following: _Following) -> Step | None:
        action = fields.text("do", must=True)
        spec = self._catalogue.get(action) if action else None
        if action and spec is None:
            self._reader.note("I01", fields.at("do"), x=action)
        params = []
        for name, written, path in fields.text_map("with"):
            params.append((name, self._reader.text(written, path), path))
        outcome = self._outcome(fields, ("ok", "rejected", "slow"))
        slow_after = fields.duration(
            "slow_after", must=True, shortest=timedelta(seconds=1), longest=timedelta(minutes=10)
        )
        save, once_per = self._save(fields), fields.filled_text("once_per")
        if action is None or slow_after is None:
            return None
        return Do(
            **common,
            action=action,
            spec=spec or ActionSpec(action, writes=False, parameters={}),
            params=tuple(params),
            save=save,
            once_per=once_per,
            outcome=outcome,
            slow_after=slow_after,
        )

    def _outcome(self, fields: Fields, names: tuple[str, ...]) -> dict[str, str]:
        inner = fields.inner("outcome", names, must=True)
        if inner is None:
            return {}
        return {name: target for name in names if (target := inner.slug(name, must=True)) is not None}

    def _wait(self, fields: Fields, common: dict[str, Any], following: _Following) -> Step | None:
        cases = []
        for value, path in fields.items("wait", must=True):
            case = self._case(value, path)
            if case is not None:
                cases.append(case)
        close = read_close(fields, must=True)
        return Wait(**common, cases=tuple(cases), close=close) if close else None

    def _case(self, value: object, path: Path) -> Case | None:
        fields = self._reader.fields(value, path, ("event", "message", "if", "save", "next", "call", "with", "then"))
        if fields is None:
            return None
        event, is_message = fields.text("event"), fields.only_true("message")
        if fields.has("event") is is_message:
            fields.wrong("event")
            return None
        condition, save, params = fields.expression("if"), self._save(fields), fields.expressions("with")
        target, called = fields.slug("next"), fields.slug("call")
        if not is_one_action(fields, ("next", "call")):
            self._reader.note("F24", place_of_two(fields, ("next", "call")), x=event or "message")
        return Case(event, condition, save, path, target, called, params)

    def _call(self, fields: Fields, common: dict[str, Any], following: _Following) -> Step | None:
        called, params = fields.slug("call", must=True), fields.expressions("with")
        save, next_step = self._save(fields), self._next(fields, following)
        return Call(**common, next=next_step, flow=called, params=params, save=save) if called else None

    def _handoff(self, fields: Fields, common: dict[str, Any], following: _Following) -> Step | None:
        queue = fields.slug("handoff", must=True)
        open_say = self._wordings.read(fields, "open_say", f"{common['id']}.open_say", must=True)
        closed_say = self._wordings.read(fields, "closed_say", f"{common['id']}.closed_say", must=True)
        outcome = self._outcome(fields, ("returned", "closed", "nobody"))
        nobody_after = fields.duration("nobody_after", must=True, shortest=_MINUTE, longest=timedelta(days=7))
        if queue is None or open_say is None or closed_say is None or nobody_after is None:
            return None
        return Handoff(
            **common,
            queue=queue,
            open_say=open_say,
            closed_say=closed_say,
            outcome=outcome,
            nobody_after=nobody_after,
        )

    def _end(self, fields: Fields, common: dict[str, Any], following: _Following) -> Step | None:
        tag = fields.text("end", must=True, of=END_TAGS)
        return End(**common, tag=tag) if tag else None

    def _ask(self, fields: Fields, common: dict[str, Any], following: _Following) -> Step | None:
        def find_next(is_needed: bool) -> str | None:
            return self._next(fields, following) if is_needed or fields.has("next") else None

        return self._asks.read(fields, common, find_next)
