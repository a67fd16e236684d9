"""The lines of a picture: rounded at the corners, with an arrow head and the label where they begin."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dialogs.draw import palette
from dialogs.draw.cards import SMALL
from dialogs.draw.graph import INTERRUPTS, Edge
from dialogs.draw.layers import Area, Point, Route
from dialogs.draw.measure import cut, one_line, width_of
from dialogs.draw.svg_text import element, group, text
from dialogs.draw.words import word

LINE_HEIGHT = 14
_MOST_LINES, _WIDEST = 3, 150
_RADIUS = 6
_HEAD = 8

_COLOURS = {"usual": palette.LINE, "trouble": palette.TROUBLE, "edit": palette.EDIT}


def label_of(edge: Edge, lang: str) -> tuple[str, ...]:
    """The lines of its label: at most three."""
    labels = () if edge.source == INTERRUPTS else edge.labels
    if len(labels) > _MOST_LINES:
        labels = (*labels[: _MOST_LINES - 1], word("more", lang, len(labels) - _MOST_LINES + 1))
    if len(labels) == 1:
        return _wrapped(labels[0])
    return tuple(cut(label, _WIDEST, SMALL) for label in labels)


def _wrapped(label: str) -> tuple[str, ...]:
    """One long label on two lines, broken where both are nearly as long."""
    label = one_line(label)
    if width_of(label, SMALL) <= _WIDEST:
        return (label,)
    words = label.split()
    broken = [(" ".join(words[:index]), " ".join(words[index:])) for index in range(1, min(len(words), 20))]
    if not broken:
        return (cut(label, _WIDEST, SMALL),)
    fitting = [pair for pair in broken if width_of(pair[0], SMALL) <= _WIDEST]
    first, second = min(fitting or broken, key=lambda pair: abs(width_of(pair[0], SMALL) - width_of(pair[1], SMALL)))
    return cut(first, _WIDEST, SMALL), cut(second, _WIDEST, SMALL)


def size_of(lines: Sequence[str]) -> tuple[int, int]:
    if not lines:
        return 0, 0
    return max(width_of(line, SMALL) for line in lines) + 10, len(lines) * LINE_HEIGHT + 4


def draw_edge(edge: Edge, route: Route, lines: Sequence[str]) -> str:
    colour = _COLOURS[edge.kind]
    dashes = {"stroke_dasharray": "6 4"} if edge.kind == "edit" or _goes_up(route.points) else {}
    parts = [
        element("path", class_="line", d=_path(route.points), fill="none", stroke=colour, stroke_width="1.5", **dashes),
        element("path", class_="head", d=_head(route.points), fill=colour),
    ]
    if route.label is not None:
        parts += _label(lines, route.label, edge)
    return group(
        parts, title=edge.about, id=edge.id, class_=f"edge {edge.kind}", data_from=edge.source, data_to=edge.target
    )


def _goes_up(points: Sequence[Point]) -> bool:
    return points[-1][1] < points[0][1]


def _label(lines: Sequence[str], area: Area, edge: Edge) -> Iterator[str]:
    yield element(
        "rect", class_="ground", x=area.x, y=area.y, width=area.width, height=area.height, rx=4, fill=palette.GROUND
    )
    ink = palette.PALE_INK if edge.kind == "usual" else _COLOURS[edge.kind]
    middle = area.x + area.width // 2
    for index, line in enumerate(lines):
        y = area.y + 13 + index * LINE_HEIGHT
        names = "pale" if edge.kind == "usual" else "said"
        yield text(line, middle, y, class_=names, font_size=SMALL, text_anchor="middle", fill=ink)


def _path(points: Sequence[Point]) -> str:
    """Straight pieces with rounded corners; the last one ends where the arrow head begins."""
    corners = _simple(points)
    last, before = corners[-1], corners[-2]
    corners[-1] = (last[0], last[1] + (_HEAD - 1 if last[1] < before[1] else 1 - _HEAD))
    said = [f"M{corners[0][0]} {corners[0][1]}"]
    for (x0, y0), (x1, y1), (x2, y2) in zip(corners, corners[1:], corners[2:], strict=False):
        radius = min(_RADIUS, (abs(x1 - x0) + abs(y1 - y0)) // 2, (abs(x2 - x1) + abs(y2 - y1)) // 2)
        said.append(f"L{x1 - _sign(x1 - x0) * radius} {y1 - _sign(y1 - y0) * radius}")
        said.append(f"Q{x1} {y1} {x1 + _sign(x2 - x1) * radius} {y1 + _sign(y2 - y1) * radius}")
    said.append(f"L{corners[-1][0]} {corners[-1][1]}")
    return "".join(said)


def _simple(points: Sequence[Point]) -> list[Point]:
    """Without the points that lie on a straight piece."""
    kept = [points[0]]
    for index in range(1, len(points) - 1):
        (x0, y0), (x1, y1), (x2, y2) = kept[-1], points[index], points[index + 1]
        if not (x0 == x1 == x2 or y0 == y1 == y2):
            kept.append((x1, y1))
    return [*kept, points[-1]]


def _head(points: Sequence[Point]) -> str:
    x, y = points[-1]
    base = y + (_HEAD if _enters_upwards(points) else -_HEAD)
    return f"M{x} {y}L{x - 4} {base}L{x + 4} {base}Z"


def _enters_upwards(points: Sequence[Point]) -> bool:
    return points[-1][1] < points[-2][1]


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)
