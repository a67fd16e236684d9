"""What a customer or a manager would notice in the small: texts, files, presses, timers, who gets what."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dialogs.conversation import Conversation, Outcome, handle
from dialogs.effects import (
    CancelTimer,
    CloseHandoff,
    CountGoal,
    ForwardToManager,
    Option,
    RunAction,
    SendMessage,
    StartDialog,
    Template,
)
from dialogs.engine import take_over
from dialogs.events import BusinessEvent, Card, EffectFinished, File, Location, MessageReceived
from dialogs.flows_set import Flows, load_folder
from tests.dialogs.catalogue import CATALOGUE
from tests.dialogs.talk import NOON, PROJECT, Talk, load

DEFAULTS = "defaults: {retry: {max: 5, then: over}, silence: {close: {after: 1h, next: over}}}\n"


def flow(name: str, steps: str, *, head: str = "", more: str = "", channels: str = "telegram") -> str:
    """A flow that begins with /start (or as `head` says) and has the step `over` as its last one."""
    return (
        f'format: 1\nflow: {name}\ntitle: "{name}"\nchannels: [{channels}]\n'
        f"{head or 'start: [{command: start}]'}\n{more}\n{DEFAULTS}steps:\n{steps}\n  - {{id: over, end: ok}}\n"
    )


def begun(*texts: str, channel: str = "telegram", command: str = "/start", **contact: Any) -> Talk:
    talk = Talk(load(*texts), channel=channel, contact=contact)
    talk.says(command)
    return talk


def sent(talk: Talk) -> SendMessage:
    """The only message of the last event."""
    (message,) = talk.of(SendMessage)
    assert isinstance(message, SendMessage)
    return message


# -------------------------------------------------------------------------------------------- questions as they go out

SHOP = flow(
    "shop",
    """\
  - id: colour
    ask: "Цвет?"
    media: "https://example.com/colours.png"
    button: "Список на {begun|date}"
    into: colour
    options: [{id: red, title: "Красный", about: "Как мак"}, {id: blue, title: "Синий"}]
  - id: phone
    ask: "Телефон? {colour|title} {begun|date}"
    invalid: "Не номер, {colour|title} {begun|date}"
    expect: [phone, shared_contact]
    into: phone
    quick: [share_contact]
    silence:
      remind:
        - {after: 10m, say: "Жду: {colour|title} {begun|date}", template: {whatsapp: wait_for_you, params: ["{colour}"]}}
        - {after: 20m, say: "Ещё жду"}
        - {after: 30m, say: "Последний раз"}
      close: {after: 1h, next: over}
  - id: list
    ask: "Что?"
    options_from: {list: found, id: "item.id", title: "{item.at|date} {colour|title}", about: "{item.at|date} {colour|title} {item.note}"}
    into: chosen
  - id: bye
    say: "Готово: {colour|title} {begun|date}"
    media: "https://example.com/bye.png"
    template: {whatsapp: bye, params: ["{colour|title}"]}
    goal: bought""",  # noqa: E501
    head="start: [{command: start, take: {begun: 'today()'}}]",
    more="""vars:
  colour: {type: choice}
  phone: {type: phone}
  begun: {type: text}
  found: {type: list}
  chosen: {type: text}
""",
    channels="telegram, whatsapp",
)
ENGLISH = """
translates: shop
lang: en
texts:
  colour.ask: "Colour?"
  colour.button: "List of {begun|date}"
  colour.red.title: "Red"
  colour.red.about: "As a poppy"
  colour.blue.title: "Blue"
  phone.ask: "Phone? {colour|title} {begun|date}"
  phone.invalid: "No number, {colour|title} {begun|date}"
  phone.remind.1: "Waiting: {colour|title} {begun|date}"
  phone.remind.2: "Still waiting"
  phone.remind.3: "For the last time"
  list.ask: "Which?"
  bye.say: "Done: {colour|title} {begun|date}"
