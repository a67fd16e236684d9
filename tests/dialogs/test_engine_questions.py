"""Asking and answering: FLOWS.md sections 3 and 7."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dialogs.effects import CancelTimer, SendMessage, SetTimer
from dialogs.engine import EventNotAccepted, advance
from dialogs.events import Card, Location, TimerFired
from tests.dialogs.talk import NOON, Talk, load

ORDER = """
flow: order
start: [{command: start}]
vars:
  size: {type: choice}
  count: {type: number, min: 1, max: 9}
  note: {type: text, max: 20}
  place: {type: address}
  photo: {type: file_list, max: 2}
  phone: {type: phone, scope: contact}
defaults:
  retry: {max: 3, then: gave_up}
  silence: {remind: [{after: 10m, say: "Ау"}], close: {after: 1h, next: quiet}}
  quiet_hours: {from: "21:00", to: "09:00"}
interrupts:
  - {id: back, text: ["назад"], command: back, go: back}
  - {id: stop, text: ["Стоп!"], phrase: ["хватит уже"], next: sure}
  - {id: help, phrase: ["что это"], call: hint, then: resume}
  - {id: again, text: ["заново"], go: restart}
steps:
  - {id: hello, say: "Привет"}
  - id: size
    ask: "Размер?"
    into: size
    options:
      - {id: small, title: "Малый ёж"}
      - {id: large, title: "Большой", next: count}
  - {id: note, ask: "Записка?", expect: [text, photo], into: {text: note, photo: photo}, valid: "note != 'нет'"}
  - {id: count, ask: "Сколько?", expect: number, into: count, invalid: "Число от 1 до 9"}
  - {id: place, ask: "Куда?", expect: [address, location, shared_contact], into: {address: place, location: place, shared_contact: phone}}
  - id: check
    ask: "Верно? {size|title} {count}"
    options:
      - {id: right, title: "Да", next: done}
      - {id: fix_size, title: "Размер", edit: size}
      - {id: fix_count, title: "Число", edit: count}
      - {id: back, title: "Вернуться", go: back}
    edited: check
  - {id: done, end: ok}
  - {id: sure, ask: "Точно?", options: [{id: stop_it, title: "Да", next: dropped}, {id: go_on, title: "Нет", go: back}]}
  - {id: dropped, end: cancelled}
  - {id: gave_up, end: failed}
  - {id: quiet, end: silent}
"""  # noqa: E501
HINT = """
flow: hint
callable: true
steps:
  - {id: hint, say: "Это заказ"}
  - {id: end, end: ok}
"""
FLOWS = load(ORDER, HINT)


@pytest.fixture
def anna() -> Talk:
    talk = Talk(FLOWS)
    assert talk.says("/start") == ["Привет", "Размер?"]
    return talk


@pytest.mark.parametrize("typed", ["малый еж", "МАЛЫЙ ЁЖ!", "1", "1."])
def test_an_option_may_be_typed_by_title_or_number(anna: Talk, typed: str) -> None:
    assert anna.says(typed) == ["Записка?"]
    assert anna.variables == {"size": "small"}


def test_an_option_with_next_goes_there(anna: Talk) -> None:
    assert anna.presses("large") == ["Сколько?"]


def test_the_number_of_an_option_does_not_count_where_a_number_is_expected() -> None:
    flows = load("""
flow: mixed
start: [{command: start}]
vars: {count: {type: number}}
defaults: {retry: {max: 3, then: over}, silence: {close: {after: 1h, next: over}}}
steps:
  - {id: how, ask: "?", expect: number, into: count, options: [{id: none, title: "Ни одного"}]}
  - {id: over, end: ok}
