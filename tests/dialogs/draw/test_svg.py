"""The picture: well-formed, complete, harmless, the same every time."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialogs.draw.graph import build_graph
from dialogs.draw.measure import cut, one_line, width_of
from dialogs.draw.svg import draw_svg
from dialogs.draw.svg_text import escaped
from tests.dialogs.draw.flows import BROKEN, HOSTILE, NAMES, built_in, compiled, graph_of, long_flow

SVG = "{http://www.w3.org/2000/svg}"
_HARMLESS = {"svg", "g", "title", "style", "rect", "path", "text"}


def parsed(picture: str) -> ET.Element:
    return ET.fromstring(picture)  # noqa: S314


def groups(root: ET.Element, name: str) -> Iterator[ET.Element]:
    return (g for g in root.iter(f"{SVG}g") if name in g.get("class", "").split())


@pytest.mark.parametrize("lang", ["ru", "en"])
@pytest.mark.parametrize("name", NAMES)
def test_every_step_and_edge_is_there_with_its_id_and_title(name: str, lang: str) -> None:
    flow = built_in(name)
    graph = build_graph(flow, lang=lang)
    root = parsed(draw_svg(graph))
    steps = {g.get("data-step"): g for g in groups(root, "step")}
    assert list(steps) == list(flow.steps)
    for step, drawn in steps.items():
        assert drawn.get("id") == f"step-{step}"
        assert f"kind-{graph.nodes[str(step)].kind}" in drawn.get("class", "")
        assert step in (drawn.findtext(f"{SVG}title") or "")
    edges = {g.get("id"): g for g in groups(root, "edge")}
    assert set(edges) == {edge.id for edge in graph.edges}
    for edge in graph.edges:
        drawn = edges[edge.id]
        assert (drawn.get("data-from"), drawn.get("data-to")) == (edge.source, edge.target)
        assert drawn.findtext(f"{SVG}title") == edge.about
    ids = [e.get("id") for e in root.iter() if e.get("id")]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("text", [HOSTILE, BROKEN])
def test_nothing_of_a_file_becomes_markup(text: str) -> None:
    root = parsed(draw_svg(graph_of(text)))
    for element in root.iter():
        assert element.tag.removeprefix(SVG) in _HARMLESS
        for name, value in element.attrib.items():
            assert not name.startswith("on")
            assert name not in ("style", "href")
            assert "url(" not in value
    said = "".join(root.itertext())
    assert "<script>" in said or text is BROKEN


def test_without_a_style_it_may_stand_in_a_page_that_forbids_inline_styles() -> None:
    graph = build_graph(built_in("lead"), lang="ru")
    assert "<style>" in draw_svg(graph)
    assert "<style" not in draw_svg(graph, has_style=False)
    assert "style=" not in draw_svg(graph)
    assert "http" not in draw_svg(graph).replace("http://www.w3.org/2000/svg", "")


def test_open_dialogs_are_counted_on_their_steps() -> None:
    root = parsed(draw_svg(build_graph(built_in("lead"), lang="ru"), live={"watch": 12, "gone": 3}))
    (badge,) = groups(root, "badge")
    assert badge.findtext(f"{SVG}text") == "12"
    (watch,) = (g for g in groups(root, "step") if g.get("data-step") == "watch")
    assert badge in list(watch)


def test_dead_ends_are_seen() -> None:
    root = parsed(draw_svg(graph_of(BROKEN)))
    assert {g.get("data-step") for g in groups(root, "dead")} == {"a", "forgotten", "loop", "again", "done"}


def test_the_same_text_gives_the_same_picture() -> None:
    first, second = (draw_svg(build_graph(compiled(long_flow(40)), lang="ru")) for _ in range(2))
    assert first == second


def test_the_largest_flow_is_drawn_whole() -> None:
    flow = compiled(long_flow(300))
    picture = draw_svg(build_graph(flow, lang="ru"))
    assert len(list(groups(parsed(picture), "step"))) == len(flow.steps) == 300


@settings(deadline=None)
@given(st.text())
def test_any_text_is_escaped(text: str) -> None:
    root = ET.fromstring(f'<a b="{escaped(text)}">{escaped(text)}</a>')  # noqa: S314
    assert not list(root)


@given(st.text(), st.integers(20, 300))
def test_a_cut_text_fits(text: str, width: int) -> None:
    shown = cut(text, width, 12)
    assert width_of(shown, 12) <= width
    assert "\n" not in shown
    assert shown == one_line(text) or shown.endswith("…")


def test_cyrillic_is_about_as_wide_as_it_is() -> None:
    assert width_of("Щ", 100) > width_of("г", 100) * 2
    assert 90 <= width_of("Что нужно починить?", 10) <= 110
