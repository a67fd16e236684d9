"""Which dialog gets what: FLOWS.md section 8."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dialogs.conversation import Conversation, handle
from dialogs.effects import CancelTimer, Link, SaveContact, SetTimer
from dialogs.events import BusinessEvent
from tests.dialogs.talk import NOON, Talk, load

LEAD = """
flow: lead
start:
  - {command: start}
  - {text: ["Заявка!"]}
  - {first_message: true, if: "event.text != 'молчи'"}
  - {event: site.form_sent, if: "event.form = 'main'", take: {name: "event.name", source: "event.page"}}
vars: {name: {type: person_name, scope: contact}, source: {type: text}, problem: {type: text}}
defaults: {retry: {max: 3, then: over}, silence: {close: {after: 1h, next: over}}}
interrupts: [{id: cancel, command: cancel, next: over}]
steps:
  - {id: name, ask: "Имя?", expect: person_name, into: name}
  - {id: problem, ask: "Что, {name}?", expect: text, into: problem}
  - id: watch
    wait:
      - {event: okdesk.status_changed, if: "event.status = 'done'", next: rate}
      - {event: okdesk.status_changed, next: told}
    close: {after: 9d, next: over}
  - {id: told, say: "Новость", next: watch}
  - {id: rate, ask: "Оценка?", expect: rating, next: watch}
  - {id: over, end: ok}
"""
HELP = """
flow: help
start: [{command: help}, {command: cancel}, {any_message: true}]
defaults: {retry: {max: 3, then: over}, silence: {close: {after: 1h, next: over}}}
steps:
  - {id: topic, ask: "Чем помочь?", expect: text}
  - {id: over, end: ok}