""")
    talk = Talk(flows)
    talk.says("/start")
    talk.says("1")
    assert talk.variables == {"count": 1}


def test_a_wrong_answer_is_told_with_the_options_and_counted(anna: Talk) -> None:
    assert anna.says("средний") == ["Не понял ответ."]
    (message,) = anna.of(SendMessage)
    assert [option.id for option in message.options] == ["small", "large"]
    anna.says("никакой")
    anna.says("любой")
    assert anna.ended == {1: "failed"}


def test_wrong_answers_are_counted_for_one_stay_only(anna: Talk) -> None:
    anna.says("средний")
    anna.says("никакой")
    anna.says("малый еж")
    anna.says("назад")
    assert anna.says("средний") == ["Не понял ответ."]
    assert anna.says("никакой") == ["Не понял ответ."]


def test_valid_sees_the_new_value_and_a_refused_one_is_not_kept(anna: Talk) -> None:
    anna.presses("small")
    assert anna.says("нет") == ["Не понял ответ."]
    assert "note" not in anna.variables
    assert anna.says("да") == ["Сколько?"]


def test_a_text_longer_than_max_is_wrong(anna: Talk) -> None:
    anna.presses("small")
    assert anna.says("а" * 21) == ["Не понял ответ."]


def test_a_photo_with_a_caption_fills_both(anna: Talk) -> None:
    anna.presses("small")
    assert anna.sends("photo", "с бантом") == ["Сколько?"]
    assert anna.variables["note"] == "с бантом"
    assert [file["kind"] for file in anna.variables["photo"]] == ["photo"]


def test_a_picture_sent_as_a_file_is_a_photo(anna: Talk) -> None:
    anna.presses("small")
    assert anna.sends("file", mime="image/png") == ["Сколько?"]


def test_voice_that_is_not_expected_is_wrong_and_a_sticker_is_not_counted(anna: Talk) -> None:
    assert anna.sends("voice") == ["Не понял ответ."]
    assert anna.dialog.top.wrong == 1
    assert anna.sends("sticker") == ["Такое сообщение я не смогу прочитать, напишите текстом."]
    assert anna.dialog.top.wrong == 1


def test_a_location_and_a_card_are_answers(anna: Talk) -> None:
    anna.presses("large")
    anna.says("3")
    anna.says("", location=Location(55.79, 49.1346))
    assert anna.variables["place"] == "55.790000, 49.134600"
    anna.presses("back")
    anna.says("", card=Card(("8 912 345-67-89", "1")))
    assert anna.contact == {"phone": "+79123456789"}


# -------------------------------------------------------------------------------------------------------- interrupts


def test_an_option_comes_before_an_interrupt_and_an_interrupt_before_an_answer(anna: Talk) -> None:
    anna.presses("small")
    assert anna.says("стоп") == ["Точно?"]
    assert anna.says("нет") == ["Записка?"]


def test_a_phrase_counts_in_short_messages_only(anna: Talk) -> None:
    anna.presses("small")
    assert anna.says("ну хватит уже, а?") == ["Точно?"]
    anna.says("нет")
    assert anna.says("слово " * 11 + "хватит уже") == ["Не понял ответ."]


def test_a_phrase_is_found_as_whole_words(anna: Talk) -> None:
    anna.presses("small")
    assert anna.says("нехватит уже") == ["Сколько?"]


def test_a_called_flow_gives_the_question_back(anna: Talk) -> None:
    assert anna.says("а что это?") == ["Это заказ", "Размер?"]
    assert anna.at == "order.size"


def test_a_command_may_carry_the_name_of_the_bot(anna: Talk) -> None:
    anna.presses("small")
    assert anna.says("/back@our_bot") == ["Размер?"]


# -------------------------------------------------------------------------------------------------- back and edit


def test_back_asks_the_last_answered_question_and_keeps_its_answer(anna: Talk) -> None:
    anna.presses("small")
    anna.says("ок")
    assert anna.says("назад") == ["Записка?"]
    assert anna.variables["note"] == "ок"
    assert anna.says("назад") == ["Размер?"]
    assert anna.says("назад") == ["Это первый вопрос.", "Размер?"]


def test_an_edit_comes_back_after_any_answer(anna: Talk) -> None:
    anna.presses("large")
    anna.says("3")
    assert anna.says("Баумана 10") == ["Верно? Большой 3"]
    assert anna.presses("fix_size") == ["Размер?"]
    assert anna.presses("large") == ["Верно? Большой 3"]  # its own `next` does not count during an edit
    anna.presses("fix_count")
    assert anna.says("5") == ["Верно? Большой 5"]
    assert anna.says("назад") == ["Сколько?"]


def test_back_during_an_edit_forgets_the_edit(anna: Talk) -> None:
    anna.presses("large")
    anna.says("3")
    anna.says("Баумана 10")
    anna.presses("fix_size")
    assert anna.says("назад") == ["Верно? Большой 3"]
    assert anna.dialog.top.edit is None
    anna.presses("back")
    assert anna.at == "order.place"


def test_restart_empties_the_variables_of_the_dialog(anna: Talk) -> None:
    anna.presses("large")
    assert anna.says("заново") == ["Привет", "Размер?"]
    assert anna.variables == {}
    assert anna.says("назад")[0] == "Это первый вопрос."


# ------------------------------------------------------------------------------------------------------------ silence


def test_silence_reminds_and_closes(anna: Talk) -> None:
    assert anna.waits(minutes=10) == ["Ау"]
    assert anna.waits(minutes=49) == []
    anna.waits(minutes=1)
    assert anna.ended == {1: "silent"}


def test_a_wrong_answer_begins_silence_anew(anna: Talk) -> None:
    anna.waits(minutes=59)
    anna.says("эээ")
    assert anna.waits(minutes=10) == ["Ау"]
    assert anna.waits(minutes=49) == []
    assert not anna.ended


def test_a_question_asked_again_begins_silence_anew(anna: Talk) -> None:
    anna.waits(minutes=30)
    anna.says("что это")
    assert anna.waits(minutes=10) == ["Ау"]


def test_a_reminder_in_quiet_hours_waits_for_their_end_and_one_after_the_close_is_dropped() -> None:
    talk = Talk(FLOWS)
    talk.now = NOON + timedelta(hours=8, minutes=55)  # 20:55; the reminder would come at 9:00, long after the close
    talk.says("/start")
    assert talk.waits(hours=2) == []
    assert talk.ended == {1: "silent"}


def test_one_timer_serves_a_question(anna: Talk) -> None:
    assert set(anna.due) == {"step"}
    anna.presses("small")
    assert [type(effect) for effect in anna.effects if isinstance(effect, SetTimer | CancelTimer)] == [SetTimer]


def test_a_timer_of_an_earlier_turn_is_ignored(anna: Talk) -> None:
    old = TimerFired("t", anna.now, "step", anna.dialog.turn)
    anna.presses("small")
    with pytest.raises(EventNotAccepted, match="old_timer"):
        advance(FLOWS, anna.dialog, old)


# ------------------------------------------------------------------------------------------------------------ buttons


def test_a_double_tap_is_ignored_and_a_later_one_is_an_old_button(anna: Talk) -> None:
    payload = anna.payload("small")
    anna.presses_payload(payload)
    assert anna.presses_payload(payload) == []
    assert anna.outcome.ignored == "double_tap"
    anna.now += timedelta(seconds=11)
    assert anna.presses_payload(payload) == ["Эта кнопка от прошлого вопроса.", "Записка?"]
    assert anna.dialog.top.wrong == 0


def test_another_option_of_the_last_question_is_an_old_button(anna: Talk) -> None:
    other = anna.payload("large")
    anna.presses("small")
    assert anna.presses_payload(other)[0] == "Эта кнопка от прошлого вопроса."


@pytest.mark.parametrize("payload", ["", "1.1.1", "9.1.1.small", "x", "1.1.1.small.more", "…" * 100, "1.1.1.SMALL"])
def test_a_foreign_press_is_ignored(anna: Talk, payload: str) -> None:
    assert anna.presses_payload(payload) == []
    assert anna.outcome.ignored == "foreign_button"


def test_a_press_in_a_dialog_that_is_over_is_told(anna: Talk) -> None:
    payload = anna.payload("small")
    anna.waits(hours=1)
    assert anna.presses_payload(payload) == ["Этот разговор уже закончен. Напишите, если нужна помощь."]


def test_payloads_fit_64_bytes() -> None:
    talk = Talk(FLOWS)
    talk.says("/start")
    assert talk.of(SendMessage)[-1].options[0].payload == "1.1.1.small"


# --------------------------------------------------------------------------------------------------- edited messages


def test_an_edit_of_the_last_refused_message_is_a_new_answer(anna: Talk) -> None:
    anna.says("мелкий")
    refused = anna.dialog.top.refused
    assert refused is not None
    assert anna.edits(refused, "малый еж") == ["Записка?"]


def test_other_edits_change_nothing(anna: Talk) -> None:
    anna.says("мелкий")
    assert anna.edits("other", "малый еж") == []
    assert anna.outcome.ignored == "edit_recorded"
    anna.presses("small")
    assert anna.edits("m3", "малый еж") == []


# ------------------------------------------------------------------------------------------- listed options, ratings

LISTED = """
flow: listed
takes: [found]
callable: true
vars: {found: {type: list}, chosen: {type: number}, stars: {type: rating, of: 3}}
defaults: {retry: {max: 3, then: over}, silence: {close: {after: 1h, next: over}}}
steps:
  - id: pick
    ask: "Какая?"
    options_from: {list: found, id: "item.id", title: "№ {item.number}", about: "{item.title}", limit: 2}
    into: chosen
  - {id: rate, ask: "Оценка?", expect: rating, into: stars}
  - {id: over, end: ok}
