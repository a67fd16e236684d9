"""How a message is shown: buttons, list, numbered text; limits; joining; cutting."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dialogs.effects import Option, SendMessage, Template
from dialogs.events import File
from integrations.whatsapp.cutting import cut, fits, is_border, shorten, units
from integrations.whatsapp.render import LIMITS, merge, render, text_instead
from integrations.whatsapp.simulator_rules import problem_of


def options(*titles: str, about: str | None = None) -> tuple[Option, ...]:
    return tuple(Option(f"o{n}", title, f"d1.1.2.o{n}", about) for n, title in enumerate(titles))


def only(message: SendMessage) -> dict[str, Any]:
    (params,) = render(message)
    return dict(params["message"])


def bodies(message: SendMessage) -> list[dict[str, Any]]:
    return [dict(params["message"]) for params in render(message)]


def shown_as(message: SendMessage) -> str:
    last = bodies(message)[-1]
    return str(last["interactive"]["type"] if last["type"] == "interactive" else last["type"])


def test_a_text_is_a_text() -> None:
    assert render(SendMessage(" Здравствуйте!\n")) == [
        {
            "message": {"type": "text", "text": {"preview_url": False, "body": "Здравствуйте!"}},
            "template": None,
            "is_question": False,
        }
    ]


def test_nothing_to_say_is_no_message() -> None:
    assert render(SendMessage(" \n")) == []


@pytest.mark.parametrize(
    ("choice", "kind"),
    [
        (options("Да", "Нет"), "button"),
        (options("Двадцать знаков ров!", "2", "3"), "button"),
        (options("Двадцать один знак!!!", "2"), "list"),
        (options("Да", "Нет", about="подробнее"), "list"),
        (options("1", "2", "3", "4"), "list"),
        (options("Да", "Да"), "list"),
        (options(*map(str, range(10))), "list"),
        (options("Да", "Нет", about="ы" * 72), "list"),
        (options(*map(str, range(11))), "text"),
        (options("Двадцать пять знаков, да!", "2"), "text"),
        (options("Да", about="ы" * 73), "text"),
    ],
)
def test_buttons_then_list_then_numbered_text(choice: tuple[Option, ...], kind: str) -> None:
    assert shown_as(SendMessage("Выберите", options=choice, is_question=True)) == kind


def test_buttons_carry_the_payload() -> None:
    message = only(SendMessage("Всё верно?", options=options("Да, верно", " Исправить\n")))
    assert message["interactive"] == {
        "type": "button",
        "body": {"text": "Всё верно?"},
        "action": {
            "buttons": [
                {"type": "reply", "reply": {"id": "d1.1.2.o0", "title": "Да, верно"}},
                {"type": "reply", "reply": {"id": "d1.1.2.o1", "title": "Исправить"}},
            ]
        },
    }


def test_a_list_has_one_section_and_its_own_button() -> None:
    message = only(SendMessage("С чем помочь?", options=options("Касса", about="Чеки"), button="Показать"))
    assert message["interactive"]["action"] == {
        "button": "Показать",
        "sections": [{"rows": [{"id": "d1.1.2.o0", "title": "Касса", "description": "Чеки"}]}],
    }
    assert only(SendMessage("?", options=options("1", "2", "3", "4")))["interactive"]["action"]["button"] == "Выбрать"


def test_a_numbered_text_tells_everything() -> None:
    choice = (*options(*(f"Вариант {n}" for n in range(10))), Option("x", "Другое", "p", "что угодно"))
    text = only(SendMessage("Выберите", options=choice))["text"]["body"]
    assert text.startswith("Выберите\n\n1. Вариант 0\n2. Вариант 1\n")
    assert text.endswith("\n11. Другое — что угодно")


def test_quick_replies_are_buttons_of_whatsapp_unless_there_are_options() -> None:
    assert shown_as(SendMessage("Где вы?", quick=("share_location",))) == "location_request_message"
    asked = only(SendMessage("Телефон?", quick=("share_contact", "share_location")))["interactive"]
    assert asked == {
        "type": "contact_request",
        "body": {"text": "Телефон?"},
        "action": {"name": "request_contact_info"},
    }
    assert shown_as(SendMessage("Телефон?", quick=("share_contact",), options=options("Назад"))) == "button"


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("https://example.com/a.JPG", "image"),
        ("https://example.com/a.png?x=1.pdf", "image"),
        ("https://example.com/photo", "image"),
        ("https://example.com/a.mp4", "video"),
        ("https://example.com/a.ogg", "audio"),
        ("https://example.com/%D0%B0%D0%BA%D1%82.pdf", "document"),
    ],
)
def test_media_goes_by_link_with_its_caption(address: str, kind: str) -> None:
    messages = bodies(SendMessage("Смотрите", media=address))
    assert messages[0]["type"] == kind
    assert messages[0][kind]["link"] == address
    if kind == "audio":
        assert [message["type"] for message in messages] == ["audio", "text"]
    else:
        assert messages[0][kind]["caption"] == "Смотрите"
    if kind == "document":
        assert messages[0][kind]["filename"] == "акт.pdf"


def test_a_caption_that_is_too_long_goes_as_text() -> None:
    messages = bodies(SendMessage("я" * 1025, media="https://example.com/a.png"))
    assert [message["type"] for message in messages] == ["image", "text"]
    assert "caption" not in messages[0]["image"]


def test_a_picture_with_buttons_is_one_message_and_with_a_list_two() -> None:
    (message,) = bodies(SendMessage("Какая?", media="https://example.com/a.png", options=options("1", "2")))
    assert message["interactive"]["header"] == {"type": "image", "image": {"link": "https://example.com/a.png"}}
    messages = bodies(SendMessage("Какая?", media="https://example.com/a.png", options=options("1", "2", "3", "4")))
    assert [message["type"] for message in messages] == ["image", "interactive"]


def test_files_of_managers_wait_for_their_media_id() -> None:
    files = (File("f1", "photo"), File("f2", "file", "Акт.pdf", "application/pdf", 7), File("f3", "voice"))
    first, second, third = render(SendMessage("Вот", files=files))
    assert first["message"] == {"type": "image", "image": {"caption": "Вот"}}
    assert second["message"] == {"type": "document", "document": {"filename": "Акт.pdf"}}
    assert second["file"] == {"id": "f2", "kind": "file", "name": "Акт.pdf", "mime": "application/pdf", "size": 7}
    assert third["message"] == {"type": "audio", "audio": {}}


def test_a_template_stands_beside_the_first_part_only() -> None:
    parts = render(SendMessage("я" * 5000, template=Template("late", "ru", ("a\nb", "", "x" * 3000)), is_question=True))
    assert parts[0]["template"]["template"]["language"] == {"code": "ru"}
    values = [p["text"] for p in parts[0]["template"]["template"]["components"][0]["parameters"]]
    assert values[:2] == ["a b", "-"]
    assert len(values[2]) <= 333
    assert "skip_with_template" not in parts[0]
    assert (parts[1]["template"], parts[1]["skip_with_template"]) == (None, True)
    assert all(part["is_question"] for part in parts)
    (bare,) = render(SendMessage("да", template=Template("plain", "ru")))
    assert bare["template"] == {"type": "template", "template": {"name": "plain", "language": {"code": "ru"}}}


def test_a_long_question_ends_with_its_buttons() -> None:
    text = "\n\n".join(f"Абзац {n}. " + "слово " * 60 for n in range(6))
    messages = bodies(SendMessage(text, options=options("Да", "Нет")))
    assert [message["type"] for message in messages[:-1]] == ["text"] * (len(messages) - 1)
    assert messages[-1]["interactive"]["type"] == "button"
    assert len(messages[-1]["interactive"]["body"]["text"]) <= 1024


# ---------------------------------------------------------------------------------------------------------- joining


def test_consecutive_texts_are_joined_with_the_question_that_follows() -> None:
    question = SendMessage("Всё верно?", options=options("Да"), is_question=True, step="lead.confirm")
    merged = merge([SendMessage("Раз"), SendMessage("Два\n"), question])
    assert [message.text for message in merged] == ["Раз\n\nДва\n\nВсё верно?"]
    assert merged[0].options == question.options
    assert (merged[0].is_question, merged[0].step) == (True, "lead.confirm")


@pytest.mark.parametrize(
    "pair",
    [
        (SendMessage("я" * 3000), SendMessage("ю" * 1100)),
        (SendMessage("я" * 1000), SendMessage("Да?" + "?" * 30, options=options("Да"))),
        (SendMessage("Да?", options=options("Да")), SendMessage("Потом")),
        (SendMessage("Раз"), SendMessage("Два", media="https://example.com/a.png")),
        (SendMessage("Раз", template=Template("t", "ru")), SendMessage("Два")),
        (SendMessage("Раз"), SendMessage("Два", files=(File("f", "photo"),))),
        (SendMessage("Раз", quick=("share_contact",)), SendMessage("Два")),
    ],
)
def test_what_does_not_fit_into_one_message_stays_apart(pair: tuple[SendMessage, SendMessage]) -> None:
    assert merge(pair) == list(pair)


def test_texts_fit_to_the_last_character() -> None:
    assert len(merge([SendMessage("я" * 3000), SendMessage("ю" * 1094)])) == 1
    assert len(merge([SendMessage("я" * 3000), SendMessage("ю" * 1095)])) == 2
    assert len(merge([SendMessage("я" * 1000), SendMessage("ю" * 22, options=options("Да"))])) == 1
    assert merge([]) == []


# ---------------------------------------------------------------------------------------------------------- cutting


def test_texts_are_cut_between_paragraphs_then_lines_then_sentences_then_words() -> None:
    assert cut("один два\n\nтри четыре", 14) == ["один два", "три четыре"]
    assert cut("один два\nтри четыре", 14) == ["один два", "три четыре"]
    assert cut("Один два. Три четыре", 14) == ["Один два.", "Три четыре"]
    assert cut("один два три четыре", 14) == ["один два три", "четыре"]
    assert cut("а" * 25, 10) == ["а" * 10, "а" * 10, "а" * 5]
    assert cut("  ", 10) == []


@pytest.mark.parametrize("picture", ["👨‍👩‍👧‍👦", "🇷🇺", "👍🏽", "й", "❤️", "🏴\U000e0067\U000e0062\U000e007f"])
def test_no_cut_goes_through_a_character(picture: str) -> None:
    text = "а" + picture * 30
    parts = cut(text, 40)
    assert "".join(parts) == text
    assert all(part.removeprefix("а").replace(picture, "") == "" for part in parts)


def test_emoji_leave_five_percent_in_reserve() -> None:
    assert fits("я" * 4096, 4096)
    assert not fits("я" * 3900 + "😀", 4096)
    assert fits("я" * 3889 + "😀", 4096)


def test_a_shortened_text_ends_with_dots() -> None:
    assert shorten("короткий", 20) == "короткий"
    assert shorten("очень длинное название кнопки", 20) == "очень длинное…"
    assert is_border("abc", 0)
    assert is_border("abc", 3)


@hypothesis_settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=300), limit=st.integers(10, 60))
def test_no_word_is_lost_by_cutting(text: str, limit: int) -> None:
    parts = cut(text, limit)
    assert all(part and units(part) <= limit for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


TEXTS = st.text(st.characters(codec="utf-8"), max_size=60)
LONG = st.builds(lambda text, times: text * times, TEXTS, st.integers(1, 150))


@hypothesis_settings(max_examples=100, deadline=None)
@given(
    messages=st.lists(
        st.builds(
            SendMessage,
            text=LONG,
            options=st.lists(st.tuples(TEXTS, st.none() | TEXTS), max_size=12).map(
                lambda pairs: tuple(Option(f"o{n}", title, f"p{n}", about) for n, (title, about) in enumerate(pairs))
            ),
            button=st.none() | TEXTS,
            quick=st.sampled_from([(), ("share_contact",), ("share_location",)]),
            media=st.sampled_from([None, "https://example.com/a.png", "https://example.com/a.pdf"]),
            template=st.none() | st.builds(Template, st.just("t"), st.just("ru"), st.tuples(LONG, TEXTS)),
            is_question=st.booleans(),
        ),
        max_size=4,
    )
)
def test_whatever_is_rendered_whatsapp_would_take(messages: list[SendMessage]) -> None:
    for message in [*messages, *merge(messages)]:
        for params in render(message):
            json.dumps(params)
            for body in (params["message"], params["template"]):
                if body is not None:
                    sent = {"messaging_product": "whatsapp", "to": "+79161234501", **body}
                    assert problem_of(sent, None) is None
    assert sum(len(render(message)) for message in merge(messages)) <= sum(len(render(m)) for m in messages)


def test_the_limits_are_those_of_the_contract() -> None:
    assert (LIMITS["text"], LIMITS["body"], LIMITS["caption"]) == (4096, 1024, 1024)
    assert (LIMITS["buttons"], LIMITS["button_title"], LIMITS["button_id"]) == (3, 20, 256)
    assert (LIMITS["rows"], LIMITS["row_title"], LIMITS["row_about"], LIMITS["row_id"]) == (10, 24, 72, 200)
    assert LIMITS["list_button"] == 20


def test_only_what_has_words_or_a_link_can_go_as_text() -> None:
    document = {"type": "document", "document": {"link": "https://example.com/a.pdf", "caption": "Акт"}}
    instead = text_instead(document)
    assert instead is not None
    assert instead["text"]["body"] == "Акт\n\nhttps://example.com/a.pdf"
    assert text_instead({"type": "text", "text": {"body": "да"}}) is None
    assert text_instead({"type": "image", "image": {"id": "1"}}) is None
    assert text_instead({}) is None