"""


def _shop() -> Flows:
    loaded = load_folder(
        {"project.yaml": PROJECT.encode(), "shop.yaml": SHOP.encode(), "shop.en.yaml": ENGLISH.encode()},
        CATALOGUE,
        timezone="Europe/Moscow",
    )
    assert [found.en for found in loaded.findings if found.severity == "error"] == []
    return loaded.flows


@pytest.mark.parametrize("channel", ["telegram", "whatsapp"])
def test_every_text_of_a_talk_is_in_the_language_of_the_contact(channel: str) -> None:
    talk = Talk(_shop(), channel=channel, contact={"language": "en"})
    talk.says("/start")
    options = (Option("red", "Red", "1.1.0.red", "As a poppy"), Option("blue", "Blue", "1.1.0.blue"))
    assert sent(talk) == SendMessage(
        "Colour?",
        options=options,
        button="List of March 2, 2026",
        media="https://example.com/colours.png",
        is_question=True,
        step="shop.colour",
    )
    talk.says("green")
    assert sent(talk) == SendMessage(
        "I did not understand.", options=options, button="List of March 2, 2026", step="shop.colour"
    )
    talk.says("red")
    assert sent(talk) == SendMessage(
        "Phone? Red March 2, 2026", quick=("share_contact",), is_question=True, step="shop.phone"
    )
    talk.says("none")
    assert sent(talk) == SendMessage("No number, Red March 2, 2026", quick=("share_contact",), step="shop.phone")
    assert talk.waits(minutes=10) == ["Waiting: Red March 2, 2026"]
    assert sent(talk).template == Template("wait_for_you", "ru", ("red",))
    talk.dialogs[1] = _with(talk, found=[{"id": 1, "at": "2026-03-15", "note": "new"}])
    assert talk.says("8 912 345-67-89") == ["Which?"]
    assert sent(talk).options == (Option("1", "March 15, 2026 Red", "1.1.2.#1", "March 15, 2026 Red new"),)
    assert sent(talk).button == "Choose"
    assert talk.says("1") == ["Done: Red March 2, 2026"]
    assert sent(talk).media == "https://example.com/bye.png"
    assert sent(talk).template == Template("bye", "ru", ("Красный",))
    assert talk.of(CountGoal) == [CountGoal("bought", "shop.bye")]


def _with(talk: Talk, **variables: Any) -> Any:
    """The dialog as if its flow had come to know these variables."""
    top = talk.dialog.top
    return replace(
        talk.dialog, frames=(*talk.dialog.frames[:-1], replace(top, variables={**top.variables, **variables}))
    )


def test_all_reminders_come_in_their_order() -> None:
    talk = begun(SHOP)
    talk.says("красный")
    said = [talk.waits(minutes=10) for _ in range(3)]
    assert said == [["Жду: Красный 2 марта 2026"], ["Ещё жду"], ["Последний раз"]]
    assert talk.waits(minutes=30) == []
    assert talk.ended == {1: "ok"}


def test_reminders_wait_for_the_end_of_the_quiet_hours_and_one_at_the_close_is_dropped() -> None:
    steps = """\
  - id: really
    ask: "?"
    expect: text
    silence: {remind: [{after: 10m, say: "Ау"}, {after: 12h, say: "Ау-ау"}, {after: 23h, say: "Поздно"}], close: {after: %s, next: over}}"""  # noqa: E501
    quiet = "  quiet_hours: {from: '21:00', to: '09:00'}\n"
    text = flow("quiet", steps).replace(
        DEFAULTS, "defaults:\n  retry: {max: 3, then: over}\n  silence: {close: {after: 1h, next: over}}\n" + quiet
    )
    talk = Talk(load(text % "1d"))
    talk.now = datetime(2026, 3, 2, 17, 55, tzinfo=UTC)  # 20:55 in Moscow
    talk.says("/start")
    assert talk.waits(hours=12) == []
    assert talk.waits(minutes=5) == ["Ау", "Ау-ау"]  # 9:00
    assert talk.waits(hours=11) == ["Поздно"]
    talk = Talk(load(text.replace(', {after: 23h, say: "Поздно"}', "") % "725m"))
    talk.now = datetime(2026, 3, 2, 17, 55, tzinfo=UTC)
    talk.says("/start")
    assert talk.waits(minutes=725) == []  # 9:00
    assert talk.ended == {1: "ok"}


LONG = flow(
    "long",
    """\
  - {id: note, ask: "Записка?", expect: text, into: note}
  - {id: said, say: "{note} {note}"}
  - {id: plain, ask: "{note} {note}", expect: number, invalid: "Нет: {note} {note}",
     silence: {remind: [{after: 10m, say: "Ау {note} {note}"}], close: {after: 1h, next: over}}}
  - {id: sure, ask: "{note} {note}", options: [{id: sure, title: "Да"}]}""",
    more="vars: {note: {type: text, max: 4000}}",
    channels="telegram, whatsapp",
)


@pytest.mark.parametrize(("channel", "with_options"), [("telegram", 4096), ("whatsapp", 1024)])
def test_a_long_value_is_shortened_to_what_a_message_may_hold(channel: str, with_options: int) -> None:
    talk = begun(LONG, channel=channel)
    said = [*talk.says("а" * 4000), *talk.says("нет"), *talk.waits(minutes=10)]
    assert [len(text) for text in said] == [4096, 4096, 4096, 4096]
    assert [len(text) for text in talk.says("5")] == [with_options]


# -------------------------------------------------------------------------------------------------- listed and ratings

LISTED = flow(
    "listed",
    """\
  - {id: pick, ask: "Какая?", options_from: {list: found, id: "item.id", title: "{item.title}", about: "{item.about}"}, into: chosen}
  - {id: rate, ask: "Оценка?", expect: rating, into: stars}
  - {id: why, ask: "Почему?", expect: text}""",  # noqa: E501
    head="callable: true\ntakes: [found]",
    more="vars: {found: {type: list}, chosen: {type: %s}, stars: {type: rating}}",
)


def _picks(found: object, type_: str = "number") -> Talk:
    talk = Talk(load(LISTED.replace("%s", type_)))
    talk.starts("listed", found=found)
    return talk


def test_listed_options_without_an_id_are_left_out_and_without_a_title_show_their_id() -> None:
    talk = _picks([{"id": 5, "about": "Экран"}, {"id": ""}, {"id": True}, {"id": "6", "title": "Кнопка"}])
    assert sent(talk).options == (Option("5", "5", "1.1.0.#1", "Экран"), Option("6", "Кнопка", "1.1.0.#2"))
    assert sent(talk).button == "Выбрать"
    nothing = _picks(None)
    assert sent(nothing) == SendMessage("Какая?", is_question=True, step="listed.pick")


@pytest.mark.parametrize(
    ("type_", "id_", "stored"),
    [
        ("number", "17", 17),
        ("number", "-7", -7),
        ("number", "-", None),
        ("number", "x7", None),
        ("number", "1" * 16, int("1" * 16)),
        ("number", "1" * 17, None),
        ("number", "٣", None),
        ("text", 17, "17"),
        ("text", "a", "a"),
    ],
)
def test_the_id_of_a_listed_option_is_stored_as_its_variable_wants_it(type_: str, id_: object, stored: object) -> None:
    talk = _picks([{"id": id_}], type_)
    talk.presses_payload("1.1.0.#1")
    assert talk.variables.get("chosen") == stored


@pytest.mark.parametrize(("typed", "chosen"), [("10", 10), ("010", None), ("11", None), ("0", None)])
def test_only_numbers_that_are_shown_choose_from_a_list(typed: str, chosen: int | None) -> None:
    talk = _picks([{"id": number, "title": f"№ {'абвгдежзик'[number - 1]}"} for number in range(1, 11)])
    assert talk.says(typed) == ["Не понял ответ." if chosen is None else "Оценка?"]
    assert talk.variables.get("chosen") == chosen


def test_presses_of_listed_options_and_ratings_count_once_and_only_those_that_are_shown() -> None:
    talk = _picks([{"id": 15}, {"id": 16}])
    for foreign in ("1.1.0.#3", "1.1.0.1"):
        assert talk.presses_payload(foreign) == ["Эта кнопка от прошлого вопроса.", "Какая?"]
    assert talk.presses_payload("1.1.0.#2") == ["Оценка?"]
    assert sent(talk).options == tuple(Option(star, star, f"1.1.1.{star}") for star in "12345")
    assert talk.presses_payload("1.1.0.#2") == []
    assert talk.outcome.ignored == "double_tap"
    assert talk.presses_payload("1.1.1.6") == ["Эта кнопка от прошлого вопроса.", "Оценка?"]
    assert talk.presses_payload("1.1.1.5") == ["Почему?"]
    talk.now += timedelta(seconds=10)
    assert talk.presses_payload("1.1.1.5") == []
    assert talk.outcome.ignored == "double_tap"
    assert talk.presses_payload("1.1.2.5") == ["Эта кнопка от прошлого вопроса.", "Почему?"]  # it has no buttons
    assert talk.variables | {"found": None} == {"found": None, "chosen": 16, "stars": 5}


def test_a_button_of_the_question_before_does_not_answer_the_present_one_with_the_same_options() -> None:
    options = 'options: [{id: sure, title: "Да"}, {id: not_sure, title: "Нет"}]'
    talk = begun(flow("twice", f'  - {{id: one, ask: "Раз?", {options}}}\n  - {{id: two, ask: "Два?", {options}}}'))
    other = talk.payload("not_sure")
    talk.presses("sure")
    assert talk.presses_payload(other) == ["Эта кнопка от прошлого вопроса.", "Два?"]


# -------------------------------------------------------------------------------------------------------------- answers

ANSWERS = flow(
    "answers",
    """\
  - id: kind
    ask: "Что это?"
    options:
      - {id: a_photo, title: "Фото", next: photo}
      - {id: a_file, title: "Файл", next: file}
      - {id: a_text, title: "Текст", next: text}
      - {id: a_phone, title: "Телефон", next: phone}
      - {id: a_count, title: "Число", next: count}
      - {id: a_rating, title: "Оценка", next: rating}
      - {id: a_day, title: "День", next: day}
  - {id: photo, ask: "Фото?", expect: photo, into: files, next: over}
  - {id: file, ask: "Файл?", expect: file, into: files, next: over}
  - {id: text, ask: "Текст?", expect: text, into: text, next: over}
  - {id: phone, ask: "Телефон?", expect: shared_contact, into: phone, next: over}
  - {id: count, ask: "Число?", expect: number, into: count, next: over}
  - {id: rating, ask: "Оценка?", expect: rating, into: stars, next: over}
  - {id: day, ask: "День?", expect: date, into: day, next: over}""",
    more="""vars:
  files: {type: file_list, max: 2}
  text: {type: text}
  phone: {type: phone}
  count: {type: number, min: 3, max: 9}
  stars: {type: rating, of: 3}
  day: {type: date}