"""
FOUND = [
    {"id": 15, "number": "15", "title": "Экран"},
    {"id": None, "number": "16"},
    {"id": "17", "number": "17"},
    {"id": 18, "number": "18"},
]


@pytest.mark.parametrize("typed", ["№ 17", "17", "2"])
def test_listed_options_are_typed_by_title_or_number(typed: str) -> None:
    talk = Talk(load(LISTED))
    talk.starts("listed", found=FOUND)
    (message,) = talk.of(SendMessage)
    assert [(option.id, option.title, option.payload) for option in message.options] == [
        ("15", "№ 15", "1.1.0.#1"),
        ("17", "№ 17", "1.1.0.#2"),
    ]
    talk.says(typed)
    assert talk.variables["chosen"] == 17


def test_a_listed_option_is_pressed_by_its_number_and_a_rating_by_its_stars() -> None:
    talk = Talk(load(LISTED))
    talk.starts("listed", found=FOUND)
    talk.presses_payload("1.1.0.#1")
    assert talk.variables["chosen"] == 15
    assert [option.id for option in talk.of(SendMessage)[0].options] == ["1", "2", "3"]
    assert talk.presses_payload("1.1.1.4")[0] == "Эта кнопка от прошлого вопроса."
    talk.presses_payload("1.1.1.3")
    assert talk.variables["stars"] == 3


# ---------------------------------------------------------------------------------------------------------- languages


def test_the_language_of_the_contact_chooses_and_a_missing_text_falls_back() -> None:
    from dialogs.flows_set import load_folder
    from tests.dialogs.catalogue import CATALOGUE
    from tests.dialogs.talk import HEAD

    english = 'translates: order\nlang: en\ntexts: {size.ask: "Size?", size.small.title: "Small"}\n'
    texts = {"order.yaml": ORDER, "hint.yaml": HINT}
    files = {
        name: (HEAD.format(name=name.split(".")[0]) + text.strip().partition("\n")[2]).encode()
        for name, text in texts.items()
    }
    loaded = load_folder({**files, "order.en.yaml": english.encode()}, CATALOGUE, timezone="Europe/Moscow")
    assert not loaded.has_errors
    talk = Talk(loaded.flows, contact={"language": "en"})
    assert talk.says("/start") == ["Привет", "Size?"]
    assert [option.title for option in talk.of(SendMessage)[-1].options] == ["Small", "Большой"]
    assert talk.says("huge") == ["I did not understand."]
    assert talk.says("small") == ["Записка?"]


# ---------------------------------------------------------------------------------------------------------- templates


def test_a_wrong_answer_to_a_question_seen_as_a_template_gets_the_question_itself_once() -> None:
    flows = load("""
format: 1
flow: seen
title: "seen"
channels: [whatsapp]
start: [{event: site.form_sent, take: {form: "event.form"}}]
vars: {form: {type: text}}
defaults: {retry: {max: 3, then: over}, silence: {close: {after: 1h, next: over}}}
steps:
  - {id: really, ask: "Точно?", options: [{id: sure, title: "Да"}], invalid: "Да или нет", template: {whatsapp: t, params: ["{form}"]}}
  - {id: over, end: ok}
""")  # noqa: E501
    talk = Talk(flows, channel="whatsapp")
    talk.happens("site.form_sent", form="main")
    (message,) = talk.of(SendMessage)
    assert message.template is not None
    assert (message.template.name, message.template.lang, message.template.params) == ("t", "ru", ("main",))
    assert talk.says("что?") == ["Точно?"]
    assert talk.says("что?") == ["Да или нет"]
