"""What stands where inside the box of a node: two lines of text, and below them the ways drawn as words.

A line that has to cross half the picture is harder to follow than the name of the step it leads to. Such an edge is a
row of its box, a jump: what takes it, and a tag with the name of the step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dialogs.draw.graph import INTERRUPTS, SPECIAL, Edge, Graph, Node
from dialogs.draw.measure import cut, width_of
from dialogs.draw.ranks import Ranks

ID_SIZE, TEXT_SIZE, SMALL = 13, 12, 11
STEP_WIDTH, END_WIDTH = 244, 190
WIDEST, NARROWEST = 470, 190  # the start and the interrupts, which are as wide as their rows
HEAD, ROW, FOOT = 46, 19, 6
SHORT_HEAD = 28  # of a box that has its rows and no text
STAGE = 17  # above a box where a stage begins
_SIDE = 12
_LONGEST_DOWN, _LONGEST_UP = 3, 3  # layers that a usual line may pass
_MANY = 4  # ways into one step, of which only short ones are lines


@dataclass(frozen=True, slots=True)
class Row:
    text: str
    about: str
    edge: Edge | None = None  # a jump
    tag: str = ""  # the name of its target


@dataclass(frozen=True, slots=True)
class Card:
    node: Node
    width: int
    height: int  # with the stage above
    top: int  # where the box begins, below the stage
    title: str
    kind: str  # the word for its kind
    text: str
    rows: tuple[Row, ...]

    @property
    def rows_at(self) -> int:
        return self.top + (HEAD if self.text else SHORT_HEAD)


def find_jumps(graph: Graph, ranks: Ranks[str]) -> frozenset[str]:
    """The ids of the edges that become words. At least one line leads to every step that can be reached.

    A node stands one layer below the lowest of those before it, and edges of that length are always lines.
    """
    is_small = len(graph.nodes) <= 12
    jumps = set()
    entered: dict[str, list[Edge]] = {}
    for edge in graph.edges:
        entered.setdefault(edge.target, []).append(edge)
    for index, edge in enumerate(graph.edges):
        span = ranks.layer[edge.target] - ranks.layer[edge.source]
        into = entered[edge.target]
        if edge.kind == "edit" and any(other.kind != "edit" for other in into):
            jumps.add(edge.id)
        elif span == 1 and index not in ranks.back:
            continue
        elif span == 0 or edge.source == INTERRUPTS:
            jumps.add(edge.id)
        elif span > 0:
            many = len(into) >= _MANY or (len(into) == _MANY - 1 and graph.nodes[edge.target].kind == "end")
            longest = 1 if many and not is_small else _LONGEST_DOWN
            if span > (2 if is_small else 1 if edge.kind == "trouble" else longest):
                jumps.add(edge.id)
        elif -span > _LONGEST_UP or edge.kind == "trouble":
            jumps.add(edge.id)
    return frozenset(jumps)


def build_cards(graph: Graph, jumps: frozenset[str], kinds: Mapping[str, str]) -> dict[str, Card]:
    """`kinds`: kind → its word."""
    leaving: dict[str, list[Edge]] = {}
    for edge in graph.edges:
        if edge.id in jumps:
            leaving.setdefault(edge.source, []).append(edge)
    cards = {}
    for name, node in graph.nodes.items():
        notes = list(node.notes)
        if name == INTERRUPTS:  # its lines have no labels: they would be longer than the box
            lines = [edge for edge in graph.edges if edge.source == name and edge.id not in jumps]
            notes = [label for edge in lines for label in edge.labels] + notes
        cards[name] = _card(node, leaving.get(name, []), notes, kinds[node.kind])
    return cards


def _card(node: Node, leaving: Sequence[Edge], notes: Sequence[str], kind: str) -> Card:
    if node.id in SPECIAL:
        needed = [width_of(note, SMALL) for note in notes]
        needed += [width_of(", ".join(edge.labels), SMALL) + width_of(edge.target, SMALL) + 40 for edge in leaving]
        width = min(max([*needed, 0]) + 3 * _SIDE, WIDEST)
        width = max(width, NARROWEST)
        title, kind, text = node.text, "", ""
    else:
        width = END_WIDTH if node.kind == "end" else STEP_WIDTH
        room = width - 3 * _SIDE - width_of(kind, SMALL)
        title = cut(node.id, room, ID_SIZE, is_bold=True)
        text = cut(node.text, width - 2 * _SIDE - 6, TEXT_SIZE)
    rows = [_jump(edge, width) for edge in leaving]
    rows += [Row(cut(note, width - 2 * _SIDE - 6, SMALL), note) for note in notes]
    if node.trouble:
        rows.append(Row(cut(node.trouble, width - 2 * _SIDE, SMALL), node.trouble))
    top = STAGE if node.stage else 0
    height = top + (HEAD if text else SHORT_HEAD) + len(rows) * ROW + (FOOT if rows else 0)
    return Card(node, width, height, top, title, kind, text, tuple(rows))


def _jump(edge: Edge, width: int) -> Row:
    tag = cut(edge.target, width * 3 // 5 - 20, SMALL)
    room = width - 2 * _SIDE - width_of(tag, SMALL) - 34
    label = ", ".join(edge.labels)
    return Row(cut(label, room, SMALL) if label else "", edge.about, edge, tag)
