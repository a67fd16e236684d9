"""C04: what may go out after WhatsApp's 24 hours is followed through all ways of all flows."""

from __future__ import annotations

import pytest

from dialogs.flows_set import load_folder
from tests.dialogs.catalogue import CATALOGUE

HEAD = """\
format: 1
flow: {name}
title: "x"
channels: [{channels}]
{head}
defaults: {{retry: {{max: 3, then: over}}, silence: {{close: {{after: 1h, next: over}}}}}}
steps:
"""
BY_MESSAGE, BY_EVENT, CALLED = "start: [{command: go}]", "start: [{event: order.created}]", "callable: true"
ASK = "{id: ask, ask: '?', options: [{id: a, title: A}], silence: {close: {after: %s, next: late}}}"
LATE = ("{id: over, end: ok}", "{id: late, say: x}", "{id: end, end: ok}")


def flow(name: str, head: str, *steps: str, channels: str = "whatsapp") -> tuple[str, str]:
    lines = "".join(f"  - {step}\n" for step in steps)
    return name, HEAD.format(name=name, head=head, channels=channels) + lines


def late(*flows: tuple[str, str]) -> list[str]:
    files = {f"{name}.yaml": text.encode() for name, text in flows}
    findings = load_folder(files, CATALOGUE, timezone="Europe/Moscow").findings
    assert {found.code for found in findings if found.severity == "error"} <= {"C04"}, findings
    return [f"{found.file.removesuffix('.yaml')}.{found.step}" for found in findings if found.code == "C04"]


def do(slow_after: str, then: str) -> str:
    outcome = f"{{ok: {then}, rejected: {then}, slow: {then}}}"
    return f"{{id: find, do: okdesk.find_contact, with: {{phone: '1'}}, slow_after: {slow_after}, outcome: {outcome}}}"


@pytest.mark.parametrize(
    ("head", "steps", "expected"),
    [
        (BY_MESSAGE, ("{id: say, say: x}", "{id: over, end: ok}"), []),
        (BY_EVENT, ("{id: say, say: x}", "{id: over, end: ok}"), ["a.say"]),
        (BY_EVENT, ("{id: say, say: x, template: {whatsapp: t}}", "{id: over, end: ok}"), []),
        (BY_EVENT, ("{id: ask, ask: '?', expect: text}", "{id: say, say: x}", "{id: over, end: ok}"), ["a.ask"]),
        (BY_MESSAGE, (ASK % "23h", *LATE), []),
        (BY_MESSAGE, (ASK % "1434m", *LATE), []),
        (BY_MESSAGE, (ASK % "1435m", *LATE), ["a.late"]),
        (BY_MESSAGE, (
            "{id: ask, ask: '?', expect: text, silence: {close: {after: 2d, next: over},"
            " remind: [{after: 1434m, say: x}]}}", "{id: over, end: ok}"), []),
        (BY_MESSAGE, (
            "{id: ask, ask: '?', expect: text, silence: {close: {after: 2d, next: over},"
            " remind: [{after: 1435m, say: x}]}}", "{id: over, end: ok}"), ["a.ask"]),
        (BY_MESSAGE, ("{id: w, wait: [], close: {after: 1429m, next: find}}", do("5m", "say"), "{id: say, say: x}",
                      "{id: over, end: ok}"), []),
        (BY_MESSAGE, ("{id: w, wait: [], close: {after: 1430m, next: find}}", do("5m", "say"), "{id: say, say: x}",
                      "{id: over, end: ok}"), ["a.say"]),
        (BY_MESSAGE, ("{id: w, wait: [{message: true, next: say}, {event: order.created, next: tell}],"
                      " close: {after: 2d, next: over}}", "{id: say, say: x}", "{id: over, end: ok}",
                      "{id: tell, say: y}", "{id: end, end: ok}"), ["a.tell"]),
        (BY_EVENT, ("{id: help, handoff: managers, open_say: x, closed_say: y, nobody_after: 1h,"
                    " outcome: {returned: say, closed: say, nobody: say}}", "{id: say, say: x}",
                    "{id: over, end: ok}"), []),
        (BY_MESSAGE + "\ninterrupts: [{id: i, event: order.created, next: say}, {id: j, text: [x], next: tell}]",
         ("{id: ask, ask: '?', expect: text, next: over}", "{id: say, say: x}", "{id: over, end: ok}",
          "{id: tell, say: y}", "{id: end, end: ok}"), ["a.say"]),
        # a minute more every time round, until it is a day
        (BY_MESSAGE, ("{id: w, wait: [{event: order.created, next: say}], close: {after: 1m, next: w}}",
                      "{id: say, say: x}", "{id: over, end: ok}"), ["a.say"]),
        # an answer to a question that was come to by `edit`
        (BY_EVENT, ("{id: ask, ask: '?', template: {whatsapp: t}, options: [{id: a, title: A, edit: other},"
                    " {id: b, title: B, next: over}], edited: say}", "{id: over, end: ok}",
                    "{id: other, ask: '?', expect: text, next: over}", "{id: say, say: x}", "{id: end, end: ok}"), []),
    ],
)  # fmt: skip
def test_ages_in_one_flow(head: str, steps: tuple[str, ...], expected: list[str]) -> None:
    assert late(flow("a", head, *steps)) == expected
    assert late(flow("a", head, *steps, channels="telegram")) == []


