"""Which steps no golden test comes to: X02."""

from __future__ import annotations

from collections.abc import Callable

from dialogs.findings import Finding, finding
from dialogs.flow import Flow, Step
from dialogs.flows_set import Flows
from dialogs.golden import run_tests


def untested(flows: Flows) -> list[Finding]:
    """One finding for each live flow. The tests of a flow count for the flows that it calls, too; failing ones count.

    Plays all tests: some milliseconds each.
    """
    visited: set[tuple[str, str]] = set()
    watched = flows.copied(lambda flow: _Watched(flow, lambda step: visited.add((flow.name, step))))
    for flow in watched.all_live():
        run_tests(watched, flow)
    findings = []
    for flow in flows.all_live():
        missed = [step for step in flow.steps if (flow.name, step) not in visited]
        if missed:
            place = "tests" if "tests" in flow.document.data else "flow"
            line = flow.document.lines.of((place,))
            findings.append(finding("X02", file=flow.document.file, line=line, x=", ".join(missed)))
    return findings


class _Watched(dict[str, Step]):
    """The steps of a flow. A walk looks up every step that it passes or enters by its id, and so they are seen."""

    def __init__(self, flow: Flow, note: Callable[[str], None]) -> None:
        super().__init__(flow.steps)
        self._note = note

    def __getitem__(self, name: str) -> Step:
        self._note(name)
        return super().__getitem__(name)
