"""A flow as nodes and edges: what a picture of it shows, whatever draws the picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dialogs.draw import ways
from dialogs.draw.measure import one_line
from dialogs.draw.names import action_name, event_name
from dialogs.draw.reading import shown, title_of
from dialogs.draw.ways import INTERRUPTS as INTERRUPTS
from dialogs.draw.ways import START as START
from dialogs.draw.ways import Way
from dialogs.draw.words import duration, word
from dialogs.flow import (
    KINDS,
    Ask,
    Assign,
    Branch,
    Call,
    Do,
    End,
    Flow,
    Handoff,
    Say,
    Step,
    Wait,
)

SPECIAL = (START, INTERRUPTS)
DASHED = ("edit", "edited")


@dataclass(frozen=True, slots=True)
class Node:
    """A step, or what is beside them: the start, the interrupts, a step that is named and does not exist."""

    id: str
    kind: str  # one of KINDS, or start, interrupts, missing
    text: str  # what it says, does or waits for, in one line
    about: str  # all of it, for a tooltip
    notes: tuple[str, ...] = ()  # what it can do that leads to no step of this flow
    calls: tuple[str, ...] = ()  # flows it may call
    stage: str | None = None  # where a stage begins
    trouble: str | None = None  # a dead end, or out of reach: the sentence


@dataclass(frozen=True, slots=True)
class Edge:
    """Everything that leads from one node to another, apart from corrections, which are an edge of their own."""

    id: str  # edge-FROM-TO-N
    source: str
    target: str
    kind: str  # usual, trouble, edit
    ways: tuple[Way, ...]
    labels: tuple[str, ...]  # empty: simply what comes next

    @property
    def about(self) -> str:
        said = "; ".join([way.about for way in self.ways if way.about])
        return f"{self.source.lstrip('_')} → {self.target}" + (f": {said}" if said else "")


@dataclass(frozen=True, slots=True)
class Graph:
    """A flow to be drawn. Nodes in the order of the file, the start and the interrupts first."""

    name: str
    title: str
    version: int
    lang: str
    nodes: Mapping[str, Node]
    edges: tuple[Edge, ...]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of step that are there, in the order of the format."""
        present = {node.kind for node in self.nodes.values()}
        return tuple(kind for kind in (*KINDS, "missing") if kind in present)


def build_graph(flow: Flow, *, lang: str) -> Graph:
    """The graph of a flow, which may still have mistakes: what leads nowhere and what is out of reach is marked."""
    found = list(ways.of_flow(flow, lang))
    reached = _reachable(START, found) | _reachable(INTERRUPTS, found)
    saved = _saved(flow, found)
    nodes = {START: _start(flow, lang)}
    if flow.interrupts:
        nodes[INTERRUPTS] = _interrupts(flow, lang)
    stage: str | None = None
    for step in flow.steps.values():
        trouble = None
        if step.id not in reached:
            trouble = word("unreachable", lang)
        elif step.id not in saved:
            trouble = word("dead_end", lang)
        nodes[step.id] = _node(step, flow, lang, stage, trouble)
        stage = step.stage or stage
    for way in found:
        if way.target not in nodes:
            nodes[way.target] = Node(way.target, "missing", word("missing", lang), word("missing", lang))
    title = flow.wordings["title"].by(lang).text if "title" in flow.wordings else flow.title
    return Graph(flow.name, title, flow.version, lang, nodes, _edges(found, flow, lang))


def _edges(found: Iterable[Way], flow: Flow, lang: str) -> tuple[Edge, ...]:
    """Ways between the same two nodes become one edge; corrections stay apart."""
    grouped: dict[tuple[str, str, bool], list[Way]] = {}
    for way in found:
        grouped.setdefault((way.source, way.target, way.kind in DASHED), []).append(way)
    edges = []
    numbers: dict[tuple[str, str], int] = {}
    for (source, target, is_dashed), group in grouped.items():
        number = numbers[source, target] = numbers.get((source, target), 0) + 1
        kind = "edit" if is_dashed else "trouble" if all(way.is_trouble for way in group) else "usual"
        labels = _labels(group, flow.steps.get(source), lang)
        edges.append(Edge(f"edge-{source}-{target}-{number}", source, target, kind, tuple(group), labels))
    return tuple(edges)


def _labels(group: list[Way], step: Step | None, lang: str) -> tuple[str, ...]:
    if isinstance(step, Do | Handoff) and len(step.outcome) == len(group):
        return (word("any_outcome", lang),)
    return tuple(dict.fromkeys(way.label for way in group if way.label))


def _reachable(begin: str, found: Iterable[Way]) -> set[str]:
    following: dict[str, list[str]] = {}
    for way in found:
        following.setdefault(way.source, []).append(way.target)
    return _closure([begin], following)


