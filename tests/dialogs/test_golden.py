"""The golden dialogs of the flows that ship."""

from __future__ import annotations

from pathlib import Path

import pytest

import dialogs
from dialogs.findings import format_finding
from dialogs.golden import GoldenResult, load_and_test, report
from tests.dialogs.catalogue import CATALOGUE

FLOWS = Path(dialogs.__file__).parent / "flows"
FILES = {path.name: path.read_bytes() for path in FLOWS.glob("*.yaml")}
LOADED, RESULTS = load_and_test(FILES, CATALOGUE, timezone="Europe/Moscow")


def test_the_flows_that_ship_have_no_findings() -> None:
    assert [format_finding(found, "en") for found in LOADED.findings] == []


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: f"{result.flow}: {result.name}")
def test_golden_dialog(result: GoldenResult) -> None:
    assert result.ok, "\n".join(report([result], lang="en"))


def test_every_flow_that_ships_has_golden_dialogs() -> None:
    assert {result.flow for result in RESULTS} == {flow.name for flow in LOADED.flows.all_live()}
    assert len(FILES) - 1 == len(LOADED.flows.all_live())


def _results(chat: str) -> list[GoldenResult]:
    text = f"""\
format: 1
flow: small
title: "Small"
channels: [telegram]
start: [{{command: start}}]
vars: {{name: {{type: person_name}}}}
defaults: {{retry: {{max: 3, then: over}}, silence: {{close: {{after: 1h, next: over}}}}}}
steps:
  - {{id: ask_name, ask: "Name?", expect: person_name, into: name}}
  - {{id: thanks, say: "Thanks, {{name}}"}}
  - {{id: over, end: ok}}
tests:
  - name: "one"
    chat:
{chat}
"""
    loaded, results = load_and_test({"small.yaml": text.encode()}, CATALOGUE, timezone="Europe/Moscow")
    assert not loaded.has_errors, [format_finding(found, "en") for found in loaded.findings]
    return results


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{in: "Anna", out: ["Goodbye"]}', "out: Goodbye"),
        ('{in: "Anna", out: ["Anna", "Thanks"]}', "out: Thanks"),
        ('{in: "Anna", not_out: ["Thanks"]}', "not_out: Thanks"),
        ('{in: "Anna", silent: true}', "silent"),
        ('{in: "Anna", ends: failed}', "ends: failed"),
        ('{in: "7", ends: ok}', "ends: ok"),
        ('{in: "Anna", at: ask_name}', "at: ask_name"),
        ('{in: "Anna", vars: {name: "Olga"}}', "vars: name = Olga"),
        ('{in: "Anna", does: okdesk.create_issue}', "does: okdesk.create_issue"),
        ('{in: "Anna", buttons: [yes]}', "buttons: yes"),
        ("{press: yes}", "press: yes"),
        ('{in: "Anna", press: yes}', "in | press | send | …"),
        ("{pass: soon}", "15m, 3h, 2d …"),
        ("{result: {step: none, ok: {}}}", "do: none"),
        ("{manager: returned}", "handoff"),
        ("{old_press: {step: nowhere, option: x}}", "step: nowhere"),
    ],
)
def test_a_failed_test_says_where_and_what(line: str, expected: str) -> None:
    (result,) = _results(f'      - {{in: "/start", out: ["Name?"]}}\n      - {line}')
    assert not result.ok
    assert result.expected == expected
    assert (result.file, result.line) == ("small.yaml", 16)
    assert result.transcript[:2] == ("> in: /start", "< Name?")
    lines = list(report([result], lang="en"))
    assert lines[0] == "FAIL small: one"
    assert lines[-1] == "0 passed, 1 failed"


def test_a_first_line_that_begins_nothing_fails() -> None:
    (result,) = _results('      - {in: "hello"}')
    assert (result.ok, result.expected) == (False, "start: small")


def test_out_sees_no_break_blanks_as_blanks_and_parts_in_order() -> None:
    (result,) = _results('      - {in: "/start"}\n      - {in: "Anna", out: ["Thanks", "Anna"], ends: ok}')
    assert result.ok
    assert list(report([result], lang="ru")) == ["ok small: one", "1 passed, 0 failed"]