def test_a_called_flow_has_the_greatest_age_of_its_callers() -> None:
    child = flow("c", CALLED, "{id: say, say: x}", "{id: over, end: ok}")
    fresh = flow("a", BY_MESSAGE, "{id: call, call: c}", "{id: over, end: ok}")
    old = flow("b", BY_EVENT, "{id: call, call: c}", "{id: say, say: y}", "{id: over, end: ok}")
    assert late(child) == []
    assert late(child, fresh) == []
    assert late(child, fresh, old) == ["b.say", "c.say"]
    assert (
        late(child, fresh, flow("b", BY_EVENT, "{id: call, call: c}", "{id: over, end: ok}", channels="telegram")) == []
    )


def test_after_a_called_flow_that_asks_the_customer_has_just_written() -> None:
    asks = flow("c", CALLED, "{id: ask, ask: '?', expect: text, template: {whatsapp: t}}", "{id: over, end: ok}")
    between = flow("b", CALLED, "{id: call, call: c}", "{id: over, end: ok}")
    caller = flow("a", BY_EVENT, "{id: call, call: b}", "{id: say, say: y}", "{id: over, end: ok}")
    assert late(asks, between, caller) == []


@pytest.mark.parametrize(
    ("occasion", "expected"),
    [("event: order.created", ["c.say"]), ("text: [x]", []), ("event: order.created, text: [x]", ["c.say"])],
)
def test_a_flow_called_by_an_interrupt_or_a_case(occasion: str, expected: list[str]) -> None:
    child = flow("c", CALLED, "{id: say, say: x}", "{id: over, end: ok}")
    ask = ("{id: ask, ask: '?', expect: text}", "{id: over, end: ok}")
    interrupt = f"{BY_MESSAGE}\ninterrupts: [{{id: i, {occasion}, call: c, then: resume}}]"
    assert late(child, flow("a", interrupt, *ask)) == expected
    case = occasion if occasion.startswith("event") and "text" not in occasion else "message: true"
    wait = f"{{id: w, wait: [{{{case}, call: c, then: resume}}], close: {{after: 1h, next: over}}}}"
    assert late(child, flow("a", BY_MESSAGE, wait, "{id: over, end: ok}")) == (expected if case == occasion else [])


def test_reminders_of_defaults_name_the_question_that_needs_its_own() -> None:
    head = BY_MESSAGE + "\ninterrupts: [{id: i, event: order.created, next: ask}]"
    name, text = flow("a", head, "{id: ask, ask: '?', expect: text, template: {whatsapp: t}}",
                      "{id: more, ask: '?', expect: text}", "{id: over, end: ok}")  # fmt: skip
    text = text.replace("silence: {close", "silence: {remind: [{after: 5m, say: x}], close")
    assert late((name, text)) == ["a.ask"]