"""
FLOWS = load(LEAD, HELP)
FLOWS_WITHOUT_HELP = load(LEAD)


@pytest.fixture
def anna() -> Talk:
    return Talk(FLOWS)


@pytest.fixture
def watched(anna: Talk) -> Talk:
    """Dialog 1 waits for news."""
    anna.says("/start")
    anna.says("Анна")
    anna.says("течёт")
    assert anna.at == "lead.watch"
    return anna


# ------------------------------------------------------------------------------------------------------------ messages


def test_a_command_a_text_and_a_first_message_begin_a_flow(anna: Talk) -> None:
    assert anna.says("заявка") == ["Имя?"]
    assert Talk(FLOWS).says("/START@bot payload") == ["Имя?"]
    assert Talk(FLOWS).says("что угодно") == ["Имя?"]


def test_a_start_with_a_false_if_does_not_begin(anna: Talk) -> None:
    assert anna.says("молчи") == ["Чем помочь?"]


def test_after_an_end_the_next_message_finds_no_dialog(anna: Talk) -> None:
    anna.says("/start")
    anna.says("/cancel")
    assert anna.ended == {1: "ok"}
    assert anna.says("что угодно") == ["Чем помочь?"]  # not the first message any more


def test_what_nobody_wants_is_told_and_shown_to_managers() -> None:
    talk = Talk(FLOWS_WITHOUT_HELP)
    assert talk.says("молчи") == ["Спасибо, передал сообщение менеджеру."]
    assert talk.outcome.nobody
    assert talk.outcome.steps == ()


def test_a_message_goes_to_the_open_question(anna: Talk) -> None:
    anna.says("/start")
    anna.says("Анна")
    assert anna.says("заявка") == []
    assert anna.variables["problem"] == "заявка"


def test_a_start_command_goes_past_the_open_question_and_ends_its_dialog(anna: Talk) -> None:
    anna.says("/start")
    assert anna.says("/help") == ["Чем помочь?"]
    assert anna.ended == {1: "cancelled"}


def test_a_start_command_that_the_dialog_knows_itself_is_its_interrupt(anna: Talk) -> None:
    anna.says("/start")
    assert anna.says("/cancel") == []
    assert anna.ended == {1: "ok"}


def test_the_own_start_command_repeats_the_first_question_and_later_begins_anew(anna: Talk) -> None:
    anna.says("/start")
    assert anna.says("/start") == ["Имя?"]
    assert len(anna.dialogs) == 1
    anna.says("Анна")
    assert anna.says("/start") == ["Имя?"]
    assert anna.ended == {1: "cancelled"}
    assert anna.dialog.id == 2


def test_a_waiting_dialog_leaves_messages_to_the_flows(watched: Talk) -> None:
    assert watched.says("вопрос") == ["Чем помочь?"]
    assert [dialog.id for dialog in watched.dialogs.values()] == [1, 2]


def test_a_waiting_dialog_gets_its_interrupts(watched: Talk) -> None:
    assert watched.says("/cancel") == ["Чем помочь?"]  # 4. start rules come before 5. waiting dialogs
    flows = load(LEAD.replace("command: cancel", "text: [хватит]"), HELP)
    watched.flows = flows
    watched.says("ответ")
    assert watched.ended == {2: "ok"}
    watched.says("хватит")
    assert watched.ended == {2: "ok", 1: "ok"}


def test_the_flow_of_another_channel_does_not_begin() -> None:
    talk = Talk(FLOWS, channel="whatsapp")
    assert talk.says("/start") == ["Спасибо, передал сообщение менеджеру."]


# ------------------------------------------------------------------------------------------------------ business events


def test_an_event_begins_a_flow_with_what_it_takes(anna: Talk) -> None:
    assert anna.happens("site.form_sent", form="main", name="Ольга", page="/a") == ["Имя?"]
    assert anna.contact == {"name": "Ольга"}
    assert anna.variables == {"source": "/a"}
    assert anna.of(SaveContact) == [SaveContact({"name": "Ольга"})]


def test_what_an_event_does_not_tell_is_not_forgotten(anna: Talk) -> None:
    anna.contact = {"name": "Ольга"}
    anna.happens("site.form_sent", form="main")
    assert anna.contact == {"name": "Ольга"}


def test_an_event_that_nobody_wants_is_told_so(anna: Talk) -> None:
    assert anna.happens("site.form_sent", form="other") == []
    assert anna.outcome.nobody


def test_a_dialog_begun_by_an_event_is_linked_to_its_subjects() -> None:
    event = BusinessEvent("e", NOON, "site.form_sent", {"form": "main"})
    conversation = Conversation(contact_id=1, channel="telegram", channels=("telegram",))
    outcome = handle(FLOWS, conversation, event, new_id=lambda: 5, subjects=("issue:7", "phone:+79"))
    assert outcome.steps[0].effects[:2] == (Link("issue:7"), Link("phone:+79"))
    assert outcome.steps[0].dialog.id == 5


def test_without_a_way_to_write_no_flow_with_a_customer_begins() -> None:
    event = BusinessEvent("e", NOON, "site.form_sent", {"form": "main"})
    for conversation in (
        Conversation(contact_id=None, channel="", can_write=False),
        Conversation(contact_id=1, channel="", channels=("vk",)),  # the flow runs in telegram only
    ):
        assert handle(FLOWS, conversation, event, new_id=lambda: 5).nobody


def test_only_linked_dialogs_get_an_event(watched: Talk) -> None:
    watched.linked = set()
    assert watched.happens("okdesk.status_changed", status="new") == []
    assert watched.outcome.nobody


def test_an_event_waits_until_the_question_of_another_dialog_is_left(watched: Talk) -> None:
    watched.says("вопрос")
    assert watched.happens("okdesk.status_changed", status="new") == []
    assert watched.outcome.held_until == watched.now + timedelta(minutes=30)
    watched.says("ответ")
    assert watched.outcome.question_left
    assert watched.happens("okdesk.status_changed", status="new") == ["Новость"]


def test_after_half_an_hour_the_event_is_handled_and_the_other_question_stays(watched: Talk) -> None:
    watched.says("вопрос")
    assert watched.happens("okdesk.status_changed", status="new", now=watched.now + timedelta(minutes=30)) == [
        "Новость"
    ]
    assert not any(dialog.parked for dialog in watched.dialogs.values())


def test_a_question_that_an_event_leads_to_parks_the_older_one_which_is_asked_again(watched: Talk) -> None:
    watched.says("вопрос")
    assert watched.happens("okdesk.status_changed", status="done", now=watched.now + timedelta(hours=1)) == ["Оценка?"]
    assert {dialog.id: dialog.parked for dialog in watched.dialogs.values()} == {1: False, 2: True}
    assert CancelTimer("step") in watched.effects
    assert watched.says("5") == ["Чем помочь?"]
    assert {dialog.id: dialog.parked for dialog in watched.dialogs.values()} == {1: False, 2: False}
    assert [type(effect) for effect in watched.outcome.steps[-1].effects][-1] is SetTimer
    assert watched.says("ответ") == []
    assert watched.dialogs[2].status == "closed"


def test_a_parked_question_may_be_answered_by_its_button() -> None:
    flows = load(
        LEAD, HELP.replace("expect: text", 'options: [{id: thing, title: "Вещь"}, {id: no, title: "Нет", next: topic}]')
    )
    talk = Talk(flows)
    for text in ("/start", "Анна", "течёт", "вопрос"):
        talk.says(text)
    payload = talk.payload("no")
    talk.happens("okdesk.status_changed", status="done", now=talk.now + timedelta(hours=1))
    assert talk.presses_payload(payload) == ["Чем помочь?"]
    assert {dialog.id: dialog.parked for dialog in talk.dialogs.values()} == {1: True, 2: False}


def test_alerts_without_a_customer_all_begin_and_do_not_wait() -> None:
    alert = """
format: 1
flow: {name}
title: "{name}"
contact: none
start: [{{event: site.form_sent, take: {{form: "event.form"}}}}]
vars: {{form: {{type: text}}}}
steps:
  - {{id: tell, do: telegram.notify, with: {{text: "{{form}}"}}, once_per: "{{event.id}}",
      outcome: {{ok: over, rejected: over, slow: over}}, slow_after: 5s}}
  - {{id: over, end: ok}}
"""
    flows = load(LEAD, HELP, alert.format(name="alert"), alert.format(name="zeta"))
    talk = Talk(flows)
    talk.says("молчи")
    assert talk.happens("site.form_sent", form="main") == ["Имя?"]
    assert {dialog.top.flow for dialog in talk.dialogs.values()} == {"help", "lead", "alert", "zeta"}
    assert [dialog.top.flow for dialog in talk.dialogs.values() if dialog.parked] == ["help"]
    assert [action.key for action in talk.actions] == [
        "telegram.notify/alert/tell/e2",
        "telegram.notify/zeta/tell/e2",
    ]
    assert [step.dialog.contact_id for step in talk.outcome.steps[:3]] == [None, 7, None]
    talk.says("/cancel")
    assert talk.dialog.top.flow == "help"
    assert not talk.dialog.parked
