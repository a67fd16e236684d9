"""Reading flow files: whatever is in them, findings come out and never an exception."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dialogs
from dialogs.findings import Finding
from dialogs.flows_set import Loaded, compile_flow, load_folder
from dialogs.golden import run_tests
from dialogs.project import compile_project, default_project
from dialogs.reading import read
from tests.dialogs.catalogue import CATALOGUE

BASE = """\
format: 1
flow: base
title: "Base"
channels: [telegram]
start: [{command: start}]
vars: {name: {type: person_name}, until: {type: date}}
defaults: {retry: {max: 3, then: over}, silence: {close: {after: 1h, next: over}}}
interrupts: [{id: stop, text: ["стоп"], next: over}]
steps:
  - id: name
    ask: "Name?"
    expect: person_name
    into: name
  - id: pick
    ask: "Pick"
    options:
      - {id: one, title: "One"}
      - {id: two, title: "Two", next: over}
  - id: tell
    do: telegram.notify
    with: {text: "{name} {until|or:today}"}
    once_per: "{event.id}"
    outcome: {ok: over, rejected: over, slow: over}
    slow_after: 5s
  - id: over
    end: ok
tests: []
"""


def _load(**files: str) -> Loaded:
    named = {f"{name}.yaml": text.encode() for name, text in files.items()}
    return load_folder(named, CATALOGUE, timezone="Europe/Moscow")


def _found(loaded: Loaded) -> list[tuple[str, int, str | None]]:
    return [(finding.code, finding.line, finding.step) for finding in loaded.findings if finding.severity == "error"]


def _line(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


def test_a_right_flow_has_no_findings() -> None:
    loaded = _load(base=BASE)
    assert loaded.findings == ()
    assert loaded.flows.live("base").steps.keys() == {"name", "pick", "tell", "over"}


@pytest.mark.parametrize(
    ("old", "new", "code", "step"),
    [
        ("flow: base", "flow: base\ngaol: 5", "Y03", None),
        ("flow: base", "flow: Base", "Y04", None),
        ('title: "Base"', "title: 5", "Y04", None),
        ("channels: [telegram]", "channels: [pigeon]", "Y04", None),
        ("format: 1", "format: 2", "Y06", None),
        ("{command: start}", "{command: start, text: [go]}", "Y04", None),
        ("{command: start}", "{event: site.form}", "I05", None),
        ("{max: 3, then: over}", "{max: 0, then: over}", "Y04", None),
        ("{max: 3, then: over}", "{max: 3, then: nowhere}", "F03", None),
        ("close: {after: 1h", "close: {after: soon", "Y04", None),
        ("{type: date}", "{type: day}", "Y04", None),
        ("until: {type", "event: {type", "N11", None),
        ("next: over}]\nsteps", "next: over, go: back}]\nsteps", "F24", None),
        ('text: ["стоп"], ', "", "F24", None),
        ("into: name", "into: nobody", "N05", "name"),
        ("into: name", "into: until", "N07", "name"),
        ("into: name", "into: name\n    valid: len(name", "N02", "name"),
        ('ask: "Name?"', 'ask: "Name, {name|shout}?"', "N03", "name"),
        ('ask: "Name?"', 'ask: "Name, {name?"', "N04", "name"),
        ('ask: "Name?"', 'ask: "Name?"\n    say: "Hm"', "Y07", "name"),
        ("expect: person_name", "expect: choice", "F13", "name"),
        ("expect: person_name", "expect: mood", "Y04", "name"),
        ("id: two, title", "id: one, title", "F02", "pick"),
        ('title: "Two", next: over', 'title: "Two", next: over, go: back', "F24", "pick"),
        ('title: "Two", next: over', 'title: "Two", edit: name', "F09", "pick"),
        ('title: "Two", next: over', 'title: "Two", next: nowhere', "F03", "pick"),
        ("do: telegram.notify", "do: telegram.shout", "I01", "tell"),
        ('with: {text: "{name} {until|or:today}"}', 'with: {words: "{name}"}', "I07", "tell"),
        ('with: {text: "{name} {until|or:today}"}', "with: {}", "I02", "tell"),
        ('    once_per: "{event.id}"\n', "", "I03", "tell"),
        ("slow: over}", "slow: nowhere}", "F03", "tell"),
        (", slow: over}", "}", "Y04", "tell"),
        ("slow_after: 5s", "slow_after: 11m", "Y04", "tell"),
        ("    slow_after: 5s\n", "", "Y04", "tell"),
        ("id: over\n", "id: pick\n", "F02", "pick"),
        ("id: over\n    end: ok", "id: over\n    say: x", "F05", "over"),
        ("id: over\n    end: ok", "id: over\n    end: fine", "Y04", "over"),
        ("id: over\n    end: ok", "id: over\n    handoff: nowhere", "Y04", "over"),
        ("start: [{command: start}]\n", "", "F14", None),
        ("tests: []", "tests: [{chat: []}]", "Y04", None),
        ("tests: []", "publish: {running: move, moved: {gone: nowhere}}", "R02", None),
        ("retry: {max: 3, then: over}, ", "", "F10", "name"),
        (", silence: {close: {after: 1h, next: over}}", "", "F11", "name"),
        ("silence: {close", 'silence: {remind: [{after: 2h, say: "?"}], close', "F12", "name"),
    ],
)
def test_what_is_wrong_is_found(old: str, new: str, code: str, step: str | None) -> None:
    assert old in BASE
    loaded = _load(base=BASE.replace(old, new, 1))
    assert (code, step) in {(found, where) for found, _, where in _found(loaded)}
    assert loaded.flows.all_live() == ()


def test_after_errors_of_structure_nothing_else_is_said() -> None:
    text = BASE.replace("into: name", "into: nobody").replace("slow_after: 5s", "slow_after: 5")
    assert [code for code, _, _ in _found(_load(base=text))] == ["Y04"]


def test_everything_else_is_said_at_once_with_its_line() -> None:
    text = BASE.replace("into: name", "into: nobody").replace("slow: over}", "slow: nowhere}")
    assert _found(_load(base=text)) == [
        ("N05", _line(text, "into: nobody"), "name"),
        ("F03", _line(text, "slow: nowhere"), "tell"),
    ]


def test_a_missing_field_is_shown_at_the_id_of_its_step() -> None:
    text = BASE.replace("  - id: over\n    end: ok", "  - handoff: managers\n    id: over")
    assert {(code, line) for code, line, _ in _found(_load(base=text))} == {("Y04", _line(text, "id: over"))}


BRANCH = """\
format: 1
flow: fork
title: "Fork"
contact: none
start: [{event: order.created}]
vars: {total: {type: money}}
steps:
  - id: fork
    branch: %s
  - id: over
    end: ok
