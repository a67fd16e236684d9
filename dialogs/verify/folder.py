"""What the checks of one flow need to know of the other flows of its folder, worked out once for all of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cached_property

from dialogs.flow import Ask, Call, Flow, Handoff, Start, Variable, Wait
from dialogs.reading import Path
from dialogs.verify.calling import callings


class Folder:
    """All flows of a folder by name."""

    def __init__(self, flows: Mapping[str, Flow], unreadable: Collection[str] = ()) -> None:
        self.flows = flows
        self.unreadable = unreadable  # flows that are there, but cannot be read: of them nothing is said
        self._asks: dict[str, bool] = {}
        self._waits: dict[str, bool] = {}

    @cached_property
    def claims(self) -> Mapping[str, list[str]]:
        """What of a customer begins flows → their names."""
        claims: dict[str, list[str]] = {}
        for flow in self.flows.values():
            for claim, _, _ in claims_of(flow):
                claims.setdefault(claim, []).append(flow.name)
        return claims

    @cached_property
    def contact_variables(self) -> Mapping[str, list[tuple[str, Variable]]]:
        """Variable of the contact → (flow that declares it, how), by name of the flow."""
        found: dict[str, list[tuple[str, Variable]]] = {}
        for name, flow in sorted(self.flows.items()):
            for variable in flow.variables.values():
                if variable.is_contact:
                    found.setdefault(variable.name, []).append((name, variable))
        return found

    def called_from(self, flow: Flow) -> tuple[dict[str, Flow], bool]:
        """`flow` and all that it may call, also through others; and whether all of them are there."""
        found: dict[str, Flow] = {flow.name: flow}
        is_complete = True
        waiting = [flow]
        while waiting:
            for calling in callings(waiting.pop()):
                name = calling.flow
                called = self.flows.get(name)
                if called is None:
                    is_complete = False
                elif name not in found:
                    found[name] = called
                    waiting.append(called)
        return found, is_complete

    def has_question(self, name: str) -> bool:
        """Whether the flow, or one that it calls, has an `ask`. One that is not there may have had."""
        if name not in self._asks:
            self._asks[name] = name not in self.flows or self._has(name, (Ask,))
        return self._asks[name]

    def is_passed(self, name: str) -> bool:
        """Whether a called flow comes to its end without waiting for anybody."""
        if name not in self._waits:
            self._waits[name] = self._has(name, (Ask, Wait, Handoff))
        return name in self.flows and not self._waits[name]

    def _has(self, name: str, kinds: tuple[type, ...]) -> bool:
        flow = self.flows.get(name)
        if flow is None:
            return False
        called = {name: flow}
        waiting = [flow]
        while waiting:
            for step in waiting.pop().steps.values():
                if isinstance(step, kinds):
                    return True
                if isinstance(step, Call) and step.flow in self.flows and step.flow not in called:
                    called[step.flow] = self.flows[step.flow]
                    waiting.append(called[step.flow])
        return False


def claims_of(flow: Flow) -> Iterator[tuple[str, Path, Start]]:
    """What of a customer begins this flow: a command, a text, or the kind of message."""
    for entry in flow.start:
        if entry.kind == "command":
            yield f"/{entry.command}", (*entry.path, "command"), entry
        elif entry.kind == "text":
            for index, text in enumerate(entry.texts):
                if text not in entry.texts[:index]:
                    yield text, (*entry.path, "text", index), entry
        elif entry.kind != "event":
            yield entry.kind, (*entry.path, entry.kind), entry
