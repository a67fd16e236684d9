"""Mermaid text: every line is one that the language has, and nothing of a file can end a label."""

from __future__ import annotations

import re

import pytest

from dialogs.draw.graph import build_graph
from dialogs.draw.mermaid import draw_mermaid
from tests.dialogs.draw.flows import BROKEN, HOSTILE, NAMES, built_in, graph_of

_LABEL = r'"(?:[^"`<>{}|\[\]();#]|<br/>|#\d+;)*"'
_LINE = re.compile(
    rf"    (?:s_\w+(?:\({_LABEL}\)|\(\[{_LABEL}\]\)|\{{\{{{_LABEL}\}}\}})"
    rf"|s_\w+ (?:-->|-\.->)(?:\|{_LABEL}\|)? s_\w+"
    r"|class s_\w+ kind_\w+(?:,dead)?"
    r"|classDef \w+ [\w:#,-]+)"
)


def lines(text: str) -> list[str]:
    head, *body = text.rstrip("\n").split("flowchart TD\n")
    assert re.fullmatch(r'---\ntitle: ".*"\n---\n', head)
    return body[0].split("\n")


@pytest.mark.parametrize("name", NAMES)
def test_every_step_and_every_edge_has_its_line(name: str) -> None:
    graph = build_graph(built_in(name), lang="ru")
    found = lines(draw_mermaid(graph))
    assert [line for line in found if not _LINE.fullmatch(line)] == []
    for node in graph.nodes:
        assert any(line.startswith(f"    s_{node}") for line in found)
    assert len([line for line in found if re.search(r" -\.?->", line)]) == len(graph.edges)


@pytest.mark.parametrize("text", [HOSTILE, BROKEN])
def test_nothing_of_a_file_ends_a_label(text: str) -> None:
    assert [line for line in lines(draw_mermaid(graph_of(text))) if not _LINE.fullmatch(line)] == []


def test_a_step_may_have_a_name_that_mermaid_keeps_for_itself() -> None:
    found = lines(draw_mermaid(graph_of(HOSTILE), live={"end": 4}))
    assert '    s_end(["end<br/>ok: всё хорошо<br/>сейчас на этом шаге: 4"])' in found