interrupts: [{id: stop, text: ["стоп"], phrase: ["хватит"], next: over}]
""",
)
SCAN = File("f1", "file", "скан.png", "image/png", 11)
PHOTO = File("f2", "photo", None, "image/jpeg", 22)
ACT = File("f3", "file", "акт.pdf", "application/pdf", 33)
UNKNOWN = File("f4", "file")
VOICE = File("f5", "voice", size=55)


def _stored(file: File) -> dict[str, object]:
    return {"id": file.id, "kind": file.kind, "name": file.name, "mime": file.mime, "size": file.size}


def test_pictures_answer_a_photo_and_all_files_a_file_as_many_as_fit() -> None:
    talk = begun(ANSWERS)
    talk.says("Фото")
    assert talk.says("", files=(ACT, UNKNOWN, VOICE)) == ["Не понял ответ."]
    talk.says("", files=(ACT, UNKNOWN, SCAN, VOICE, PHOTO, PHOTO))
    assert talk.variables["files"] == [_stored(SCAN), _stored(PHOTO)]
    talk = begun(ANSWERS)
    talk.says("Файл")
    talk.says("", files=(VOICE, ACT, PHOTO))
    assert talk.variables["files"] == [_stored(VOICE), _stored(ACT)]


def test_a_caption_is_neither_an_option_nor_an_interrupt() -> None:
    talk = begun(ANSWERS)
    for caption in ("Фото", "стоп", "ну хватит"):
        assert talk.sends("photo", caption) == ["Не понял ответ."]
    assert talk.at == "answers.kind"


@pytest.mark.parametrize(
    ("option", "wrong", "right", "stored"),
    [
        ("Число", "2", "3", 3),
        ("Число", "10", "9", 9),
        ("Оценка", "4", "3", 3),
        ("День", "32.03", "15.03", "2026-03-15"),
        ("День", "вчера", "завтра", "2026-03-03"),
    ],
)
def test_limits_and_today_decide_what_is_an_answer(option: str, wrong: str, right: str, stored: object) -> None:
    talk = begun(ANSWERS)
    talk.says(option)
    assert talk.says(wrong) == ["Не понял ответ."]
    talk.says(right)
    assert list(talk.variables.values()) == [stored]


def test_a_location_is_no_text_and_a_card_without_a_number_no_phone() -> None:
    talk = begun(ANSWERS)
    talk.says("Текст")
    assert talk.says("", location=Location(1.0, 2.0)) == ["Не понял ответ."]
    talk = begun(ANSWERS)
    talk.says("Телефон")
    assert talk.says("", card=Card((), "Анна")) == ["Не понял ответ."]
    assert talk.says("", card=Card(("нет номера",))) == ["Не понял ответ."]


def test_a_message_that_cannot_be_read_is_told_and_begins_silence_anew() -> None:
    talk = begun(ANSWERS)
    talk.waits(minutes=30)
    assert talk.says("", unsupported=True) == ["Такое сообщение я не смогу прочитать, напишите текстом."]
    assert talk.dialog.top.wrong == 0
    talk.waits(minutes=59)
    assert not talk.ended


# ------------------------------------------------------------------------------------------------------------ templates


@pytest.mark.parametrize(("minutes", "said"), [(1435, "Да или нет"), (1436, "Точно?")])
def test_a_press_opens_the_window_of_whatsapp_in_which_no_template_goes_out(minutes: int, said: str) -> None:
    steps = f"""\
  - {{id: go_on, ask: "Ждём?", options: [{{id: sure, title: "Да"}}]}}
  - {{id: pause, wait: [], close: {{after: {minutes}m, next: really}}}}
  - {{id: really, ask: "Точно?", expect: number, invalid: "Да или нет", template: {{whatsapp: t}}}}"""
    talk = begun(flow("window", steps, channels="whatsapp"), channel="whatsapp")
    talk.waits(minutes=50)
    talk.presses("sure")
    assert talk.waits(minutes=minutes) == ["Точно?"]
    assert talk.says("что?") == [said]


def test_telegram_has_no_window() -> None:
    steps = """\
  - {id: pause, wait: [], close: {after: 3d, next: really}}
  - {id: really, ask: "Точно?", expect: number, invalid: "Да или нет", template: {whatsapp: t}}"""
    talk = begun(flow("window", steps))
    assert talk.waits(days=3) == ["Точно?"]
    assert talk.says("что?") == ["Да или нет"]


# --------------------------------------------------------------------------------------------- called flows, back, list

CALLER = flow(
    "caller",
    """\
  - {id: name, ask: "Имя?", expect: text, into: name}
  - {id: child, call: child, with: {whom: name}, save: {found: "result.answer", tag: "result.end"}, next: told}
  - {id: told, say: "{found} {tag}"}
  - {id: last, ask: "Всё?", expect: text}""",
    more="""vars: {name: {type: text}, found: {type: text}, tag: {type: text}}
