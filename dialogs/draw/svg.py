"""The picture of a flow as SVG: no scripts, nothing from elsewhere, every text escaped.

Steps are `<g id="step-ID" class="step kind-KIND" data-step="ID">`, edges `<g id="edge-FROM-TO-N" class="edge"
data-from="FROM" data-to="TO">`; both have a `<title>`. So a page may add zoom and selection to it as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from dialogs.draw import palette
from dialogs.draw.cards import Card, build_cards, find_jumps
from dialogs.draw.graph import INTERRUPTS, SPECIAL, START, Graph
from dialogs.draw.layers import Area, Box, Layout, Link, arrange
from dialogs.draw.legend import Legend, build_legend
from dialogs.draw.measure import FONT, cut
from dialogs.draw.ranks import rank
from dialogs.draw.svg_cards import draw_card, draw_jumps
from dialogs.draw.svg_edges import draw_edge, label_of, size_of
from dialogs.draw.svg_text import element, escaped, text
from dialogs.draw.words import word

MARGIN = 24
_NARROWEST = 640
_NOBODY: Mapping[str, int] = MappingProxyType({})


def draw_svg(graph: Graph, *, live: Mapping[str, int] = _NOBODY, has_style: bool = True) -> str:
    """The picture. `live`: step → dialogs that stand there now.

    Without `has_style` there is no `<style>` for a dark ground: for a page that forbids inline styles and has its own.
    """
    # Which circle is broken where changes the whole picture: the smaller one has shorter lines and is easier to read.
    plan = min((_plan(graph, reads_on=reads_on) for reads_on in (False, True)), key=lambda plan: plan.area)
    width = max(plan.layout.width + 2 * MARGIN, _NARROWEST)
    legend = build_legend(
        graph, width - 2 * MARGIN, has_back=plan.has_back, has_jumps=plan.has_jumps, has_live=bool(live)
    )
    return "".join(_document(graph, plan, live, legend, width, has_style=has_style)) + "\n"


@dataclass(frozen=True, slots=True)
class _Plan:
    """What stands where."""

    layout: Layout
    cards: Mapping[str, Card]
    lines: Mapping[str, tuple[str, ...]]  # edge that is a line → the lines of its label
    has_back: bool
    has_jumps: bool

    @property
    def area(self) -> int:
        return self.layout.width * self.layout.height


def _plan(graph: Graph, *, reads_on: bool) -> _Plan:
    roots = [name for name in SPECIAL if name in graph.nodes]
    pairs = [(edge.source, edge.target) for edge in graph.edges]
    ranks = rank(list(graph.nodes), pairs, roots, reads_on=reads_on)
    jumps = find_jumps(graph, ranks)
    cards = build_cards(graph, jumps, {kind: word(kind, graph.lang) for kind in palette.KINDS})
    drawn = [edge for edge in graph.edges if edge.id not in jumps]
    lines = {edge.id: label_of(edge, graph.lang) for edge in drawn}
    boxes = [_box(card, ranks.layer[name]) for name, card in cards.items()]
    links = [Link(edge.id, edge.source, edge.target, *size_of(lines[edge.id])) for edge in drawn]
    has_back = any(e.kind != "edit" and ranks.layer[e.target] < ranks.layer[e.source] for e in drawn)
    return _Plan(arrange(boxes, links), cards, lines, has_back, bool(jumps))


def _box(card: Card, layer: int) -> Box:
    first = card.width * 45 // 100 if card.node.stage else 14
    return Box(card.node.id, card.width, card.height, layer, first, card.width - 40, card.top)


def _document(
    graph: Graph, plan: _Plan, live: Mapping[str, int], legend: Legend, width: int, *, has_style: bool
) -> Iterator[str]:
    layout, cards, lines = plan.layout, plan.cards, plan.lines
    top = MARGIN + 34 + legend.height + 14
    height = top + layout.height + MARGIN
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="flow" data-flow="{escaped(graph.name)}" '
        f'viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-family="{escaped(FONT)}" role="img">\n'
    )
    yield f"<title>{escaped(graph.title)}</title>\n"
    if has_style:
        yield f"<style>{palette.dark_rules()}</style>\n"
    yield element("rect", class_="ground", x=0, y=0, width=width, height=height, fill=palette.GROUND) + "\n"
    yield from _heading(graph, width)
    yield f'<g transform="translate({MARGIN} {MARGIN + 34})" class="legend">{"".join(legend.parts)}</g>\n'
    shift = (width - layout.width) // 2
    yield f'<g transform="translate({shift} {top})" class="graph">\n'
    # Lines lie below the boxes; what leads from a box as words lies on it.
    for edge in graph.edges:
        if edge.id in lines:
            yield draw_edge(edge, layout.routes[edge.id], lines[edge.id]) + "\n"
    for name, card in cards.items():
        area: Area = layout.boxes[name]
        yield draw_card(card, area, graph, live=live.get(name, 0), about=_about(graph, name)) + "\n"
        yield from [jump + "\n" for jump in draw_jumps(card, area, graph)]
    yield "</g>\n</svg>"


def _heading(graph: Graph, width: int) -> Iterator[str]:
    title = cut(graph.title, width - 2 * MARGIN - 160, 20, is_bold=True)
    yield text(title, MARGIN, MARGIN + 16, class_="ink", font_size=20, font_weight="bold", fill=palette.INK)
    yield text(
        cut(graph.name, 150, 12),
        width - MARGIN,
        MARGIN + 14,
        class_="pale",
        font_size=12,
        text_anchor="end",
        fill=palette.PALE_INK,
    )
    yield "\n"


def _about(graph: Graph, name: str) -> str:
    """The whole text of a node, and what leads to it."""
    node = graph.nodes[name]
    if name in (START, INTERRUPTS):
        return node.about
    sources = dict.fromkeys(edge.source for edge in graph.edges if edge.target == name)
    names = [graph.nodes[source].text if source in SPECIAL else source for source in sources]
    said = [f"{name} ({word(node.kind, graph.lang)})", node.about]
    if node.trouble:
        said.append(node.trouble)
    if names:
        said.append(word("leads_here", graph.lang, ", ".join(names)))
    return "\n".join(said)
