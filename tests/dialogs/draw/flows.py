"""Flows to be drawn: the ones of the product, one with everything, one that is broken, one of any size."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

from dialogs.draw.graph import Graph, build_graph
from dialogs.flow import Flow
from dialogs.flow_read import read_flow
from dialogs.reading import read
from tests.dialogs.catalogue import CATALOGUE

FOLDER = Path(__file__).parent.parent.parent.parent / "dialogs" / "flows"
NAMES = [path.stem for path in sorted(FOLDER.glob("*.yaml")) if path.stem != "project"]


def compiled(text: str | bytes) -> Flow:
    flow, findings = read_flow(read(text, file="x.yaml"), version=1, catalogue=CATALOGUE, zone=ZoneInfo("UTC"))
    assert flow is not None, findings
    return flow


def built_in(name: str) -> Flow:
    return compiled((FOLDER / f"{name}.yaml").read_bytes())


def graph_of(text: str, lang: str = "ru") -> Graph:
    return build_graph(compiled(text), lang=lang)


HOSTILE = """
format: 1
flow: evil
title: '</title><script>alert("1")</script> & "двоеточие": #x'
channels: [telegram]
start:
  - {text: ["<b>привет</b>"]}
vars:
  a: {type: text, title: "<i>&amp;</i>"}
steps:
  - id: first
    stage: "<svg onload=x>"
    ask: "]]> --> <img src=x onerror='alert(1)'> {a} | ` \\" #quot; %% subgraph"
    expect: text
    into: a
    options:
      - {id: one, title: 'a"]; b --> c', next: end}
      - {id: two, title: "<script>|{}", next: end}
    retry: {max: 2, then: end}
    silence: {close: {after: 90m, next: end}}
  - id: end
    end: ok
"""

BROKEN = """
format: 1
flow: broken
title: "С ошибками"
channels: [telegram]
start:
  - {command: go}
steps:
  - {id: a, say: "раз", next: loop}
  - {id: forgotten, say: "сюда никто не попадёт", next: done}
  - {id: loop, say: "круг", next: again}
  - id: again
    branch:
      - {if: "true", next: loop}
      - {else: true, next: nowhere}
  - {id: done, end: ok}
"""


def long_flow(steps: int) -> str:
    """A menu tree with corrections, refusals and long ways, as large as may be."""
    lines = ["format: 1", "flow: long", 'title: "Длинный"', "channels: [telegram]", "start: [{command: go}]"]
    lines += ["vars: {x: {type: text}}", "defaults:", "  retry: {max: 3, then: help}"]
    lines += ["  silence: {close: {after: 1d, next: quiet}}", "steps:"]
    last = steps - 4
    for index in range(last + 1):
        after = [f"s{min(last, index + jump)}" for jump in (1, 2, 5)] + [f"s{max(0, index - 7)}"]
        if index % 4 == 0:
            lines.append(f'  - {{id: s{index}, ask: "Вопрос номер {index} о чём-то важном?", options: [')
            for number, target in enumerate(after):
                lines.append(f'      {{id: o{number}, title: "Вариант {number}", next: {target}}},')
            lines.append("      ]}")
        elif index % 4 == 1:
            lines.append(f'  - {{id: s{index}, say: "Сообщение {index}"}}')
        elif index % 4 == 2:
            lines.append(f"  - id: s{index}\n    branch:\n      - {{if: \"x = 'a'\", next: {after[2]}}}")
            lines.append(f"      - {{else: true, next: {after[0]}}}")
        else:
            lines.append(f"  - {{id: s{index}, do: okdesk.get_issue, with: {{issue_id: '1'}}, slow_after: 5s,")
            lines.append(f"     outcome: {{ok: {after[0]}, rejected: help, slow: {after[1]}}}}}")
    lines += ['  - {id: help, say: "Зову", next: over}', "  - {id: over, end: ok}", "  - {id: quiet, end: silent}"]
    return "\n".join(lines)