interrupts: [{id: back, text: ["назад"], go: back}, {id: help, text: ["что"], call: child, with: {whom: "'помощь'"}, then: resume}]
""",  # noqa: E501
)
CHILD = flow(
    "child",
    """\
  - {id: what, ask: "Что для {whom}?", expect: text, into: answer}
  - {id: gone, end: cancelled}""",
    head="callable: true\ntakes: [whom]\nreturns: [answer]",
    more="vars: {whom: {type: text}, answer: {type: text}}",
)


def test_a_called_flow_gets_its_parameters_and_gives_back_what_it_returns_and_its_end() -> None:
    talk = begun(CALLER, CHILD)
    assert talk.says("Анна") == ["Что для Анна?"]
    assert set(talk.due) == {"step1"}  # the silence of the question left does not run on
    assert talk.says("чай") == ["чай cancelled", "Всё?"]
    assert set(talk.due) == {"step"}
    assert len(talk.dialog.frames) == 1


def test_back_leaves_a_called_flow_but_not_one_that_an_interrupt_began() -> None:
    talk = begun(CALLER, CHILD)
    talk.says("Анна")
    assert talk.says("назад") == ["Имя?"]
    talk.says("Анна")
    talk.says("чай")
    assert talk.says("что") == ["Что для помощь?"]
    assert talk.says("назад") == ["Это первый вопрос.", "Что для помощь?"]


def test_fifty_answers_are_remembered_for_back() -> None:
    talk = begun(flow("loop", '  - {id: more, ask: "Ещё?", expect: text, next: more}'))
    for number in range(52):
        talk.says(f"ответ {number}")
    assert len(talk.dialog.top.answered) == 50


CHECKED = flow(
    "checked",
    """\
  - {id: mood, ask: "Как?", expect: text, into: mood}
  - {id: more, ask: "Ещё?", expect: text}""",
    more="""vars: {mood: {type: text}}
