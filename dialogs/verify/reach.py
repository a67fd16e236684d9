"""Where the ways of a flow lead: F04, F06, F08."""

from __future__ import annotations

from collections.abc import Mapping

from dialogs.findings import Finding
from dialogs.flow import Assign, Branch, Call, Do, End, Flow, Say
from dialogs.verify.folder import Folder
from dialogs.verify.noting import Noting
from dialogs.verify.ways import Ways, is_interruptible

_Graph = Mapping[str, list[str]]


def check(flow: Flow, *, folder: Folder, ways: Ways, reached: set[str]) -> list[Finding]:
    notes = Noting(flow.document)
    for step in flow.steps.values():
        notes.step = step.id
        if step.id not in reached:
            notes.add("F04", (*step.path, "id"))
    _no_end(flow, ways, reached, notes)
    _endless(flow, folder, ways, notes)
    return notes.findings


def _no_end(flow: Flow, ways: Ways, reached: set[str], notes: Noting) -> None:
    """F06 at the steps by which one comes to where there is no end, and not at every step behind them."""
    before: dict[str, list[str]] = {name: [] for name in flow.steps}
    for name, own in ways.own.items():
        for target, _ in own:
            before[target].append(name)
    # A way to a step that is not there may have been the one to the end: F03 or F05 was said of it.
    ending = [step.id for step in flow.steps.values() if isinstance(step, End) or step.id in ways.lost]
    ends: set[str] = set()
    while ending:
        name = ending.pop()
        if name not in ends:
            ends.add(name)
            ending += before[name]
    is_interrupted = any(is_interruptible(step) and step.id in ends for step in flow.steps.values())
    for step in flow.steps.values():
        if step.id in ends or step.id not in reached:
            continue
        is_entered = any(name in ends and name in reached for name in before[step.id])
        if step is flow.first or is_entered or (is_interrupted and step.id in ways.interrupted):
            notes.step = step.id
            notes.add("F06", (*step.path, "id"))


def _endless(flow: Flow, folder: Folder, ways: Ways, notes: Noting) -> None:
    passed = {
        step.id
        for step in flow.steps.values()
        if isinstance(step, Say | Assign | Branch | Do) or (isinstance(step, Call) and folder.is_passed(step.flow))
    }
    graph = {name: [target for target, _ in ways.own[name] if target in passed] for name in passed}
    _drop_dead_ends(graph)
    said: set[str] = set()
    for step in flow.steps.values():
        if step.id not in graph or step.id in said:
            continue
        circle = _circle(step.id, graph)
        if circle:
            notes.step = step.id
            notes.add("F08", (*step.path, "id"), x=" → ".join([*circle, step.id]))
            said |= _ahead(step.id, graph) & {name for name in graph if step.id in _ahead(name, graph)}


def _drop_dead_ends(graph: dict[str, list[str]]) -> None:
    """Only what may lead round in a circle is left."""
    while dead := {name for name, targets in graph.items() if not targets}:
        for name in dead:
            del graph[name]
        for name, targets in graph.items():
            graph[name] = [target for target in targets if target not in dead]


def _circle(begin: str, graph: _Graph) -> list[str]:
    """The shortest way from a step back to itself; empty if there is none."""
    came_from: dict[str, str] = {}
    waiting = [begin]
    for name in waiting:
        for target in graph[name]:
            if target == begin:
                circle = [name]
                while circle[-1] != begin:
                    circle.append(came_from[circle[-1]])
                return circle[::-1]
            if target not in came_from:
                came_from[target] = name
                waiting.append(target)
    return []


def _ahead(begin: str, graph: _Graph) -> set[str]:
    seen: set[str] = set()
    waiting = [begin]
    while waiting:
        for target in graph[waiting.pop()]:
            if target not in seen:
                seen.add(target)
                waiting.append(target)
    return seen
