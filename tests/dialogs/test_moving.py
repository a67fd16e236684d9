"""Publishing over live dialogs: FLOWS.md section 11."""

from __future__ import annotations

import pytest

from dialogs.effects import EndDialog, RunAction
from dialogs.flow import Flow
from dialogs.flows_set import Flows, load_folder
from dialogs.moving import without_place
from tests.dialogs.catalogue import CATALOGUE
from tests.dialogs.talk import HEAD, Talk

OLD = """start: [{command: start}]
vars: {name: {type: person_name}, old: {type: text}}
defaults: {retry: {max: 3, then: over}, silence: {close: {after: 1h, next: over}}}
steps:
  - {id: name, ask: "Имя?", expect: person_name, into: name}
  - {id: colour, ask: "Цвет?", expect: text, into: old}
  - {id: size, ask: "Размер?", expect: text}
  - {id: over, end: ok}
"""
NEW = """start: [{command: start}]
vars: {name: {type: person_name}}
defaults: {retry: {max: 3, then: over}, silence: {close: {after: 1h, next: over}}}
publish: {running: move, moved: {colour: taste}}
steps:
  - {id: name, ask: "Ваше имя?", expect: person_name, into: name}
  - {id: taste, ask: "Вкус, {name}?", expect: text}
  - {id: over, end: ok}
"""


def _flow(text: str, version: int) -> Flow:
    files = {"f.yaml": (HEAD.format(name="shop") + text).encode()}
    loaded = load_folder(files, CATALOGUE, timezone="Europe/Moscow", version=version)
    assert not loaded.has_errors, loaded.findings
    return loaded.flows.live("shop")


def _flows(text: str) -> Flows:
    flows = load_folder({}, CATALOGUE, timezone="Europe/Moscow").flows
    flows.add(_flow(text, 1), live=True)
    return flows


@pytest.fixture
def anna() -> Talk:
    talk = Talk(_flows(OLD))
    talk.says("/start")
    return talk


def test_by_default_open_dialogs_finish_on_their_version(anna: Talk) -> None:
    anna.flows.add(_flow(NEW.replace("running: move, moved: {colour: taste}", "running: keep"), 2), live=True)
    assert anna.says("Анна") == ["Цвет?"]
    other = Talk(anna.flows)
    assert other.says("/start") == ["Ваше имя?"]


def test_a_step_of_the_same_kind_keeps_its_place(anna: Talk) -> None:
    anna.flows.add(_flow(NEW, 2), live=True)
    assert anna.says("Анна") == ["Вкус, Анна?"]
    assert anna.dialog.top.version == 2


def test_a_moved_question_is_asked_at_the_next_message(anna: Talk) -> None:
    anna.says("Анна")
    anna.flows.add(_flow(NEW, 2), live=True)
    assert anna.says("синий") == ["Вкус, Анна?"]
    assert anna.says("мята") == []
    assert anna.ended == {1: "ok"}


def test_silence_of_a_moved_question_still_ends_the_dialog(anna: Talk) -> None:
    anna.says("Анна")
    anna.flows.add(_flow(NEW, 2), live=True)
    anna.happens("okdesk.rated")
    assert anna.dialog.top.unasked
    anna.waits(hours=1)
    assert anna.ended == {1: "ok"}


def test_a_dialog_may_be_moved_to_an_end_or_an_action(anna: Talk) -> None:
    anna.says("Анна")
    anna.flows.add(_flow(NEW.replace("colour: taste", "colour: over"), 2), live=True)
    anna.says("синий")
    assert anna.of(EndDialog) == [EndDialog("ok")]
    acting = NEW.replace("colour: taste", "colour: tell").replace(
        "  - {id: over",
        "  - {id: tell, do: telegram.notify, with: {text: '{name}'}, once_per: '{dialog.id}', slow_after: 5s,\n"
        "     outcome: {ok: over, rejected: over, slow: over}}\n  - {id: over",
    )
    olga = Talk(_flows(OLD))
    olga.says("/start")
    olga.says("Ольга")
    olga.flows.add(_flow(acting, 2), live=True)
    olga.says("синий")
    (action,) = olga.of(RunAction)
    assert action.params["text"] == "Ольга"
    assert olga.at == "shop.tell"


def test_publishing_names_the_steps_without_a_place() -> None:
    found = without_place(
        _flow(NEW, 3), [(_flow(OLD, 1), {"name": 5, "size": 1}), (_flow(OLD, 2), {"colour": 2, "size": 2})]
    )
    assert [(finding.code, finding.en, finding.line) for finding in found] == [
        ("R01", "3 dialogs wait in «size», say where to move them", 8)
    ]
    assert without_place(_flow(OLD, 2), [(_flow(OLD, 1), {"size": 3})]) == []
