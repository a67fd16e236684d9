"""The graph of a flow as Mermaid text, for documents and issue trackers that draw it themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from dialogs.draw import palette
from dialogs.draw.graph import SPECIAL, Edge, Graph, Node
from dialogs.draw.measure import one_line
from dialogs.draw.words import word

_LONGEST = 60  # characters of a line of a node or a label
_SHAPES = {"branch": ('{{"', '"}}'), "end": ('(["', '"])'), "start": ('(["', '"])')}
_NOBODY: Mapping[str, int] = MappingProxyType({})


def draw_mermaid(graph: Graph, *, live: Mapping[str, int] = _NOBODY) -> str:
    """`flowchart TD` text. `live`: step → dialogs that stand there now."""
    return "\n".join(_lines(graph, live)) + "\n"


def _lines(graph: Graph, live: Mapping[str, int]) -> Iterator[str]:
    yield "---"
    yield f'title: "{_title(graph.title)}"'
    yield "---"
    yield "flowchart TD"
    for node in graph.nodes.values():
        yield f"    {_node(node, graph, live.get(node.id, 0))}"
    for edge in graph.edges:
        yield f"    {_edge(edge)}"
    present = {node.kind for node in graph.nodes.values()}
    for kind, tone in palette.KINDS.items():
        if kind in present:
            yield f"    classDef {_class(kind)} fill:{tone.fill},stroke:{tone.line},color:{palette.INK}"
    yield f"    classDef dead stroke:{palette.DEAD},stroke-width:3px"


def _node(node: Node, graph: Graph, live: int) -> str:
    opening, closing = _SHAPES.get(node.kind, ('("', '")'))
    said = [node.text] if node.id in SPECIAL else [node.id, node.text]
    said += [*node.notes, *([node.trouble] if node.trouble else [])]
    if live:
        said.append(word("live", graph.lang, live))
    label = "<br/>".join([_quoted(line) for line in said if line])
    dead = ",dead" if node.trouble else ""
    classes = f"\n    class {_id(node.id)} {_class(node.kind)}{dead}"
    return f"{_id(node.id)}{opening}{label}{closing}{classes}"


def _edge(edge: Edge) -> str:
    arrow = "-.->" if edge.kind == "edit" else "-->"
    label = "<br/>".join([_quoted(label) for label in edge.labels])
    return f"{_id(edge.source)} {arrow}" + (f'|"{label}"| ' if label else " ") + _id(edge.target)


def _id(name: str) -> str:
    return f"s_{name}"  # `end` and other words of Mermaid are step names too


def _class(kind: str) -> str:
    return f"kind_{kind}"


def _quoted(text: str) -> str:
    """Letters, digits and harmless signs as they are, everything that Mermaid or HTML could read as an entity."""
    text = one_line(text)
    if len(text) > _LONGEST:
        text = text[: _LONGEST - 1].rstrip() + "…"
    return "".join([char if char.isalnum() or char in " .,:!?-+=/_«»…–—№₽→↩•" else f"#{ord(char)};" for char in text])


def _title(text: str) -> str:
    """For the YAML above the chart."""
    return one_line(text).replace("\\", "\\\\").replace('"', '\\"')
