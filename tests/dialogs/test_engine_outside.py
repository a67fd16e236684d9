"""Actions, waits, business events and managers: FLOWS.md sections 3, 8, 9, 10."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dialogs.dialog import dialog_from_json, dialog_to_json
from dialogs.effects import (
    CancelTimer,
    CloseHandoff,
    EndDialog,
    ForwardToManager,
    Link,
    OpenHandoff,
    RunAction,
    SendMessage,
    SetTimer,
)
from dialogs.engine import EventNotAccepted, advance, fail, take_over
from dialogs.events import ManagerActed, MessageReceived
from tests.dialogs.talk import NOON, Talk, load

ISSUE = """
flow: issue
start: [{command: start}]
vars:
  problem: {type: text}
  issue_id: {type: number}
  phone: {type: phone, scope: contact}
  status: {type: text}
defaults: {retry: {max: 3, then: people}, silence: {close: {after: 1h, next: over}}}
interrupts:
  - {id: back, text: ["назад"], go: back}
  - {id: people, text: ["человек"], next: people}
  - {id: again, text: ["заново"], go: restart}
  - {id: paid, event: onec.payment_changed, if: "event.issue_id = issue_id", call: paid, with: {state: "event.state"}, then: resume}
steps:
  - {id: problem, ask: "Что случилось?", expect: text, into: problem}
  - id: create
    do: okdesk.create_issue
    with: {title: "{problem}", contact_phone: "{phone|or:+79990001122}", priority: "{status}"}
    once_per: "{dialog.id}"
    save: {issue_id: "result.id"}
    outcome: {ok: created, rejected: people, slow: later}
    slow_after: 10s
  - {id: created, say: "Номер {issue_id}", next: watch}
  - {id: later, say: "Позже", next: watch}
  - id: watch
    wait:
      - {event: effect.done, if: "event.step = 'create'", save: {issue_id: "event.result.id"}, next: created}
      - {event: okdesk.status_changed, if: "event.issue_id = issue_id", save: {status: "event.status"}, next: told}
      - {message: true, call: faq, then: resume}
    close: {after: 2d, next: over}
  - {id: told, say: "Статус {status}", next: watch}
  - id: people
    handoff: sales
    open_say: "Зову"
    closed_say: "Закрыто"
    outcome: {returned: problem, closed: over, nobody: nobody}
    nobody_after: 30m
  - {id: nobody, say: "Никого", next: over}
  - {id: over, end: ok}
"""  # noqa: E501
FAQ = """
flow: faq
callable: true
defaults: {retry: {max: 3, then: over}, silence: {close: {after: 5h, next: over}}}
steps:
  - {id: topic, ask: "О чём?", options: [{id: nothing, title: "Ни о чём"}, {id: fetch, title: "Узнать", next: fetch}], next: over}
  - id: fetch
    do: okdesk.find_issues
    with: {phone: "+79990001122", open: "false"}
    outcome: {ok: over, rejected: over, slow: over}
    slow_after: 15s
  - {id: over, end: ok}
"""  # noqa: E501
PAID = """
flow: paid
callable: true
takes: [state]
vars: {state: {type: text}}
steps:
  - {id: which, branch: [{if: "state = 'paid'", next: thanks}, {else: true, next: over}]}
  - {id: thanks, say: "Спасибо за оплату"}
  - {id: over, end: ok}
