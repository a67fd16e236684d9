"""How our messages look in Telegram."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dialogs.effects import Option, SendMessage
from dialogs.events import File
from integrations.telegram.render import LIMITS, REMOVE_KEYBOARD, inline_rows, render
from integrations.telegram.utf16 import clean, head, shorten, split, units


def options(*titles: str) -> tuple[Option, ...]:
    return tuple(Option(f"o{index}", title, f"d1.3.2.o{index}") for index, title in enumerate(titles))


def only(message: SendMessage) -> dict[str, Any]:
    [order] = render(message)
    return order


def rows(message: SendMessage) -> list[list[str]]:
    keyboard = render(message)[-1]["fields"]["reply_markup"]["inline_keyboard"]
    return [[button["text"] for button in row] for row in keyboard]


def test_a_text_goes_plain_and_takes_an_old_keyboard_away() -> None:
    assert only(SendMessage("Привет, <b> & co")) == {
        "method": "sendMessage",
        "fields": {"text": "Привет, <b> & co", "reply_markup": REMOVE_KEYBOARD},
        "is_question": False,
    }


@pytest.mark.parametrize(
    ("titles", "expected"),
    [
        (["Да", "Нет"], [["Да", "Нет"]]),
        (["Да", "Нет", "Не знаю"], [["Да", "Нет"], ["Не знаю"]]),
        (["15 знаков ровно", "15 знаков ровно"], [["15 знаков ровно", "15 знаков ровно"]]),
        (["16 знаков, много", "Да"], [["16 знаков, много"], ["Да"]]),
        (["Да", "16 знаков, много", "Нет", "Ой"], [["Да"], ["16 знаков, много"], ["Нет", "Ой"]]),
        (["x" * 80], [["x" * 59 + "…"]]),
        ([" "], [["o0"]]),
    ],
)
def test_short_buttons_stand_in_pairs(titles: list[str], expected: list[list[str]]) -> None:
    assert rows(SendMessage("Так?", options(*titles), is_question=True)) == expected


def test_a_button_carries_the_payload_of_its_option() -> None:
    order = only(SendMessage("Так?", options("Да"), is_question=True))
    assert order["fields"]["reply_markup"] == {"inline_keyboard": [[{"text": "Да", "callback_data": "d1.3.2.o0"}]]}
    assert order["is_question"] is True


def test_about_becomes_lines_of_the_text() -> None:
    message = SendMessage("Что?", (Option("a", "Ремонт", "p.a", "от 500 ₽"), Option("b", "Другое", "p.b")))
    assert only(message)["fields"]["text"] == "Что?\n\nРемонт — от 500 ₽"


@pytest.mark.parametrize("payload", ["", "я" * 33, "x" * 65])
def test_a_payload_that_telegram_refuses_becomes_a_numbered_text(payload: str) -> None:
    order = only(SendMessage("Что?", (Option("a", "Ремонт", payload), Option("b", "Другое", "p"))))
    assert order["fields"] == {"text": "Что?\n\n1. Ремонт\n2. Другое", "reply_markup": REMOVE_KEYBOARD}


def test_quick_replies_are_a_keyboard_that_holds_the_options() -> None:
    message = SendMessage("Ваш номер?", options("Позже", "Не дам"), quick=("share_contact", "share_location"))
    assert only(message)["fields"]["reply_markup"] == {
        "keyboard": [
            [{"text": "Отправить номер", "request_contact": True}],
            [{"text": "Отправить местоположение", "request_location": True}],
            [{"text": "Позже"}, {"text": "Не дам"}],
        ],
        "resize_keyboard": True,
        "one_time_keyboard": True,
    }
    english = only(SendMessage("Your phone?", quick=("share_contact",)))
    assert english["fields"]["reply_markup"]["keyboard"][0][0]["text"] == "Share phone number"


@pytest.mark.parametrize(
    ("url", "method", "field"),
    [
        ("https://cdn.example/a.JPG?v=1", "sendPhoto", "photo"),
        ("https://cdn.example/a.mp4", "sendVideo", "video"),
        ("https://cdn.example/a.gif", "sendAnimation", "animation"),
        ("https://cdn.example/price.pdf", "sendDocument", "document"),
    ],
)
def test_media_go_by_link_with_a_caption(url: str, method: str, field: str) -> None:
    order = only(SendMessage("Смотрите", options("Да"), media=url))
    assert (order["method"], order["fields"][field], order["fields"]["caption"]) == (method, url, "Смотрите")
    assert "inline_keyboard" in order["fields"]["reply_markup"]


def test_media_that_telegram_does_not_fetch_are_a_link_in_the_text() -> None:
    order = only(SendMessage("Прайс", media="https://cdn.example/price.xlsx"))
    assert (order["method"], order["fields"]["text"]) == ("sendMessage", "Прайс\n\nhttps://cdn.example/price.xlsx")


def test_a_text_too_long_for_a_caption_follows_its_picture() -> None:
    photo, text = render(SendMessage("я" * 1025, options("Да"), media="https://cdn.example/a.png"))
    assert photo["fields"] == {"photo": "https://cdn.example/a.png"}
    assert (text["method"], len(text["fields"]["text"])) == ("sendMessage", 1025)
    assert "inline_keyboard" in text["fields"]["reply_markup"]


@pytest.mark.parametrize(
    ("file", "method", "fields"),
    [
        (File("F", "photo"), "sendPhoto", {"photo": "F", "caption": "вот"}),
        (File("F", "file"), "sendDocument", {"document": "F", "caption": "вот"}),
        (File("F", "voice"), "sendVoice", {"voice": "F", "caption": "вот"}),
        (File("animation:F", "video"), "sendAnimation", {"animation": "F", "caption": "вот"}),
    ],
)
def test_a_managers_file_goes_by_its_id(file: File, method: str, fields: dict[str, str]) -> None:
    order = only(SendMessage("вот", files=(file,)))
    assert (order["method"], order["fields"]) == (method, fields)


def test_what_takes_no_caption_is_followed_by_the_text() -> None:
    methods = [order["method"] for order in render(SendMessage("вот", files=(File("video_note:F", "video"),)))]
    assert methods == ["sendVideoNote", "sendMessage"]
    several = render(SendMessage("вот", files=(File("A", "photo"), File("B", "photo"))))
    assert [order["method"] for order in several] == ["sendPhoto", "sendPhoto", "sendMessage"]


def test_nothing_to_say_is_nothing_to_send() -> None:
    assert render(SendMessage(" \n")) == []
    assert only(SendMessage("", options("Да")))["fields"]["text"] == "…"
    assert only(SendMessage("", options("Да"), button="Выбрать"))["fields"]["text"] == "Выбрать"


def test_a_long_text_is_cut_at_a_paragraph_and_keeps_its_buttons_last() -> None:
    message = SendMessage("а" * 3000 + "\n\n" + "б" * 2000, options("Да"), is_question=True)
    first, second = render(message)
    assert (first["fields"], second["fields"]["text"]) == ({"text": "а" * 3000}, "б" * 2000)
    assert "inline_keyboard" in second["fields"]["reply_markup"]
    assert first["is_question"]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("aaaa bbbb cccc", ["aaaa bbbb", "cccc"]),
        ("aaaa\nbbbb cccc", ["aaaa", "bbbb cccc"]),
        ("aaaaaaaaaabb", ["aaaaaaaaaa", "bb"]),
        ("aaaaaaaaaa bb", ["aaaaaaaaaa", "bb"]),
        ("a\n\nbbbbbbbbbb", ["a\n\nbbbbbbb", "bbb"]),
        ("😀😀😀😀😀😀", ["😀😀😀😀😀", "😀"]),
        ("  ", []),
    ],
)
def test_texts_are_cut_at_the_best_border(text: str, pieces: list[str]) -> None:
    assert split(text, 10) == pieces


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(st.characters() | st.sampled_from("\n 😀"), max_size=80), st.integers(4, 20))
def test_pieces_fit_and_lose_no_word(text: str, limit: int) -> None:
    text = clean(text)
    pieces = split(text, limit)
    assert all(0 < units(piece) <= limit for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert units(head(text, limit)) <= limit
    assert units(shorten(text, limit)) <= limit


TEXTS = st.text(st.characters() | st.sampled_from("\n 😀\ud83d"), max_size=40)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    text=TEXTS,
    titles=st.lists(TEXTS, max_size=12),
    about=TEXTS,
    quick=st.sampled_from([(), ("share_contact",)]),
    media=st.sampled_from([None, "https://x/a.png", "https://[", "https://x/a"]),
    files=st.lists(st.sampled_from([File("F", "photo"), File("S", "sticker")]), max_size=2),
)
def test_whatever_is_said_fits_the_limits(
    text: str, titles: list[str], about: str, quick: Any, media: str | None, files: list[File]
) -> None:
    chosen = tuple(Option("o", title, "p.o", about) for title in titles)
    for order in render(SendMessage(text * 150, chosen, quick=quick, media=media, files=tuple(files))):
        fields = order["fields"]
        repr(fields).encode()
        assert units(fields.get("text", "x")) in range(1, LIMITS["text"] + 1)
        assert units(fields.get("caption", "")) <= LIMITS["caption"]
        for row in fields.get("reply_markup", {}).get("inline_keyboard", ()):
            assert len(row) in (1, 2)
            for button in row:
                assert button["text"].strip()
                assert units(button["text"]) <= LIMITS["title"]


def test_buttons_of_the_group_may_be_links() -> None:
    assert inline_rows([[{"text": "Взять", "data": "take:1"}, {"text": "Окдеск", "url": "https://x"}], []]) == {
        "inline_keyboard": [[{"text": "Взять", "callback_data": "take:1"}, {"text": "Окдеск", "url": "https://x"}]]
    }
    assert inline_rows([]) is None