interrupts: [{id: sad, text: ["стоп"], phrase: ["не хочу"], command: stop, if: "mood = 'плохо'", call: sorry, then: resume}]
""",  # noqa: E501
)
SORRY = flow("sorry", '  - {id: sorry, say: "Жаль"}', head="callable: true")


@pytest.mark.parametrize("said", ["стоп", "ну не хочу я", "/stop", "не хочу " + "а" * 52])
def test_an_interrupt_with_a_false_if_is_passed_over(said: str) -> None:
    talk = begun(CHECKED, SORRY)
    assert talk.says(said) == ["Ещё?"]
    talk = begun(CHECKED, SORRY)
    talk.says("плохо")
    assert talk.says(said) == ["Жаль", "Ещё?"]


# ---------------------------------------------------------------------------------------------------- actions and waits

WORK = flow(
    "work",
    """\
  - {id: problem, ask: "Что?", expect: text, into: problem}
  - id: look
    do: okdesk.find_issues
    with: {phone: "+79990001122"}
    outcome: {ok: sure, rejected: sure, slow: sure}
    slow_after: 20s
  - {id: sure, ask: "Точно?", expect: text}
  - id: create
    do: okdesk.create_issue
    with: {title: "{problem}", contact_phone: "+79990001122"}
    once_per: "{dialog.id}"
    save: {issue_id: "result.id"}
    outcome: {ok: watch, rejected: again, slow: watch}
    slow_after: 1m
  - {id: again, ask: "Не вышло. Ещё раз?", expect: text, next: create}
  - id: watch
    wait:
      - {event: effect.done, if: "event.action = 'okdesk.create_issue'", save: {issue_id: "event.result.id", id: "event.id"}, next: done}
      - {event: effect.failed, if: "event.step = 'create'", save: {code: "event.code", why: "event.message", kind: "event.kind", act: "event.action", at: "event.at", id: "event.id"}, next: failed}
      - {event: okdesk.status_changed, if: "event.status = 'done'", next: done}
      - {event: okdesk.status_changed, save: {why: "event.status"}, next: news}
      - {event: okdesk.rated, call: rated, with: {rate: "event.rate"}, then: resume}
      - {message: true, if: "event.text = 'раз'", next: one}
      - {message: true, if: "event.text = 'два'", next: two}
      - {message: true, if: "event.text = 'вопрос'", call: talk, then: resume}
    close: {after: 9d, next: over}
  - {id: done, say: "Готово {issue_id}", next: watch}
  - {id: failed, say: "Ошибка {code} {why} {kind} {act} {id} {at}", next: watch}
  - {id: news, say: "Новость {why}", next: watch}
  - {id: one, say: "Один", next: watch}
  - {id: two, say: "Два", next: watch}
  - id: people
    handoff: sales
    open_say: "Зову"
    closed_say: "Закрыто"
    outcome: {returned: problem, closed: over, nobody: nobody}
    nobody_after: 40m
  - {id: nobody, say: "Никого", next: over}""",  # noqa: E501
    more="""vars:
  problem: {type: text}
  issue_id: {type: number}
  source: {type: text}
  code: {type: text}
  why: {type: text}
  kind: {type: text}
  act: {type: text}
  at: {type: text}
  id: {type: text}
