# ruff: noqa: E501 — a chat is a line
"""Golden tests: those of the flows that ship, and every word that a test may use, where it is right and where not."""

from __future__ import annotations

from pathlib import Path

import pytest

import dialogs
from dialogs.findings import format_finding
from dialogs.flows_set import load_folder
from dialogs.golden import GoldenResult, load_and_test, report
from dialogs.golden_coverage import untested
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


SMALL = """\
format: 1
flow: small
title: "Small"
channels: [telegram]
callable: true
takes: [size]
start: [{command: start}, {event: site.form_sent, take: {name: "event.name"}}]
vars:
  name: {type: person_name}
  size: {type: number}
  photo: {type: file_list}
  total: {type: money}
  phone: {type: phone}
  place: {type: address}
defaults:
  retry: {max: 9, then: over}
  silence: {remind: [{after: 10m, say: "Still there?"}], close: {after: 1h, next: quiet}}
steps:
  - id: ask_name
    ask: "Name?"
    expect: [person_name, photo, file, shared_contact, location]
    into: {person_name: name, photo: photo, file: photo, shared_contact: phone, location: place}
    invalid: "A name, please"
  - {id: pay, set: {total: "350000"}}
  - {id: thanks, say: "Thanks, {name}, {total|rub}"}
  - id: kind
    ask: "Which?"
    options: [{id: red, title: "Red"}, {id: blue, title: "Blue"}, {id: call, title: "Call", next: help}]
  - id: tell
    do: telegram.notify
    with: {text: "{name} {total|rub}", topic: "true"}
    once_per: "{event.id}"
    outcome: {ok: over, rejected: help, slow: later}
    slow_after: 5s
  - id: later
    wait:
      - {event: effect.done, if: "event.step = 'tell'", next: over}
      - {event: order.created, if: "event.number = 'n1'", next: over}
    close: {after: 1d, next: quiet}
  - id: help
    handoff: managers
    open_say: "Calling"
    closed_say: "Closed"
    outcome: {returned: kind, closed: over, nobody: quiet}
    nobody_after: 30m
  - {id: over, end: ok}
  - {id: quiet, end: silent}
tests:
  - name: "one"
    chat:
"""
START = '{in: "/start", out: ["Name?"]}'
NAMED = (START, '{in: "Anna"}')
TOLD = (*NAMED, "{press: red}")
HELPED = (*NAMED, "{press: call}")
SLOW = (*TOLD, "{pass: 5s}")


def _result(*lines: str) -> GoldenResult:
    text = SMALL + "".join(f"      - {line}\n" for line in lines)
    loaded, results = load_and_test({"small.yaml": text.encode()}, CATALOGUE, timezone="Europe/Moscow")
    assert not loaded.has_errors, [format_finding(found, "en") for found in loaded.findings]
    (result,) = results
    return result


