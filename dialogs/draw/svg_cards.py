"""The boxes of a picture, and the edges that are rows of a box."""

from __future__ import annotations

from collections.abc import Iterator

from dialogs.draw import palette
from dialogs.draw.cards import ID_SIZE, ROW, SMALL, TEXT_SIZE, Card
from dialogs.draw.graph import SPECIAL, Graph
from dialogs.draw.layers import Area
from dialogs.draw.measure import cut, width_of
from dialogs.draw.svg_text import element, group, text
from dialogs.draw.words import word

_SIDE = 12


def draw_card(card: Card, area: Area, graph: Graph, *, live: int, about: str) -> str:
    """`live`: dialogs that stand here now; `about`: the tooltip."""
    node = card.node
    is_special = node.id in SPECIAL
    names = "start" if is_special else "step"
    attributes = {
        "id": node.id.lstrip("_") if is_special else f"step-{node.id}",
        "class_": f"{names} kind-{node.kind}{' dead' if node.trouble else ''}",
    }
    if not is_special:
        attributes["data_step"] = node.id
    if node.calls:
        attributes["data_calls"] = " ".join(node.calls)
    parts = [*_box(card, area), *_texts(card, area)]
    if live:
        parts += _badge(live, area.x + area.width, area.y + card.top, graph.lang)
    return group(parts, title=about, **attributes)


def _box(card: Card, area: Area) -> Iterator[str]:
    tone = palette.KINDS[card.node.kind]
    y, height = area.y + card.top, area.height - card.top
    radius = 17 if card.node.kind == "end" else 9
    stroke = palette.DEAD if card.node.trouble else tone.line
    shape = {"x": area.x, "y": y, "width": area.width, "height": height, "rx": radius}
    dashes = {"stroke_dasharray": "5 4"} if card.node.kind in ("interrupts", "missing") else {}
    width = "2.4" if card.node.trouble or card.node.kind == "start" else "1.3"
    yield element("rect", class_="box", **shape, fill=tone.fill, stroke=stroke, stroke_width=width, **dashes)
    if card.node.id not in SPECIAL:
        x = area.x + (7 if card.node.kind != "end" else 9)
        yield element("rect", class_="stripe", x=x, y=y + 9, width=4, height=height - 18, rx=2, fill=tone.line)


def _texts(card: Card, area: Area) -> Iterator[str]:
    node, tone = card.node, palette.KINDS[card.node.kind]
    left, right, y = area.x + _SIDE + 6, area.x + area.width - _SIDE, area.y + card.top
    if node.stage:
        stage = cut(node.stage.upper(), area.width // 2 - 16, SMALL - 1, is_bold=True)
        yield text(
            stage,
            area.x + 2,
            y - 6,
            class_="stage pale",
            font_size=SMALL - 1,
            font_weight="bold",
            fill=palette.PALE_INK,
        )
    yield text(card.title, left, y + 19, class_="ink", font_size=ID_SIZE, font_weight="bold", fill=palette.INK)
    if card.kind:
        yield text(card.kind, right, y + 19, class_="kind", font_size=SMALL, text_anchor="end", fill=tone.line)
    if card.text:
        yield text(card.text, left, y + 38, class_="ink", font_size=TEXT_SIZE, fill=palette.INK)
    for index, row in enumerate(card.rows):
        if row.edge is None:
            is_warning = row.about == node.trouble
            yield text(
                row.text,
                left,
                area.y + card.rows_at + index * ROW + 12,
                class_="warning" if is_warning else "pale",
                font_size=SMALL,
                fill=palette.DEAD if is_warning else palette.PALE_INK,
            )


def _badge(live: int, right: int, y: int, lang: str) -> Iterator[str]:
    said = str(live) if live < 100_000 else "99999+"
    width = max(20, width_of(said, SMALL, is_bold=True) + 12)
    shape = element("rect", x=right - width + 8, y=y - 14, width=width, height=20, rx=10, fill=palette.BADGE)
    number = text(
        said, right - width // 2 + 8, y, font_size=SMALL, font_weight="bold", text_anchor="middle", fill="#ffffff"
    )
    yield group([shape, number], title=word("live", lang, live), class_="badge")


def draw_jumps(card: Card, area: Area, graph: Graph) -> Iterator[str]:
    left, right = area.x + _SIDE + 6, area.x + area.width - _SIDE
    for index, row in enumerate(card.rows):
        edge = row.edge
        if edge is None:
            continue
        y = area.y + card.rows_at + index * ROW
        kind = graph.nodes[edge.target].kind
        tone = palette.KINDS[kind]
        width = width_of(row.tag, SMALL) + 26
        ink = palette.TROUBLE if edge.kind == "trouble" else palette.EDIT if edge.kind == "edit" else palette.INK
        dashes = {"stroke_dasharray": "4 3"} if edge.kind == "edit" else {}
        parts = [
            text(row.text, left, y + 12, class_="said" if edge.kind != "usual" else "ink", font_size=SMALL, fill=ink),
            element(
                "rect",
                class_="tag",
                x=right - width,
                y=y - 1,
                width=width,
                height=ROW - 3,
                rx=8,
                fill=tone.fill,
                stroke=tone.line,
                stroke_width=1,
                **dashes,
            ),
            text(f"→ {row.tag}", right - width + 6, y + 11, class_="name", font_size=SMALL, fill=tone.line),
        ]
        yield group(
            parts,
            title=edge.about,
            id=edge.id,
            class_=f"edge jump {edge.kind} to-{kind}",
            data_from=edge.source,
            data_to=edge.target,
        )
