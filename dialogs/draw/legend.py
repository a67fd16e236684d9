"""What the colours and the lines mean, in as many rows as the picture is wide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dialogs.draw import palette
from dialogs.draw.graph import Graph
from dialogs.draw.measure import width_of
from dialogs.draw.svg_text import element, text
from dialogs.draw.words import word

_SIZE, _ROW, _GAP = 12, 22, 18
_LINES = (
    ("usual", palette.LINE),
    ("back", palette.LINE),
    ("trouble", palette.TROUBLE),
    ("edit", palette.EDIT),
)


@dataclass(frozen=True, slots=True)
class Legend:
    parts: tuple[str, ...]  # drawn from 0, 0
    height: int


@dataclass(frozen=True, slots=True)
class _Entry:
    sign: str
    sign_width: int
    said: str

    @property
    def width(self) -> int:
        return self.sign_width + 7 + width_of(self.said, _SIZE)


def build_legend(graph: Graph, width: int, *, has_back: bool, has_jumps: bool, has_live: bool) -> Legend:
    """Only what the picture shows."""
    parts: list[str] = []
    x = y = 0
    for entry in _entries(graph, has_back=has_back, has_jumps=has_jumps, has_live=has_live):
        if x and x + entry.width > width:
            x, y = 0, y + _ROW
        said = text(entry.said, entry.sign_width + 7, 14, class_="pale", font_size=_SIZE, fill=palette.PALE_INK)
        parts.append(f'<g transform="translate({x} {y})">{entry.sign}{said}</g>')
        x += entry.width + _GAP
    return Legend(tuple(parts), y + _ROW)


def _entries(graph: Graph, *, has_back: bool, has_jumps: bool, has_live: bool) -> Iterator[_Entry]:
    for kind in graph.kinds:
        tone = palette.KINDS[kind]
        box = element("rect", class_="box", x=0, y=3, width=20, height=14, rx=4, fill=tone.fill, stroke=tone.line)
        stripe = element("rect", class_="stripe", x=4, y=6, width=3, height=8, rx=1, fill=tone.line)
        yield _Entry(f'<g class="kind-{kind}">{box}{stripe}</g>', 20, word(kind, graph.lang))
    kinds = {edge.kind for edge in graph.edges} | ({"back"} if has_back else set())
    for kind, colour in _LINES:
        if kind in kinds:
            dashes = {"stroke_dasharray": "6 4"} if kind in ("edit", "back") else {}
            line = element("path", class_="line", d="M0 10L24 10", stroke=colour, stroke_width="1.8", **dashes)
            head = element("path", class_="head", d="M31 10L23 6L23 14Z", fill=colour)
            yield _Entry(f'<g class="{kind}">{line}{head}</g>', 31, word(kind, graph.lang))
    if has_jumps:
        tone = palette.KINDS["set"]
        tag = element("rect", class_="tag", x=0, y=2, width=50, height=16, rx=8, fill=tone.fill, stroke=tone.line)
        name = text("→ …", 12, 14, class_="name", font_size=11, fill=tone.line)
        yield _Entry(f'<g class="to-set">{tag}{name}</g>', 50, word("jump", graph.lang))
    if has_live:
        pill = element("rect", x=0, y=1, width=24, height=18, rx=9, fill=palette.BADGE)
        number = text("7", 12, 14, font_size=11, font_weight="bold", text_anchor="middle", fill="#ffffff")
        yield _Entry(pill + number, 24, word("live_legend", graph.lang))
