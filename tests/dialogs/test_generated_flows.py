# ruff: noqa: E501 — a strategy is a line
"""Flows that nobody wrote: what the check passes, the engine can run, and left alone every dialog comes to its end."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dialogs.findings import Finding, format_finding
from dialogs.flow import Ask
from dialogs.flows_set import Flows, load_folder
from dialogs.golden_coverage import untested
from tests.dialogs.catalogue import CATALOGUE
from tests.dialogs.flow_files import FILES, load
from tests.dialogs.talk import Talk

VARS = {
    "t": {"type": "text", "max": 200},
    "n": {"type": "number"},
    "c": {"type": "choice"},
    "f": {"type": "file_list"},
    "l": {"type": "list"},
    "p": {"type": "person_name", "scope": "contact"},
}
TEXTS = st.sampled_from(
    ["Привет", "{t|or:-} {n|or:0}", "{c|title|short:5|or:-}", "{p|or:x}\nи {t|or:-}", "{l[0].id|or:–}", "{f|or:нет}"]
).map(lambda text: f"Так: {text}")
CONDITIONS = st.sampled_from(
    ["filled(t)", "n > 3", "c = 'a'", "t in ['1', '2'] or not filled(p)", "len(l) >= 1", "false"]
)
EVENT_CONDITIONS = st.sampled_from(
    ["event.final = true", "event.number = t", "event.total > n", "filled(event.comment)"]
)
VALUES = st.sampled_from([{"n": "7"}, {"t": "p", "n": "len(t)"}, {"l": "[1, 'a']", "c": "'b'"}, {"t": "null"}])
EXPECTS = st.sampled_from(
    [("text", "t"), ("number", "n"), ("person_name", "p"), ("photo", "f"), (["number", "text"], "t")]
)


@st.composite
def flows(draw: st.DrawFn, name: str, *, may_call: bool) -> dict[str, Any]:
    """Order, silence and outcomes lead onward, so there is always a way to the end; answers and events lead anywhere."""
    count = draw(st.integers(2, 7))
    ids = [f"s{index}" for index in range(count)]
    steps: list[dict[str, Any]] = []
    for index, step_id in enumerate(ids):
        ahead = [*ids[index + 1 :], "over"]
        kinds = ["say", "ask", "ask", "pick", "branch", "set", "do", "wait", "handoff", *(["call"] if may_call else [])]
        step = _step(draw, draw(st.sampled_from(kinds)), ahead, st.sampled_from([*ids, "over"]))
        steps.append({"id": step_id, **step})
    steps.append({"id": "over", "end": draw(st.sampled_from(["ok", "failed"]))})
    interrupts: list[dict[str, Any]] = [
        {"id": "back", "text": ["назад"], "go": "back"},
        {"id": "again", "text": ["заново"], "go": "restart"},
        {"id": "out", "phrase": ["хватит уже"], "next": draw(st.sampled_from([*ids, "over"]))},
    ]
    if may_call:
        interrupts.append({"id": "aside", "event": "order.problem", "call": "child", "then": "resume"})
    return {
        "format": 1,
        "flow": name,
        "title": name,
        "channels": ["telegram"],
        "callable": True,
        "start": [{"command": name}],
        "vars": VARS,
        "defaults": {
            "retry": {"max": draw(st.integers(1, 3)), "then": "over"},
            "silence": {"remind": [{"after": "5m", "say": "Тут?"}], "close": {"after": "1h", "next": "over"}},
        },
        "interrupts": draw(st.lists(st.sampled_from(interrupts), unique_by=lambda one: str(one["id"]))),
        "steps": steps,
    }


def _step(draw: st.DrawFn, kind: str, ahead: list[str], anywhere: st.SearchStrategy[str]) -> dict[str, Any]:
    """One of the ways of every step leads to the next one: nothing is out of reach."""
    onward = st.sampled_from(ahead)
    if kind == "say":
        return {"say": draw(TEXTS)}
    if kind == "ask":
        expect, into = draw(EXPECTS)
        return {"ask": draw(TEXTS), "expect": expect, "into": into, "edited": draw(onward)}
    if kind == "pick":
        options = [{"id": option, "title": option} for option in ("a", "b")]
        return {
            "ask": draw(TEXTS),
            "into": "c",
            "options": [*options, {"id": "x", "title": "X", "next": draw(anywhere)}],
        }
    if kind == "branch":
        return {"branch": [{"if": draw(CONDITIONS), "next": draw(onward)}, {"else": True, "next": ahead[0]}]}
    if kind == "set":
        return {"set": draw(VALUES)}
    if kind == "do":
        outcome = {"ok": ahead[0], "rejected": draw(onward), "slow": draw(onward)}
        return {"do": "order.find", "with": {"phone": "{t|or:1}"}, "save": {"l": "result.items", "n": "result.count"},
                "outcome": outcome, "slow_after": "10s"}  # fmt: skip
    if kind == "wait":
        cases = [
            {
                "event": "order.created",
                "if": draw(EVENT_CONDITIONS),
                "save": {"t": "event.number"},
                "next": draw(anywhere),
            },
            {"message": True, "next": draw(anywhere)},
        ]
        return {"wait": cases, "close": {"after": "2h", "next": ahead[0]}}
    if kind == "handoff":
        outcome = {"returned": draw(onward), "closed": ahead[0], "nobody": draw(onward)}
        return {
            "handoff": "managers",
            "open_say": draw(TEXTS),
            "closed_say": "x",
            "outcome": outcome,
            "nobody_after": "1h",
        }
    return {"call": "child", "save": {"t": "result.end"}}


HAPPENINGS = st.one_of(
    st.sampled_from(["/main", "назад", "заново", "хватит уже", "1", "2", "a", "X", "Анна", "7", ""]).map(lambda text: ("says", text)),
    st.sampled_from(["a", "b", "x", "z"]).map(lambda option: ("presses", option)),
    st.sampled_from(["photo", "sticker", "voice"]).map(lambda kind: ("sends", kind)),
    st.sampled_from(["order.created", "order.problem"]).map(lambda kind: ("happens", kind)),
    st.sampled_from([None, "invalid"]).map(lambda code: ("finishes", code)),
    st.sampled_from(["returned", "closed", "say"]).map(lambda act: ("manager", act)),
    st.sampled_from([5, 20, 90]).map(lambda minutes: ("waits", minutes)),
)  # fmt: skip


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    main=flows("main", may_call=True), child=flows("child", may_call=False), events=st.lists(HAPPENINGS, max_size=20)
)
def test_what_the_check_passes_the_engine_can_run_to_its_end(
    main: dict[str, Any], child: dict[str, Any], events: list[tuple[str, Any]]
) -> None:
    files = {"main.yaml": json.dumps(main).encode(), "child.yaml": json.dumps(child).encode()}
    loaded = load_folder(files, CATALOGUE, timezone="Europe/Moscow")
    assert not loaded.has_errors, [format_finding(found, "en") for found in loaded.findings]
    talk = Talk(loaded.flows)
    talk.says("/main")
    for name, value in events:
        _play(talk, name, value)
        assert talk.outcome.failed is None, repr(talk.outcome.failed)
    for _ in range(40):  # nobody does anything any more: silence leads to the end
        talk.waits(days=4)
        assert talk.outcome.failed is None, repr(talk.outcome.failed)
    assert all(dialog.status == "closed" for dialog in talk.dialogs.values()), (main, child, events, talk.dialog)


def _play(talk: Talk, name: str, value: Any) -> None:
    if name == "happens":
        talk.happens(value, number="1", total=5, final=True, comment=None)
    elif name == "waits":
        talk.waits(minutes=value)
    elif name == "finishes":
        if talk.actions:
            talk.finishes(talk.actions[-1].step, code=value, items=[{"id": 1}], count=1)
    elif name == "manager":
        talk.manager(value, "Здравствуйте")
    elif name == "presses":
        if isinstance(_step_on_top(talk.flows, talk), Ask):
            talk.presses(value)
    else:
        getattr(talk, name)(value)


def _step_on_top(live: Flows, talk: Talk) -> object:
    top = talk.dialog.top
    return live.get(top.flow, top.version).steps.get(top.step)


# -------------------------------------------------------------------------------------------------------- any bytes


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_give_findings_and_no_exception(content: bytes) -> None:
    for before in (b"", b"format: 1\nflow: x\n", b"translates: child\nlang: en\ntexts: {", b"project: 1\n"):
        loaded = load_folder({"x.yaml": before + content}, CATALOGUE, timezone="Europe/Moscow")
        assert all(isinstance(found, Finding) for found in loaded.findings)


PIECES = (
    "{",
    "}",
    "[",
    "]",
    ":",
    "'",
    '"',
    "\n",
    "null",
    "5",
    "child",
    "base",
    "next: ",
    "call: child, ",
    "if: ",
    "{name|",
    "…",
)


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_a_damaged_folder_gives_findings_and_no_exception(data: st.DataObject) -> None:
    """Words change places, too: what is right alone may be wrong where it stands."""
    files = dict(FILES)
    words = sorted({word for text in FILES.values() for word in text.replace(",", " ").split()})
    for _ in range(data.draw(st.integers(1, 5))):
        name = data.draw(st.sampled_from(sorted(files)))
        text = files[name]
        at = data.draw(st.integers(0, len(text)))
        end = text.find(" ", at) if data.draw(st.booleans()) else at + data.draw(st.integers(0, 12))
        files[name] = text[:at] + data.draw(st.sampled_from(PIECES) | st.sampled_from(words)) + text[max(end, at) :]
    loaded = load(files)
    assert all(format_finding(found, "ru") for found in (*loaded.findings, *untested(loaded.flows)))
