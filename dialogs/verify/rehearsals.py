"""Whether golden tests name what exists: X01."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from dialogs.actions import Catalogue
from dialogs.business_events import EVENTS
from dialogs.findings import Finding
from dialogs.flow import Ask, Do, Flow, Step
from dialogs.reading import Path
from dialogs.verify.folder import Folder
from dialogs.verify.noting import Noting


def check(flow: Flow, *, folder: Folder, catalogue: Catalogue) -> list[Finding]:
    notes = Noting(flow.document)
    if flow.tests:
        flows, is_complete = folder.called_from(flow)
        names = _Names(flow, flows, folder, catalogue, is_complete=is_complete)
        for test in flow.tests:
            for name, path in _unknown(test.data, test.path, names):
                notes.add("X01", path, x=name)
    return notes.findings


def _unknown(test: Mapping[str, Any], path: Path, names: _Names) -> Iterator[tuple[str, Path]]:
    channel = test.get("channel")
    if channel is not None and channel not in names.flow.channels:
        yield channel, (*path, "channel")
    for name in test.get("known") or ():
        if not names.is_contact_variable(name):
            yield name, (*path, "known", name)
    for index, line in enumerate(test["chat"]):
        for field, value in line.items():
            for name in names.unknown(field, value):
                yield name, (*path, "chat", index, field)


class _Names:
    """What the tests of a flow may name: its own, and what is in the flows that it calls."""

    def __init__(
        self, flow: Flow, flows: Mapping[str, Flow], folder: Folder, catalogue: Catalogue, *, is_complete: bool
    ) -> None:
        self.flow = flow
        self._folder = folder
        self._catalogue = catalogue
        self._is_complete = is_complete  # else a called flow is not there, and may have anything
        self._flows = flows
        asks = [step for each in flows.values() for step in each.steps.values() if isinstance(step, Ask)]
        self._options = {option.id for ask in asks for option in ask.options}
        self._has_listed = any(ask.options_from is not None for ask in asks)
        self._stars = max((_best_of(ask, each) for each in flows.values() for ask in _ratings(each)), default=0)

    def is_contact_variable(self, name: str) -> bool:
        return not self._is_complete or name in self._folder.contact_variables

    def unknown(self, field: str, value: Any) -> Iterable[str]:
        if field == "press":
            return [str(value)] if not self._is_option(str(value)) else ()
        if field == "buttons":
            return [option for option in value if not self._is_option(option)]
        if field == "old_press":
            step = self._step(str(value["step"]))
            if step is None:
                return self._if_complete(str(value["step"]))
            options = {option.id for option in step.options} if isinstance(step, Ask) and step.options else None
            return [str(value["option"])] if options is not None and str(value["option"]) not in options else ()
        if field == "event":
            return [value["kind"]] if value["kind"] not in EVENTS else ()
        if field == "result":
            return () if isinstance(self._step(value["step"], (Do,)), Do) else self._if_complete(value["step"])
        if field == "at":
            return self._if_complete(value) if self._step(value) is None else ()
        if field in ("does", "does_not"):
            actions = value if isinstance(value, Mapping) else [value]
            return [action for action in actions if action != "handoff" and action not in self._catalogue]
        if field == "vars":
            known = {name for flow in self._flows.values() for name in flow.variables}
            return [name for name in value if self._is_complete and name not in known]
        if field == "begin":
            return [name for name in value if name not in self.flow.takes]
        return ()

    def _if_complete(self, name: str) -> list[str]:
        return [name] if self._is_complete else []

    def _is_option(self, name: str) -> bool:
        if not self._is_complete or self._has_listed or name in self._options:
            return True
        return name.isascii() and name.isdigit() and 1 <= int(name[:3]) <= self._stars

    def _step(self, name: str, kinds: tuple[type[Step], ...] = (Step,)) -> Step | None:
        """`STEP` of any of the flows, or `FLOW.STEP`."""
        flow_name, _, step_name = name.rpartition(".")
        if flow_name:
            flow = self._folder.flows.get(flow_name)
            return flow.steps.get(step_name) if flow is not None else None
        found = [flow.steps[step_name] for flow in self._flows.values() if step_name in flow.steps]
        return next((step for step in found if isinstance(step, kinds)), None)


def _ratings(flow: Flow) -> Iterator[Ask]:
    for step in flow.steps.values():
        if isinstance(step, Ask) and "rating" in step.expect and not step.options and step.options_from is None:
            yield step


def _best_of(ask: Ask, flow: Flow) -> int:
    variable = flow.variables.get(ask.stores.get("rating", ""))
    return (variable.of if variable is not None else None) or 5