"""


@pytest.mark.parametrize(
    ("cases", "code"),
    [
        ('[{if: "total > 5", next: over}]', "F07"),
        ('[{else: true, next: over}, {if: "total > 5", next: over}]', "F07"),
        ('[{if: "total > 5", else: true, next: over}]', "Y04"),
        ("[{next: over}]", "Y04"),
        ("[]", "Y04"),
        ("[{else: true, next: nowhere}]", "F03"),
    ],
)
def test_wrong_branches_are_found(cases: str, code: str) -> None:
    assert code in {found for found, _, _ in _found(_load(fork=BRANCH % cases))}


def test_a_flow_without_a_customer_cannot_talk() -> None:
    text = BRANCH % "[{else: true, next: over}]"
    assert _found(_load(fork=text)) == []
    talking = text.replace("{event: order.created}", "{command: go}").replace(
        "end: ok", 'say: "x"\n  - {id: x, end: ok}'
    )
    assert {code for code, _, _ in _found(_load(fork=talking))} == {"F23"}


# --------------------------------------------------------------------------------------------------- several files


def test_a_flow_that_calls_a_broken_one_does_not_run() -> None:
    caller = BASE.replace("flow: base", "flow: caller").replace("command: start", "command: call").replace(
        "steps:\n", "steps:\n  - {id: down, call: base}\n"
    )  # fmt: skip
    called = BASE.replace("start: [{command: start}]", "callable: true")
    assert {flow.name for flow in _load(a=caller, b=called).flows.all_live()} == {"base", "caller"}
    broken = _load(a=caller, b=called.replace("into: name", "into: nobody"))
    assert broken.flows.all_live() == ()
    assert _found(_load(a=caller)) == [("F15", _line(caller, "{id: down"), "down")]


def test_a_flow_that_calls_itself_is_found() -> None:
    text = BASE.replace("start:", "callable: true\nstart:").replace("steps:\n", "steps:\n  - {id: down, call: base}\n")
    assert [code for code, _, _ in _found(_load(base=text))] == ["F18"]


def test_calls_bring_the_parameters_that_the_flow_takes() -> None:
    called = BASE.replace("start: [{command: start}]", "callable: true\ntakes: [until]")
    caller = BASE.replace("flow: base", "flow: caller").replace(
        "steps:\n", 'steps:\n  - {id: down, call: base, with: {name: "name"}}\n'
    )
    assert [code for code, _, _ in _found(_load(a=caller, b=called))] == ["F25"]


def test_two_flows_of_one_name_or_one_command_are_found() -> None:
    assert [code for code, _, _ in _found(_load(a=BASE, b=BASE))] == ["F01"]
    other = BASE.replace("flow: base", "flow: other")
    assert [code for code, _, _ in _found(_load(a=BASE, b=other))] == ["F22", "F22"]


def test_translations_are_read_and_checked() -> None:
    words = (
        'translates: base\nlang: en\ntexts:\n  name.ask: "Your name?"\n  name.say: "?"\n  pick.ask: "Pick, {note}"\n'
    )
    loaded = _load(base=BASE, english=words)
    codes = {(finding.code, finding.line) for finding in loaded.findings}
    assert {("T02", 5), ("T03", 6), ("T01", 3)} <= codes
    assert "F15" in {code for code, _, _ in _found(_load(english=words))}


def test_a_second_translation_into_one_language_and_one_into_its_own_are_found() -> None:
    words = "translates: base\nlang: %s\ntexts: {title: x}\n"
    assert _found(_load(base=BASE, english=words % "en", more=words % "en")) == [("F01", 1, None)]
    assert _found(_load(base=BASE, russian=words % "ru")) == [("Y04", 2, None)]


def test_of_a_flow_that_cannot_be_read_its_callers_and_translations_say_nothing() -> None:
    caller = BASE.replace("steps:\n", "steps:\n  - {id: down, call: child}\n")
    words = "translates: child\nlang: en\ntexts: {title: x}\n"
    for broken in ("format: 1\nflow: child\n", "flow: [\n"):
        loaded = _load(base=caller, child=broken, english=words)
        assert {finding.file for finding in loaded.findings} == {"child.yaml"}
        assert loaded.flows.all_live() == ()  # but it cannot run either


def test_a_stored_version_is_not_held_to_rules_that_came_later() -> None:
    text = BASE.replace('title: "One"', 'title: "*One, which is longer than a button*"').replace("pick", "choose")
    text = text.replace("channels: [telegram]", "channels: [whatsapp]")
    settings = {"file": "x.yaml", "version": 1, "project": default_project("Europe/Moscow"), "catalogue": CATALOGUE}
    assert compile_flow(text, **settings).flow is not None
    published = compile_flow(text, **settings, others={})
    assert published.flow is None
    assert {finding.code for finding in published.findings} == {"C01", "C06"}
    missing = compile_flow(text.replace("slow: over", "slow: nowhere"), **settings)
    assert (missing.flow, missing.findings[0].code) == (None, "F03")


def test_a_file_that_is_nothing_says_so() -> None:
    assert [code for code, _, _ in _found(_load(x="hello: 5\n"))] == ["Y04"] * len(_found(_load(x="hello: 5\n")))
    assert [code for code, _, _ in _found(_load(x="a: [\n"))] == ["Y01"]


# ---------------------------------------------------------------------------------------------------------- project


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("project: 2\n", "Y06"),
        ("project: 1\ncolour: red\n", "Y03"),
        ('project: 1\nqueues: {sales: {title: "S", hours: {mon: "9-18"}}}\n', "Y04"),
        ('project: 1\nqueues: {sales: {title: "S", group: nobody}}\n', "I06"),
        ("project: 1\nqueues: {sales: {}}\n", "Y04"),
        ('project: 1\ntexts: {good_bye: "x"}\n', "Y03"),
        ("project: 1\ntemplates: {t: {lang: ru}}\n", "Y04"),
        ("project: 1\ngroups: {g: {chat_id: abc}}\n", "Y04"),
    ],
)
def test_what_is_wrong_with_a_project_is_found(text: str, code: str) -> None:
    _, findings = compile_project(text, file="project.yaml", timezone="Europe/Moscow")
    assert code in {finding.code for finding in findings}


def test_a_project_adds_to_what_is_always_there() -> None:
    text = (
        'project: 1\ngroups: {g: {chat_id: "-100123"}}\nqueues: {sales: {title: "S", group: g}}\ntexts: {busy: "Жду"}\n'
    )
    project, findings = compile_project(text, file="project.yaml", timezone="Europe/Moscow")
    assert findings == []
    assert set(project.groups) == {"managers", "g"}
    assert project.groups["g"].chat_id == -100123
    assert set(project.queues) == {"managers", "sales"}
    assert project.templates is None
    assert project.sentence("busy", "ru") == "Жду"
    assert compile_project(None, file="-", timezone="Europe/Moscow")[0].queues == default_project("UTC").queues


# ------------------------------------------------------------------------------------------------------ hostile files

SHIPPED = [path.read_text() for path in sorted((Path(dialogs.__file__).parent / "flows").glob("*.yaml"))]
PIECES = [
    "{",
    "}",
    "[",
    "]",
    ":",
    "-",
    "'",
    '"',
    "\n",
    "  ",
    "null",
    "5",
    "true",
    "x",
    "{x|",
    "&a",
    "next: ",
    "\t",
    "…",
]


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_a_damaged_file_gives_findings_and_no_exception(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(SHIPPED))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        length = data.draw(st.integers(0, 30))
        text = text[:at] + data.draw(st.sampled_from(PIECES)) + text[at + length :]
    loaded = _load(damaged=text)
    assert all(isinstance(finding, Finding) for finding in loaded.findings)
    compiled = compile_flow(
        text, file="x.yaml", version=1, project=default_project("Europe/Moscow"), catalogue=CATALOGUE
    )
    assert compiled.flow is None or not any(finding.severity == "error" for finding in compiled.findings)


DOCUMENTS: list[Any] = [read(text, file="x").data for text in SHIPPED]
CALLED = {f"called{index}": text for index, text in enumerate(SHIPPED) if "callable: true" in text or "queues:" in text}
VALUES: st.SearchStrategy[object] = st.recursive(
    st.sampled_from([None, True, 5, "", "x", "over", "1h", "{name}", "name = 'x'", "вася"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["id", "next", "if", "event", "title", "after", "x"]), inner, max_size=3)
    ),
    max_leaves=4,
)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_value_in_any_field_gives_findings_and_no_exception(data: st.DataObject) -> None:
    """A right file whose field holds something else; what still loads can be played."""
    document = deepcopy(data.draw(st.sampled_from(DOCUMENTS)))
    place = document
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        inner = place[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.integers(0, 5)) == 0:
            break
        place = inner
    place[key] = data.draw(VALUES)
    loaded = _load(damaged=json.dumps(document), **CALLED)
    assert all(isinstance(finding, Finding) for finding in loaded.findings)
    for flow in loaded.flows.all_live():
        if flow.document.file == "damaged.yaml":
            run_tests(loaded.flows, flow)