@pytest.mark.parametrize(
    ("before", "right", "wrong", "expected", "got"),
    [
        # what a line expects
        (NAMED[:1], '{in: "Anna", out: ["Thanks", "3 500 ₽", "Which"]}', '{in: "Anna", out: ["Bye"]}', "out: Bye", "Thanks, Anna, 3 500 ₽ | Which?"),
        (NAMED[:1], '{in: "Anna", out: ["Anna", "3 500"]}', '{in: "Anna", out: ["Anna", "Thanks"]}', "out: Thanks", "Thanks"),
        (NAMED[:1], '{in: "Anna", not_out: ["Bye"]}', '{in: "Anna", not_out: ["Bye", "3 500"]}', "not_out: 3 500", "Thanks"),
        (TOLD, "{pass: 1s, silent: true}", '{result: {step: tell, rejected: {code: invalid}}, silent: true}', "silent", "Calling"),
        (NAMED, '{in: "?", buttons: [red, blue, call]}', '{in: "?", buttons: [red]}', "buttons: red", "red, blue, call"),
        (NAMED, "{press: red, does: telegram.notify}", '{press: call, does: telegram.notify}', "does: telegram.notify", "handoff"),
        (NAMED, '{press: red, does: {telegram.notify: {text: "Anna 3 500 ₽", topic: true}}}', '{press: red, does: {telegram.notify: {text: "Olga"}}}', "does: telegram.notify {'text': 'Olga'}", "'Anna 3"),
        (NAMED, "{press: call, does: {handoff: {queue: managers}}}", "{press: call, does: {handoff: {queue: x}}}", "does: handoff {'queue': 'x'}", "'queue': 'managers'"),
        (NAMED, "{press: call, does_not: telegram.notify}", "{press: call, does_not: handoff}", "does_not: handoff", "handoff"),
        (NAMED, "{press: red, at: tell}", "{press: red, at: kind}", "at: kind", "small.tell"),
        (NAMED, "{press: red, at: small.tell}", "{press: red, at: small.kind}", "at: small.kind", "small.tell"),
        (NAMED[:1], '{in: "Anna", vars: {name: "Anna", total: 350000, phone: null}}', '{in: "Anna", vars: {total: "350000"}}', "vars: total = 350000", "350000"),
        (NAMED[:1], '{in: "Anna", vars: {phone: null}}', '{in: "Anna", vars: {phone: "+7"}}', "vars: phone = +7", "None"),
        (TOLD, "{result: {step: tell, ok: {}}, ends: ok}", "{result: {step: tell, ok: {}}, ends: failed}", "ends: failed", "ok"),
        (TOLD, "{pass: 5s, at: later}", "{pass: 5s, ends: ok}", "ends: ok", "at: small.later"),
        # what a line does
        ((), '{in: "/start"}', '{in: "hello"}', "start: small", "–"),
        ((), '{event: {kind: site.form_sent, name: "Anna"}, vars: {name: "Anna"}}', "{event: {kind: order.created}}", "start: small", "–"),
        ((), "{begin: {size: 5}, vars: {size: 5}}", "{begin: {}, vars: {size: 5}}", "vars: size = 5", "None"),
        (NAMED, "{press: blue, at: tell}", "{press: blue, at: help}", "at: help", "tell"),
        (TOLD, "{pass: 1s}", "{press: red}", "press: red", "–"),
        (TOLD, "{result: {step: tell, ok: {}}}", "{old_press: {step: kind, option: blue}, at: later}", "at: later", "small.tell"),
        ((*NAMED, '{in: "?"}'), "{old_press: {step: kind, option: call}, at: help}", "{old_press: {step: kind, option: call}, at: kind}", "at: kind", "small.help"),
        (NAMED[:1], "{send: {photo: 2}, at: kind}", "{send: {sticker: true}, at: kind}", "at: kind", "ask_name"),
        (NAMED[:1], '{send: {file: "a.pdf", caption: "Anna"}, vars: {name: "Anna"}}', "{send: {voice: true}, at: ask_name}", "at: ask_name", "kind"),
        (NAMED[:1], '{send: {contact: "+79123456789"}, vars: {phone: "+79123456789"}}', '{send: {contact: "12"}, at: kind}', "at: kind", "ask_name"),
        (NAMED[:1], '{send: {location: {lat: "55.79", lon: "49.13"}}, vars: {place: "55.790000, 49.130000"}}', '{send: {location: {lat: "1", lon: "2", address: "Pushkina 5"}}, vars: {place: "x"}}', "vars: place = x", "Pushkina 5"),
        (NAMED[:1], '{send: {video: true}, at: kind}', '{send: {video: true}, at: ask_name}', "at: ask_name", "kind"),
        ((START, '{in: "12"}'), '{edit: "Anna", at: kind}', '{edit: "13", at: kind}', "at: kind", "ask_name"),
        (SLOW, '{event: {kind: order.created, number: n1}, ends: ok}', '{event: {kind: order.created, number: n2}, ends: ok}', "ends: ok", "at: small.later"),
        (SLOW, "{result: {step: tell, ok: {}}, ends: ok}", "{result: {step: tell, rejected: {code: invalid}}, ends: ok}", "ends: ok", "at: small.later"),
        (TOLD, "{result: {step: tell, rejected: {code: forbidden, message: x}}, at: help}", "{result: {step: tell, rejected: {}}, at: later}", "at: later", "small.help"),
        (NAMED, "{pass: 1h, ends: silent}", "{pass: 59m, ends: silent}", "ends: silent", "at: small.kind"),
        (HELPED, "{manager: returned, at: kind}", "{manager: returned, at: help}", "at: help", "small.kind"),
        (HELPED, "{manager: closed, ends: ok}", "{manager: closed, ends: silent}", "ends: silent", "ok"),
        (HELPED, '{manager: {say: "Hello"}, out: ["Hello"]}', '{manager: {say: "Hello"}, out: ["Bye"]}', "out: Bye", "Hello"),
        (NAMED, "{press: call}", "{manager: returned}", "handoff", "small.kind"),
        (NAMED, "{press: red}", "{result: {step: tell, ok: {}}}", "do: tell", "–"),
    ],
)  # fmt: skip
def test_every_word_of_a_test_passes_where_it_is_right_and_fails_where_not(
    before: tuple[str, ...], right: str, wrong: str, expected: str, got: str
) -> None:
    passed = _result(*before, right)
    assert passed.ok, "\n".join(report([passed], lang="en"))
    failed = _result(*before, wrong)
    assert (failed.ok, failed.expected) == (False, expected)
    assert got in failed.got.replace("\u00a0", " ")
    assert (failed.file, failed.line) == ("small.yaml", SMALL.count("\n") + len(before) + 1)