"""
FLOWS = load(ISSUE, FAQ, PAID)


@pytest.fixture
def anna() -> Talk:
    talk = Talk(FLOWS)
    talk.says("/start")
    return talk


@pytest.fixture
def watched(anna: Talk) -> Talk:
    """The issue 5 is created and the dialog waits for news."""
    anna.says("течёт")
    anna.finishes("create", id=5)
    assert anna.at == "issue.watch"
    return anna


# ------------------------------------------------------------------------------------------------------------ actions


def test_an_action_has_converted_parameters_a_key_and_a_timer(anna: Talk) -> None:
    anna.says("течёт")
    (action,) = anna.of(RunAction)
    assert action == RunAction(
        "okdesk.create_issue",
        "okdesk.create_issue/issue/create/d1",
        "create",
        {"title": "течёт", "contact_phone": "+79990001122"},
        writes=True,
    )
    assert anna.of(SetTimer) == [SetTimer("step", NOON + timedelta(seconds=10))]


def test_a_reading_action_gets_dialog_and_turn_as_its_key(watched: Talk) -> None:
    watched.says("вопрос")
    watched.presses("fetch")
    (action,) = watched.of(RunAction)
    assert action.key == f"okdesk.find_issues/faq/fetch/d1.{watched.dialog.turn}"
    assert action.params == {"phone": "+79990001122", "open": False, "limit": 5}


def test_the_result_is_saved_and_links_the_dialog(anna: Talk) -> None:
    anna.says("течёт")
    assert anna.finishes("create", id=5) == ["Номер 5"]
    assert anna.of(Link) == [Link("issue:5")]
    assert anna.dialog.wrote
    assert anna.dialog.top.answered == ()


def test_an_outcome_of_another_key_is_not_this_ones(anna: Talk) -> None:
    anna.says("течёт")
    anna.actions[-1] = RunAction("okdesk.create_issue", "okdesk.create_issue/issue/create/d99", "create", {})
    assert anna.finishes("create", code="invalid") == []
    assert anna.outcome.ignored == "no_case"


def test_a_slow_action_brings_its_result_as_an_event(anna: Talk) -> None:
    anna.says("течёт")
    assert anna.waits(seconds=10) == ["Позже"]
    assert anna.finishes("create", id=5) == ["Номер 5"]
    assert Link("issue:5") in anna.effects


def test_messages_during_an_action_are_held_and_then_tried_as_interrupts(anna: Talk) -> None:
    anna.says("течёт")
    assert anna.says("ну что там?") == []
    assert anna.says("человек") == []
    assert len(anna.dialog.held) == 2
    assert anna.finishes("create", id=5) == ["Номер 5", "О чём?", "Зову"]
    assert anna.dialog.held == ()


def test_the_21st_message_during_an_action_stays_in_the_history_only(anna: Talk) -> None:
    anna.says("течёт")
    for number in range(21):
        anna.says(f"ну {number}")
    assert anna.outcome.ignored == "too_many_held"
    assert len(anna.dialog.held) == 20


def test_a_press_during_an_action_is_told_to_wait(watched: Talk) -> None:
    watched.says("вопрос")
    payload = watched.payload("nothing")
    watched.presses("fetch")
    assert watched.presses_payload(payload) == ["Секунду, выполняю."]


# -------------------------------------------------------------------------------------------------------------- waits


def test_an_event_takes_the_first_case_that_is_true(watched: Talk) -> None:
    assert watched.happens("okdesk.status_changed", issue_id=6, status="x") == []
    assert watched.outcome.nobody
    assert watched.happens("okdesk.status_changed", issue_id=5, status="в работе") == ["Статус в работе"]


def test_a_wait_keeps_its_deadline_when_a_called_flow_ends(watched: Talk) -> None:
    deadline = watched.due["step"]
    watched.waits(hours=1)
    watched.says("вопрос")
    assert set(watched.due) == {"step1"}
    watched.presses("nothing")
    assert watched.at == "issue.watch"
    assert watched.due == {"step": deadline}


def test_entering_a_wait_by_next_sets_a_new_deadline(watched: Talk) -> None:
    watched.waits(hours=1)
    watched.happens("okdesk.status_changed", issue_id=5, status="в работе")
    assert watched.due["step"] == watched.now + timedelta(days=2)


def test_a_wait_ends(watched: Talk) -> None:
    watched.waits(days=2)
    assert watched.ended == {1: "ok"}


def test_an_event_for_a_wait_below_comes_when_the_frames_above_have_ended(watched: Talk) -> None:
    watched.says("вопрос")
    assert watched.happens("okdesk.status_changed", issue_id=5, status="в работе") == []
    assert watched.presses("nothing") == ["Статус в работе"]
    assert watched.at == "issue.watch"
    assert watched.dialog.held == ()
    assert "held" not in watched.due


def test_after_half_an_hour_the_frames_above_are_dropped_for_it(watched: Talk) -> None:
    watched.says("вопрос")
    watched.happens("okdesk.status_changed", issue_id=5, status="в работе")
    assert watched.waits(minutes=29) == []
    assert watched.waits(minutes=1) == ["Статус в работе"]
    assert len(watched.dialog.frames) == 1


def test_an_event_that_the_flow_waits_for_later_is_not_lost_while_an_action_runs(watched: Talk) -> None:
    watched.says("вопрос")
    watched.presses("fetch")
    assert watched.happens("okdesk.status_changed", issue_id=5, status="в работе") == []
    assert watched.finishes("fetch", items=[]) == ["Статус в работе"]


# --------------------------------------------------------------------------------------------------- event interrupts


def test_an_event_interrupt_repeats_the_question_only_if_it_said_something(anna: Talk) -> None:
    talk = Talk(FLOWS)
    talk.says("/start")
    timer = talk.due
    assert talk.happens("onec.payment_changed", state="unpaid") == []  # issue_id = null on both sides
    assert talk.due == timer
    assert talk.happens("onec.payment_changed", state="paid") == ["Спасибо за оплату", "Что случилось?"]


def test_an_event_interrupt_acts_during_an_action_and_in_a_handoff(anna: Talk) -> None:
    anna.says("течёт")
    assert anna.happens("onec.payment_changed", state="paid") == ["Спасибо за оплату"]
    assert anna.at == "issue.create"
    anna.finishes("create", code="invalid")
    assert anna.happens("onec.payment_changed", state="paid") == ["Спасибо за оплату"]
    assert anna.at == "issue.people"
    assert anna.dialog.status == "handed_off"
    assert {"nobody", "idle"} <= set(anna.due)


# ------------------------------------------------------------------------------------------------------------ handoff


def test_a_handoff_tells_whether_the_queue_is_open(anna: Talk) -> None:
    assert anna.says("человек") == ["Зову"]
    assert anna.of(OpenHandoff) == [OpenHandoff("sales", "managers", True)]
    assert anna.due["nobody"] == NOON + timedelta(minutes=30)


def test_outside_its_hours_the_time_of_nobody_does_not_run() -> None:
    talk = Talk(FLOWS)
    talk.now = datetime(2026, 3, 6, 16, 50, tzinfo=UTC)  # Friday, 19:50 in Moscow: open for ten minutes more
    talk.says("/start")
    assert talk.says("человек") == ["Зову"]
    assert talk.due["nobody"] == datetime(2026, 3, 9, 6, 20, tzinfo=UTC)  # Monday, 9:20
    late = Talk(FLOWS)
    late.now = datetime(2026, 3, 7, 9, 0, tzinfo=UTC)
    late.says("/start")
    assert late.says("человек") == ["Закрыто"]


def test_in_a_handoff_everything_goes_to_the_manager_and_back(anna: Talk) -> None:
    old_button = "1.1.0.x"
    anna.says("человек")
    assert anna.says("назад") == []
    assert anna.of(ForwardToManager) == [ForwardToManager("назад")]
    anna.presses_payload(old_button)
    assert anna.of(ForwardToManager) == [ForwardToManager("title")]
    anna.edits("m1", "иначе")
    assert anna.of(ForwardToManager) == [ForwardToManager("иначе", is_edit=True)]
    assert anna.manager("say", "Здравствуйте") == ["Здравствуйте"]
    assert CancelTimer("nobody") in anna.effects
    assert anna.manager("returned") == ["Что случилось?"]
    assert CloseHandoff("returned") in anna.effects
    assert anna.dialog.status == "active"


def test_a_handoff_without_a_word_for_three_days_is_closed(anna: Talk) -> None:
    anna.says("человек")
    anna.manager("say", "Здравствуйте")
    anna.waits(days=2)
    anna.says("я тут")
    anna.waits(days=2)
    assert not anna.ended
    anna.waits(days=1)
    assert anna.ended == {1: "ok"}


def test_managers_cannot_act_in_a_dialog_that_the_bot_has(anna: Talk) -> None:
    anna.manager("returned")
    assert anna.outcome.ignored == "not_handed_off"


# ------------------------------------------------------------------------------------------------ restart after a write


def test_restart_after_a_write_begins_another_dialog_and_the_waiting_one_stays(watched: Talk) -> None:
    assert watched.says("заново") == ["Что случилось?"]
    assert {dialog.id: (dialog.status, dialog.top.step) for dialog in watched.dialogs.values()} == {
        1: ("active", "watch"),
        2: ("active", "problem"),
    }
    watched.says("скрипит")
    assert watched.actions[-1].key == "okdesk.create_issue/issue/create/d2"


def test_restart_after_a_write_in_a_question_ends_the_dialog(watched: Talk) -> None:
    watched.says("вопрос")
    assert watched.says("заново") == ["Что случилось?"]
    assert watched.ended == {1: "cancelled"}
    assert watched.of(EndDialog) == [EndDialog("cancelled")]


# ------------------------------------------------------------------------------------------- failures and taking over


def test_a_failed_dialog_goes_to_managers_and_comes_back_to_its_question(anna: Talk) -> None:
    step = fail(anna.dialog, MessageReceived("x", NOON, "x"))
    assert step.effects == (
        SendMessage("Что-то пошло не так, зову менеджера."),
        OpenHandoff("managers", "managers", True, "failed"),
        CancelTimer("step"),
        SetTimer("idle", NOON + timedelta(days=3)),
    )
    forwarded = advance(FLOWS, step.dialog, MessageReceived("y", NOON, "ау"))
    assert ForwardToManager("ау") in forwarded.effects
    back = advance(FLOWS, forwarded.dialog, ManagerActed("z", NOON, "returned"))
    assert [effect.text for effect in back.effects if isinstance(effect, SendMessage)] == ["Что случилось?"]
    assert back.dialog.status == "active"


def test_a_failed_dialog_that_is_closed_ends_failed(anna: Talk) -> None:
    step = fail(anna.dialog, MessageReceived("x", NOON, "x"))
    closed = advance(FLOWS, step.dialog, ManagerActed("z", NOON, "closed"))
    assert EndDialog("failed") in closed.effects
    assert closed.dialog.status == "closed"


def test_an_outcome_that_comes_while_managers_have_the_dialog_is_kept_for_later(anna: Talk) -> None:
    anna.says("течёт")
    taken = take_over(anna.dialog, anna.now)
    anna.dialogs[1] = taken.dialog
    assert anna.finishes("create", id=5) == []
    stored = dialog_from_json(dialog_to_json(anna.dialog), contact={})
    assert stored == anna.dialog
    assert anna.manager("returned") == ["Номер 5"]


def test_only_a_dialog_that_the_bot_has_can_be_taken(anna: Talk) -> None:
    anna.says("человек")
    with pytest.raises(EventNotAccepted):
        take_over(anna.dialog, NOON)


def test_a_dialog_that_is_over_takes_nothing(anna: Talk) -> None:
    anna.waits(hours=1)
    with pytest.raises(EventNotAccepted, match="closed"):
        advance(FLOWS, anna.dialog, MessageReceived("x", NOON, "x"))


CALLED_TO_PEOPLE = """
flow: paid
callable: true
takes: [state]
vars: {state: {type: text}}
steps:
  - id: call_people
    handoff: sales
    open_say: "Оплата: {state}, зову"
    closed_say: "Закрыто"
    outcome: {returned: over, closed: over, nobody: over}
    nobody_after: 10m
  - {id: over, end: ok}
"""


def test_a_handoff_below_another_one_is_opened_again_when_the_upper_one_has_ended() -> None:
    """Otherwise the dialog would stand in it with no timer and nobody there, for ever."""
    talk = Talk(load(ISSUE, FAQ, CALLED_TO_PEOPLE))
    talk.says("/start")
    talk.says("человек")
    assert talk.happens("onec.payment_changed", state="paid") == ["Оплата: paid, зову"]
    assert talk.at == "paid.call_people"
    assert talk.manager("returned") == ["Зову"]
    assert (talk.at, talk.dialog.status) == ("issue.people", "handed_off")
    assert {"nobody", "idle"} <= set(talk.due)
    assert talk.manager("returned") == ["Что случилось?"]
    assert talk.dialog.status == "active"