interrupts:
  - {id: back, text: ["назад"], go: back}
  - {id: again, text: ["заново"], go: restart}
  - {id: stop, text: ["хватит"], next: over}
  - {id: people, text: ["человек"], next: people}
  - {id: gone, event: okdesk.issue_deleted, if: "event.issue_id = 1", next: over}
  - {id: goner, event: okdesk.issue_deleted, call: rated, with: {rate: "'всё'"}, then: resume}
  - {id: shipped, event: onec.order_shipped, call: silent, then: resume}
  - {id: assigned, event: okdesk.assignee_changed, call: looked, then: resume}
""",
    head="start: [{command: start, take: {source: 'event.payload'}}]",
)
RATED = flow("rated", '  - {id: thanks, say: "Спасибо за {rate}"}', head="callable: true\ntakes: [rate]",
             more="vars: {rate: {type: text}}")  # fmt: skip
SILENT = flow("silent", '  - {id: noop, set: {x: "1"}}', head="callable: true", more="vars: {x: {type: number}}")
LOOKED = flow(
    "looked",
    """\
  - {id: look, do: okdesk.find_issues, with: {phone: "+79990001122"}, slow_after: 2m,
     outcome: {ok: over, rejected: over, slow: over}}""",
    head="callable: true",
)
TALK = flow(
    "talk",
    """\
  - {id: topic, ask: "О чём?", expect: text}
  - {id: topic2, ask: "А ещё?", expect: text}
  - id: people
    handoff: sales
    open_say: "Зову старшего"
    closed_say: "Закрыто"
    outcome: {returned: over, closed: over, nobody: over}
    nobody_after: 3h""",
    head="callable: true",
    more="interrupts: [{id: anew, text: ['сначала'], go: restart}]",
)
ALL = (WORK, RATED, SILENT, LOOKED, TALK)


@pytest.fixture
def anna() -> Talk:
    return begun(*ALL, command="/start site")


@pytest.fixture
def creating(anna: Talk) -> Talk:
    anna.says("течёт")
    anna.finishes("look", items=[])
    anna.says("да")
    assert anna.at == "work.create"
    return anna


@pytest.fixture
def watched(creating: Talk) -> Talk:
    creating.finishes("create", id=5)
    assert creating.at == "work.watch"
    return creating


def test_an_end_that_comes_late_tells_the_step_the_action_and_what_became_of_it(creating: Talk) -> None:
    creating.waits(minutes=1)
    assert creating.finishes("create", id=7) == ["Готово 7"]
    assert creating.variables["id"] == f"e{creating._count}"
    (said,) = creating.finishes("create", code="invalid")
    event = f"e{creating._count}"
    assert said == f"Ошибка invalid why effect.failed okdesk.create_issue {event} {creating.now.isoformat()}"


def test_a_reading_action_and_a_refused_one_write_nothing(creating: Talk) -> None:
    assert creating.dialog.top.answered == ("problem", "sure")
    creating.finishes("create", code="invalid")
    assert not creating.dialog.wrote
    assert creating.says("назад") == ["Точно?"]
    assert creating.says("заново") == ["Что?"]
    assert (creating.dialog.id, creating.variables) == (1, {"source": "site"})
    assert creating.of(StartDialog) == []


def test_after_a_write_restart_begins_another_dialog_with_what_the_first_began_with(watched: Talk) -> None:
    watched.says("вопрос")
    watched.says("погода")
    assert watched.says("сначала") == ["О чём?"]  # the called flow begins anew, not the dialog
    assert not watched.ended
    assert watched.says("заново") == ["Что?"]
    assert StartDialog("work", {"source": "site"}) in watched.effects
    assert watched.ended == {1: "cancelled"}
    assert [frame.flow for frame in watched.dialogs[1].frames] == ["work"]
    assert watched.variables == {"source": "site"}


def test_messages_and_events_take_the_first_case_that_is_true(watched: Talk) -> None:
    assert watched.says("раз") == ["Один"]
    assert watched.says("два") == ["Два"]
    assert watched.says("три") == ["Спасибо, передал сообщение менеджеру."]
    assert watched.happens("okdesk.rated", rate="good") == ["Спасибо за good"]
    assert watched.happens("okdesk.status_changed", status="new") == ["Новость new"]
    assert watched.happens("okdesk.status_changed", status="done") == ["Готово 5"]
    assert watched.sends("photo", "хватит") == ["Спасибо, передал сообщение менеджеру."]  # a caption is no interrupt
    assert watched.sends("photo") == ["Спасибо, передал сообщение менеджеру."]


def test_a_case_that_calls_a_flow_is_not_left_by_back(watched: Talk) -> None:
    watched.says("вопрос")
    assert watched.dialog.top.begun == "case"
    assert watched.says("назад") == ["Это первый вопрос.", "О чём?"]


def test_a_message_held_behind_one_that_ends_the_dialog_is_not_acted_on(creating: Talk) -> None:
    creating.says("хватит")
    creating.says("человек")
    assert creating.finishes("create", id=5) == []
    assert creating.ended == {1: "ok"}
    assert creating.dialog.status == "closed"


def test_twenty_events_are_held_for_a_wait_below(watched: Talk) -> None:
    watched.says("вопрос")
    for _ in range(20):
        watched.happens("okdesk.status_changed", status="new")
    assert watched.happens("okdesk.status_changed", status="new") == []
    assert watched.outcome.nobody
    assert len(watched.dialog.held) == 20


def test_a_held_event_waits_for_the_end_of_a_talk_with_managers(watched: Talk) -> None:
    for text in ("вопрос", "погода", "ещё"):
        watched.says(text)
    assert watched.at == "talk.people"
    watched.happens("okdesk.status_changed", status="new")
    assert watched.waits(minutes=30) == []
    assert watched.due["held"] == watched.now + timedelta(minutes=30)
    assert watched.waits(minutes=30) == []
    assert watched.manager("returned") == ["Новость new"]
    assert "held" not in watched.due


def test_an_event_in_a_handoff_may_call_a_flow_but_not_lead_away(anna: Talk) -> None:
    anna.says("человек")
    assert anna.happens("okdesk.issue_deleted", issue_id=1) == ["Спасибо за всё"]
    assert (anna.at, anna.dialog.status) == ("work.people", "handed_off")
    other = begun(*ALL)
    assert other.happens("okdesk.issue_deleted", issue_id=2) == ["Спасибо за всё", "Что?"]
    other.happens("okdesk.issue_deleted", issue_id=1)
    assert other.ended == {1: "ok"}


def test_a_dialog_that_a_manager_took_gets_no_events(watched: Talk) -> None:
    watched.dialogs[1] = take_over(watched.dialog, watched.now).dialog
    assert watched.happens("okdesk.status_changed", status="new") == []
    assert watched.outcome.nobody
    assert watched.at == "work.watch"


def test_nobody_came_to_a_handoff(anna: Talk) -> None:
    anna.says("человек")
    assert anna.waits(minutes=39) == []
    assert anna.waits(minutes=1) == ["Никого"]
    assert CloseHandoff("nobody") in anna.effects
    assert anna.ended == {1: "ok"}


def test_a_timer_that_has_fired_is_not_cancelled_again(watched: Talk) -> None:
    watched.waits(days=9)
    assert watched.ended == {1: "ok"}
    assert watched.of(CancelTimer) == []


# ----------------------------------------------------------------------------------------------- going on after a break


def test_a_question_is_left_alone_by_a_flow_that_says_nothing_and_takes_its_time(anna: Talk) -> None:
    anna.waits(minutes=10)
    anna.happens("okdesk.assignee_changed")
    assert set(anna.due) == {"step1"}
    anna.waits(seconds=30)
    assert anna.finishes("look", items=[]) == []
    assert anna.due == {"step": anna.now + timedelta(hours=1)}  # silence is counted anew, or it would never end


def test_a_flow_that_ends_at_once_without_a_word_leaves_silence_as_it_was(anna: Talk) -> None:
    due = anna.due
    anna.waits(minutes=10)
    assert anna.happens("onec.order_shipped") == []
    assert anna.due == due


def test_a_late_end_of_an_action_that_nobody_waits_for_changes_nothing(anna: Talk) -> None:
    anna.says("течёт")
    assert anna.waits(seconds=20) == ["Точно?"]
    assert anna.finishes("look", items=[]) == []
    assert (anna.outcome.ignored, anna.outcome.failed) == ("no_case", None)


def test_an_action_that_managers_gave_back_is_waited_for_again(creating: Talk) -> None:
    creating.dialogs[1] = take_over(creating.dialog, creating.now).dialog
    creating._due.clear()
    assert creating.manager("returned") == []
    assert creating.due == {"step": creating.now + timedelta(minutes=1)}
    creating.waits(minutes=1)
    assert creating.at == "work.watch"


def test_an_action_covered_by_another_flow_is_slow_only_after_that_one_has_ended(creating: Talk) -> None:
    creating.happens("okdesk.assignee_changed")
    creating.waits(seconds=60)
    assert creating.at == "looked.look"
    assert creating.due["step"] == creating.now + timedelta(minutes=1)
    creating.waits(seconds=30)
    creating.finishes("look", items=[])
    assert creating.at == "work.create"
    assert creating.due == {"step": creating.now + timedelta(seconds=30)}
    creating.waits(seconds=30)
    assert creating.at == "work.watch"


def test_an_outcome_that_came_under_another_flow_counts_when_that_one_has_ended(creating: Talk) -> None:
    creating.happens("okdesk.assignee_changed")
    create = next(action for action in creating.actions if action.step == "create")
    done = EffectFinished("x", creating.now, create.key, "create", create.action, True, {"id": 8})
    assert creating._handle(done, dialog=creating.dialog) == []
    assert creating.at == "looked.look"
    creating.finishes("look", items=[])
    assert (creating.at, creating.variables["issue_id"]) == ("work.watch", 8)


# -------------------------------------------------------------------------------------------------------- who gets what


def test_a_talk_with_a_manager_holds_events_of_other_dialogs(watched: Talk) -> None:
    watched.says("/start")
    waiting = watched.dialogs[1]
    watched.says("человек")
    watched.dialogs[2] = replace(watched.dialogs[2], frames=waiting.frames)  # taken by a manager while it waited
    watched.linked = {1}
    assert watched.happens("okdesk.status_changed", status="new") == []
    assert watched.outcome.held_until == watched.now + timedelta(minutes=30)


def test_a_press_on_a_button_of_another_dialog_goes_to_the_manager(watched: Talk) -> None:
    watched.says("/start")
    watched.says("человек")
    watched.presses_payload("1.1.0.x")
    assert watched.of(ForwardToManager) == [ForwardToManager("title")]


START = """\
format: 1
flow: {name}
title: "{name}"
channels: [{channels}]
start:
  - {{event: site.form_sent, if: "channel = '{wanted}'", take: {{day: "today()"}}}}
  - {{command: {name}, if: "channel = '{wanted}' and today() = '2026-03-02'", take: {{day: "today()"}}}}
  - {{text: ["{name}!"], if: "channel = '{wanted}'"}}