def test_a_failure_is_shown_with_its_place_and_the_chat_before_it() -> None:
    result = _result(*NAMED, '{press: red, out: ["Bye"]}')
    assert list(report([result, _result(START)], lang="en")) == [
        "FAIL small: one",
        f"  small.yaml:{SMALL.count(chr(10)) + 3}",
        "  expected: out: Bye",
        "  got     : –",
        "    > in: /start",
        "    < Name?",
        "    > in: Anna",
        "    < Thanks, Anna, 3\u00a0500\u00a0₽",
        "    < Which? [Red] [Blue] [Call]",
        "    > press: red",
        "      ! telegram.notify {'text': 'Anna 3\\xa0500\\xa0₽', 'topic': True, 'group': 'managers'}",
        "ok small: one",
        "1 passed, 1 failed",
    ]
    assert list(report([result], lang="ru"))[2] == "  ожидалось: out: Bye"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ('{in: "Anna", hears: "x"}', "Y03"),
        ('{in: "Anna", press: red}', "Y04"),
        ('{out: ["x"]}', "Y04"),
        ("{pass: soon}", "Y04"),
        ("{in: 5}", "Y04"),
        ("{in: null}", "Y04"),
        ("{send: {photo: 0}}", "Y04"),
        ("{send: {}}", "Y04"),
        ("{manager: gone}", "Y04"),
        ("{manager: {say: 5}}", "Y04"),
        ("{result: {step: tell}}", "Y04"),
        ("{result: {step: tell, ok: {}, rejected: {}}}", "Y04"),
        ("{event: {number: n1}}", "Y04"),
        ("{old_press: {step: kind}}", "Y04"),
        ('{in: "x", out: "x"}', "Y04"),
        ('{in: "x", silent: false}', "Y04"),
        ('{in: "x", ends: fine}', "Y04"),
        ('{in: "x", vars: [name]}', "Y04"),
        ('{in: "x", does: [handoff]}', "Y04"),
        ("{press: green}", "X01"),
    ],
)
def test_what_no_run_could_make_sense_of_is_said_by_the_check(line: str, code: str) -> None:
    text = SMALL + f"      - {START}\n      - {line}\n"
    loaded = load_folder({"small.yaml": text.encode()}, CATALOGUE, timezone="Europe/Moscow")
    number = SMALL.count("\n") + 2
    assert {(found.code, found.line) for found in loaded.findings if found.severity == "error"} == {(code, number)}


@pytest.mark.parametrize("first", ["press: red", 'edit: "x"', "pass: 1h", "manager: closed"])
def test_a_test_begins_by_what_begins_a_flow(first: str) -> None:
    loaded = load_folder({"s.yaml": f"{SMALL}      - {{{first}}}\n".encode()}, CATALOGUE, timezone="Europe/Moscow")
    assert [found.code for found in loaded.findings if found.severity == "error"] == ["Y04"]


# ------------------------------------------------------------------------------------------------------------ coverage


def _untested(*lines: str) -> list[str]:
    text = SMALL + "".join(f"      - {line}\n" for line in lines)
    loaded = load_folder({"small.yaml": text.encode()}, CATALOGUE, timezone="Europe/Moscow")
    return [format_finding(found, "en") for found in untested(loaded.flows)]


def test_the_steps_that_no_test_visits_are_named_in_one_line_for_a_flow() -> None:
    line = SMALL[: SMALL.index("tests:")].count("\n") + 1
    assert _untested(*TOLD) == [f"small.yaml:{line}: X02 warning: no test visits: «later, help, over, quiet»"]
    assert _untested(*SLOW, "{pass: 1d}") == [f"small.yaml:{line}: X02 warning: no test visits: «help, over»"]


def test_flows_that_ship_are_visited_everywhere_also_through_others() -> None:
    assert untested(LOADED.flows) == []
    alone = load_folder({name: text for name, text in FILES.items() if name != "lead.yaml"}, CATALOGUE, timezone="UTC")
    assert untested(alone.flows) == []
    bare = FILES["price_faq.yaml"].partition(b"tests:")[0]
    assert untested(load_folder({**FILES, "price_faq.yaml": bare}, CATALOGUE, timezone="UTC").flows) == []  # by lead
    single = load_folder({"price_faq.yaml": bare}, CATALOGUE, timezone="UTC")
    assert [(found.code, found.line, found.en) for found in untested(single.flows)] == [
        ("X02", 2, "no test visits: «answer, done»")
    ]