def _saved(flow: Flow, found: Iterable[Way]) -> set[str]:
    """The steps from which an end can be reached."""
    before: dict[str, list[str]] = {}
    for way in found:
        before.setdefault(way.target, []).append(way.source)
    return _closure([step.id for step in flow.steps.values() if isinstance(step, End)], before)


def _closure(begin: Iterable[str], following: Mapping[str, list[str]]) -> set[str]:
    seen: set[str] = set()
    open_nodes = list(begin)
    while open_nodes:
        name = open_nodes.pop()
        if name not in seen:
            seen.add(name)
            open_nodes += following.get(name, ())
    return seen


def _node(step: Step, flow: Flow, lang: str, stage: str | None, trouble: str | None) -> Node:
    kind, text, about = _said(step, flow, lang)
    calls: tuple[str, ...] = ()
    if isinstance(step, Call):
        calls = (step.flow,)
    elif isinstance(step, Wait):
        calls = tuple(dict.fromkeys(case.call for case in step.cases if case.call is not None))
    return Node(
        id=step.id,
        kind=kind,
        text=one_line(text),
        about=about or text,
        notes=tuple(ways.notes_of_step(step, flow, lang)),
        calls=calls,
        stage=step.stage if step.stage != stage else None,
        trouble=trouble,
    )


def _said(step: Step, flow: Flow, lang: str) -> tuple[str, str, str]:
    """Kind, the line of the box, the tooltip (empty: the same)."""
    if isinstance(step, Say):
        return "say", shown(step.text.by(lang).text, flow), ""
    if isinstance(step, Ask):
        text = shown(step.text.by(lang).text, flow)
        options = [f"• {choice.title.by(lang).text}" for choice in step.options]
        return "ask", text, "\n".join([text, *options])
    if isinstance(step, Branch):
        rows = [f"{case.condition.text if case.condition else 'else'} → {case.next}" for case in step.cases]
        return "branch", _asked(step, flow), "\n".join(rows)
    if isinstance(step, Assign):
        rows = [f"{name} = {value.text}" for name, value, _ in step.values]
        return "set", "; ".join(f"{title_of(n, flow)} = {value.text}" for n, value, _ in step.values), "\n".join(rows)
    if isinstance(step, Do):
        params = [f"{name}: {shown(value.text, flow)}" for name, value, _ in step.params]
        text = next((shown(value.text, flow) for name, value, _ in step.params if name == "text"), "")
        name = action_name(step.action, lang)
        return "do", f"{name}: {text}" if text else name, "\n".join([step.action, *params])
    if isinstance(step, Wait):
        events = dict.fromkeys(event_name(case.event, lang) if case.event else "" for case in step.cases)
        said = [name or word("any_message", lang) for name in events]
        return "wait", ", ".join(said), "\n".join([*said, word("close", lang, duration(step.close.after, lang))])
    if isinstance(step, Call):
        params = [f"{name}: {value.text}" for name, value, _ in step.params]
        return "call", step.flow, "\n".join([step.flow, *params])
    if isinstance(step, Handoff):
        said = [shown(wording.by(lang).text, flow) for wording in (step.open_say, step.closed_say)]
        return "handoff", f"{step.queue}: {said[0]}", "\n".join([step.queue, *said])
    tag = step.tag if isinstance(step, End) else ""
    return "end", f"{tag}: {word(f'ends_{tag}', lang)}" if tag else "", ""


def _asked(step: Branch, flow: Flow) -> str:
    """What a branch looks at, in the order in which the variables are declared."""
    found = [path for case in step.cases if case.condition is not None for path in case.condition.paths]
    names = {str(path[0]) for path in found}
    known = [name for name in flow.variables if name in names]
    others = sorted(names.difference(known))
    return ", ".join([title_of(name, flow) for name in (*known, *others)]) + "?"


def _start(flow: Flow, lang: str) -> Node:
    rows = [ways.occasion(entry, flow, lang) for entry in flow.start]
    if flow.is_callable and flow.takes:
        names = ", ".join(title_of(name, flow) for name in flow.takes)
        rows.append(word("called_params", lang, names))
    elif flow.is_callable:
        rows.append(word("called", lang))
    rows = rows or [word("nobody_begins", lang)]
    return Node(START, "start", word("start", lang), "\n".join(rows), notes=tuple(rows))


def _interrupts(flow: Flow, lang: str) -> Node:
    rows = [ways.interruption(interrupt, flow, lang) for interrupt in flow.interrupts]
    return Node(
        INTERRUPTS,
        "interrupts",
        word("interrupts", lang),
        "\n".join(rows),
        notes=tuple(row for row, inter in zip(rows, flow.interrupts, strict=True) if inter.act != "next"),
        calls=tuple(dict.fromkeys(i.target for i in flow.interrupts if i.act == "call" and i.target)),
    )