vars: {{day: {{type: text}}}}
defaults: {{retry: {{max: 3, then: over}}, silence: {{close: {{after: 1h, next: over}}}}}}
steps:
  - {{id: hello, ask: "{name} {{channel}} {{day}}", expect: text, template: {{whatsapp: t}}}}
  - {{id: over, end: ok}}
"""
ALERT = """\
format: 1
flow: {name}
title: "{name}"
contact: none
start: [{{event: site.form_sent, if: "event.form = 'main'"}}, {{event: site.form_sent}}]
steps:
  - {{id: tell, do: telegram.notify, with: {{text: "x"}}, once_per: "{{event.id}}", slow_after: 5s, outcome: {{ok: over, rejected: over, slow: over}}}}
  - {{id: over, end: ok}}
"""  # noqa: E501
FORM = BusinessEvent("f", NOON, "site.form_sent", {"form": "main"})


def _begins(outcome: Outcome) -> list[tuple[str, str]]:
    return [(step.dialog.top.flow, step.dialog.channel) for step in outcome.steps]


def _form(flows: Flows, **conversation: Any) -> Outcome:
    ids = iter(range(1, 9))
    known: dict[str, Any] = {"contact_id": 1, "channel": "", **conversation}
    return handle(flows, Conversation(**known), FORM, new_id=lambda: next(ids))


def test_an_event_begins_one_flow_with_a_customer_and_each_alert_once() -> None:
    flows = load(
        ALERT.format(name="a_alert"),
        START.format(name="bee", channels="telegram", wanted="telegram"),
        START.format(name="cat", channels="whatsapp", wanted="whatsapp"),
        START.format(name="dog", channels="whatsapp", wanted="whatsapp"),
        ALERT.format(name="e_alert"),
    )
    alerts = [("a_alert", ""), ("e_alert", "")]
    assert _begins(_form(flows, channels=("telegram",))) == [alerts[0], ("bee", "telegram"), alerts[1]]
    assert _begins(_form(flows, channels=())) == [alerts[0], ("cat", "whatsapp"), alerts[1]]
    assert _begins(_form(flows, can_write=False)) == alerts
    (said,) = [
        effect.text
        for step in _form(flows, channels=("telegram",)).steps
        for effect in step.effects
        if isinstance(effect, SendMessage)
    ]
    assert said == "bee telegram 2026-03-02"


def test_an_event_that_begins_a_flow_waits_for_the_open_question_at_most_half_an_hour() -> None:
    other = flow("other", '  - {id: q, ask: "?", expect: text}')
    flows = load(START.format(name="bee", channels="telegram", wanted="telegram"), other)
    talk = Talk(flows)
    talk.says("/start")
    assert talk.happens("site.form_sent") == []
    until = talk.outcome.held_until
    assert until == talk.now + timedelta(minutes=30)
    assert talk.happens("site.form_sent", now=until) == ["bee telegram 2026-03-02"]


def test_what_begins_a_flow_may_depend_on_the_channel_and_the_day() -> None:
    bee = load(START.format(name="bee", channels="telegram, whatsapp", wanted="telegram"))
    nobody = ["Спасибо, передал сообщение менеджеру."]
    assert Talk(bee).says("/bee") == ["bee telegram 2026-03-02"]
    assert Talk(bee).says("Bee") == ["bee telegram "]
    assert Talk(bee, channel="whatsapp").says("/bee") == nobody
    assert Talk(bee, channel="whatsapp").says("Bee") == nobody
    assert Talk(bee).says("/unknown") == nobody
    assert Talk(bee).says("", location=Location(1.0, 2.0)) == nobody
    assert Talk(bee).sends("photo", "/bee") == nobody
    assert Talk(bee).sends("photo") == nobody


def test_nothing_is_said_about_a_message_that_managers_answer(anna: Talk) -> None:
    anna.says("человек")
    assert anna._handle(MessageReceived("x", anna.now, None, location=Location(1.0, 2.0))) == []
    assert anna.of(ForwardToManager) == [ForwardToManager("1.000000, 2.000000")]
    assert anna.of(RunAction) == []
