"""What one turn may do at most: FLOWS.md section 14."""

from __future__ import annotations

import pytest

from dialogs.conversation import Outcome
from dialogs.effects import OpenHandoff
from dialogs.engine import EngineLimit, EventNotAccepted, advance
from dialogs.events import DialogStarted, MessageReceived
from dialogs.flows_set import FlowMissing, Flows
from dialogs.machine import WrongTransition, fire
from tests.dialogs.talk import NOON, Talk, load

DEFAULTS = "defaults: {retry: {max: 3, then: over}, silence: {close: {after: 1h, next: over}}}\n"


def _fails(talk: Talk, limit: str) -> Outcome:
    """The turn is undone and the dialog is with the managers."""
    outcome = talk.outcome
    assert isinstance(outcome.failed, EngineLimit)
    assert limit in str(outcome.failed)
    assert talk.of(OpenHandoff) == [OpenHandoff("managers", "managers", True, "failed")]
    assert talk.dialog.status == "handed_off"
    return outcome


def test_50_steps_are_passed_in_one_walk() -> None:
    def flow(passed: int) -> Flows:
        sets = "".join(f'  - {{id: s{number}, set: {{count: "{number}"}}}}\n' for number in range(passed))
        return load(
            f"flow: long\nstart: [{{command: start}}]\nvars: {{count: {{type: number}}}}\nsteps:\n{sets}"
            "  - {id: over, end: ok}\n"
        )

    talk = Talk(flow(50))
    talk.says("/start")
    assert talk.ended == {1: "ok"}
    talk = Talk(flow(51))
    talk.says("/start")
    _fails(talk, "50 steps passed")


def test_20_messages_are_sent_in_one_turn() -> None:
    def flow(messages: int) -> Flows:
        says = "".join(f'  - {{id: s{number}, say: "{number}"}}\n' for number in range(messages))
        return load(f"flow: chatty\nstart: [{{command: start}}]\nsteps:\n{says}  - {{id: over, end: ok}}\n")

    assert len(Talk(flow(20)).says("/start")) == 20
    talk = Talk(flow(21))
    assert talk.says("/start") == ["Что-то пошло не так, зову менеджера."]
    _fails(talk, "20 messages")


def test_8_frames_lie_on_each_other() -> None:
    def flows(depth: int) -> Flows:
        texts = [
            f"flow: f{number}\ncallable: true\nsteps:\n"
            f"  - {{id: down, call: f{number + 1}}}\n  - {{id: over, end: ok}}\n"
            for number in range(1, depth)
        ]
        last = f"flow: f{depth}\ncallable: true\n{DEFAULTS}steps:\n  - {{id: ask_it, ask: '?', expect: text}}\n"
        return load(*texts, last + "  - {id: over, end: ok}\n")

    talk = Talk(flows(8))
    talk.starts("f1")
    assert len(talk.dialog.frames) == 8
    talk = Talk(flows(9))
    talk.starts("f1")
    _fails(talk, "8 frames")
    assert talk.manager("returned") == ["Что-то пошло не так, зову менеджера."]  # it begins again, and fails again


def test_100_states_are_entered_in_one_event() -> None:
    """Eleven flows deep is too deep, but side by side a hundred calls are soon made."""
    calls = "".join(f"  - {{id: c{number}, call: inner}}\n" for number in range(40))
    sums = f"flow: outer\nstart: [{{command: start}}]\nsteps:\n{calls}  - {{id: over, end: ok}}\n"
    inner = "flow: inner\ncallable: true\nsteps:\n  - {id: x, call: leaf}\n  - {id: over, end: ok}\n"
    leaf = "flow: leaf\ncallable: true\nsteps:\n  - {id: over, end: ok}\n"
    talk = Talk(load(sums, inner, leaf))
    talk.says("/start")
    _fails(talk, "100 states")


def test_64_kib_of_variables_fit() -> None:
    flows = load(
        "flow: keeper\ncallable: true\ntakes: [first, second]\n"
        "vars: {first: {type: list}, second: {type: list}}\n"
        f"{DEFAULTS}steps:\n  - {{id: ask_it, ask: '?', expect: text}}\n  - {{id: over, end: ok}}\n"
    )
    talk = Talk(flows)
    talk.starts("keeper", first=[{"text": "x" * 30_000}], second=[{"text": "x" * 30_000}])
    assert talk.outcome.failed is None
    talk = Talk(flows)
    talk.starts("keeper", first=[{"text": "ж" * 30_000}], second=[{"text": "x" * 30_000}])
    _fails(talk, "bytes of variables")


def test_a_limit_changes_nothing_of_the_dialog_but_who_has_it() -> None:
    says = "".join(f'  - {{id: s{number}, say: "{number}"}}\n' for number in range(21))
    flows = load(
        f"flow: late\nstart: [{{command: start}}]\nvars: {{it: {{type: text}}}}\n{DEFAULTS}steps:\n"
        f"  - {{id: ask_it, ask: '?', expect: text, into: it}}\n{says}  - {{id: over, end: ok}}\n"
    )
    talk = Talk(flows)
    talk.says("/start")
    before = talk.dialog
    with pytest.raises(EngineLimit):
        advance(flows, before, MessageReceived("x", NOON, "да"))
    talk.says("да")
    assert talk.dialog.frames == before.frames
    assert talk.manager("returned") == ["?"]


def test_a_version_that_was_not_loaded_is_named() -> None:
    flows = load(f"flow: one\nstart: [{{command: start}}]\n{DEFAULTS}steps:\n"
                 "  - {id: ask_it, ask: '?', expect: text}\n  - {id: over, end: ok}\n")  # fmt: skip
    talk = Talk(flows)
    talk.says("/start")
    other = Flows(flows.project, flows.catalogue)
    assert other.missing([talk.dialog]) == {("one", 1)}
    with pytest.raises(FlowMissing, match="one version 1"):
        advance(other, talk.dialog, MessageReceived("x", NOON, "да"))


def test_a_dialog_begins_once() -> None:
    flows = load(f"flow: one\nstart: [{{command: start}}]\n{DEFAULTS}steps:\n"
                 "  - {id: ask_it, ask: '?', expect: text}\n  - {id: over, end: ok}\n")  # fmt: skip
    talk = Talk(flows)
    talk.says("/start")
    with pytest.raises(EventNotAccepted, match="already_begun"):
        advance(flows, talk.dialog, DialogStarted("x", NOON))


def test_the_machine_moves_only_where_the_flow_leads() -> None:
    flows = load(f"flow: one\nstart: [{{command: start}}]\n{DEFAULTS}steps:\n"
                 "  - {id: ask_it, ask: '?', expect: text}\n  - {id: over, end: ok}\n")  # fmt: skip
    machine = flows.live_program("one").machine

    class Model:
        state = "ask_it"
        dest = "over"

    model = Model()
    fire(machine, "input", model)
    assert model.state == "over"
    for trigger, dest in (("input", "ask_it"), ("unknown", "over"), ("close", "over")):
        with pytest.raises(WrongTransition):
            fire(machine, trigger, Model() if dest == "nowhere" else model)
    assert model.state == "over"
    assert not machine.models
