"""Publishing over live dialogs: FLOWS.md section 11."""

from __future__ import annotations

import pytest

from dialogs.effects import CloseHandoff, EndDialog, RunAction
from dialogs.flow import Flow
from dialogs.flows_set import Flows, load_folder
from dialogs.moving import without_place
from tests.dialogs.catalogue import CATALOGUE
from tests.dialogs.talk import HEAD, PROJECT, Talk, load

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


def _flow(text: str, version: int, others: dict[str, str] | None = None) -> Flow:
    files = {"project.yaml": PROJECT.encode(), "f.yaml": (HEAD.format(name="shop") + text).encode()}
    files |= {f"{name}.yaml": (HEAD.format(name=name) + other).encode() for name, other in (others or {}).items()}
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
    assert {finding.file for finding in found} == {"f.yaml"}
    assert without_place(_flow(OLD, 2), [(_flow(OLD, 1), {"size": 3})]) == []


TALKING = """start: [{command: start}]
vars: {size: {type: choice}, count: {type: number}, note: {type: text}}
defaults: {retry: {max: 3, then: over}, silence: {close: {after: 1h, next: over}}}
interrupts: [{id: back, text: ["назад"], go: back}, {id: people, text: ["человек"], next: people}, {id: hint, text: ["что"], call: hint, then: resume}]
steps:
  - {id: size, ask: "Размер?", options: [{id: big, title: "Большой"}], into: size}
  - {id: note, ask: "Записка?", expect: text, into: note}
  - {id: count, ask: "Сколько?", expect: number, into: count}
  - {id: check, ask: "Верно? {count}", options: [{id: right, title: "Да", next: over}, {id: fix, title: "Поправить", edit: size}], edited: check}
  - {id: people, handoff: sales, open_say: "Зову", closed_say: "Закрыто", nobody_after: 1h, outcome: {returned: check, closed: over, nobody: over}}
  - {id: over, end: ok}
"""  # noqa: E501
HINT = """callable: true
defaults: {retry: {max: 3, then: over}, silence: {close: {after: 2h, next: over}}}
steps:
  - {id: sure, ask: "Понятно?", expect: text}
  - {id: over, end: ok}
"""


@pytest.fixture
def olga() -> Talk:
    """She has answered everything and is asked whether it is right."""
    talk = Talk(load("flow: shop\n" + TALKING, "flow: hint\n" + HINT))
    for text in ("/start", "Большой", "нет", "3"):
        talk.says(text)
    assert talk.at == "shop.check"
    return talk


def _publish(talk: Talk, text: str, moved: str = "{}") -> None:
    text = f"{text}publish: {{running: move, moved: {moved}}}\n"
    talk.flows.add(_flow(text, 2, {"hint": HINT}), live=True)


def test_an_edit_and_the_way_back_go_on_in_the_new_version_without_the_questions_that_are_gone(olga: Talk) -> None:
    olga.says("Поправить")
    note = '  - {id: note, ask: "Записка?", expect: text, into: note}\n'
    _publish(olga, TALKING.replace(note, ""))
    assert olga.says("Большой") == ["Верно? 3"]
    assert olga.dialog.top.version == 2
    assert [olga.says("назад") for _ in range(4)] == [["Размер?"], ["Верно? 3"], ["Сколько?"], ["Размер?"]]


def test_an_edit_of_a_question_that_is_gone_is_forgotten(olga: Talk) -> None:
    olga.says("Поправить")
    gone = TALKING.replace("id: check", "id: check2").replace("edited: check", "edited: check2")
    _publish(olga, gone.replace("returned: check", "returned: check2"), "{check: check2}")
    assert olga.says("Большой") == ["Записка?"]
    assert olga.dialog.top.version == 2


def test_only_the_frames_whose_flow_moves_are_moved(olga: Talk) -> None:
    olga.says("что")
    _publish(olga, TALKING.replace("Верно?", "Точно?"))
    assert olga.says("да") == ["Точно? 3"]
    assert [(frame.flow, frame.version) for frame in olga.dialog.frames] == [("shop", 2)]


def test_a_question_with_no_place_in_the_new_version_is_finished_on_its_own(olga: Talk) -> None:
    gone = TALKING.replace("id: check", "id: check2").replace("edited: check", "edited: check2")
    _publish(olga, gone.replace("returned: check", "returned: check2"))
    assert olga.says("нет") == ["Не понял ответ."]
    assert olga.dialog.top.version == 1
    assert len(olga.outcome.steps) == 1


def test_a_handoff_moved_to_a_question_takes_the_talk_back_from_the_managers(olga: Talk) -> None:
    olga.says("человек")
    people = TALKING[TALKING.index("  - {id: people") : TALKING.index("  - {id: over")]
    _publish(
        olga,
        TALKING.replace(people, "").replace(', {id: people, text: ["человек"], next: people}', ""),
        "{people: check}",
    )
    assert olga.says("ау") == ["Верно? 3"]
    assert CloseHandoff("returned") in olga.effects
    assert olga.dialog.status == "active"
    assert set(olga.due) == {"step"}


def test_a_question_moved_to_managers_leaves_no_silence_behind(olga: Talk) -> None:
    gone = TALKING.replace("id: check", "id: check2").replace("edited: check", "edited: check2")
    _publish(olga, gone.replace("returned: check", "returned: check2"), "{check: people}")
    olga.says("нет")
    assert (olga.at, olga.dialog.status) == ("shop.people", "handed_off")
    assert set(olga.due) == {"nobody", "idle"}


def test_what_lies_on_a_step_that_is_gone_goes_with_it(olga: Talk) -> None:
    olga.says("что")
    gone = TALKING.replace("id: check", "id: check2").replace("edited: check", "edited: check2")
    _publish(olga, gone.replace("returned: check", "returned: check2"), "{check: check2}")
    assert olga.says("да") == ["Верно? 3"]
    assert len(olga.dialog.frames) == 1
    assert set(olga.due) == {"step"}
    assert olga.of(CloseHandoff) == []  # managers did not have it


def test_a_button_of_the_old_version_is_an_old_button_in_the_new_one(olga: Talk) -> None:
    payload = olga.payload("right")
    _publish(olga, TALKING)
    assert olga.presses_payload(payload) == ["Эта кнопка от прошлого вопроса.", "Верно? 3"]
    assert olga.dialog.top.version == 2
