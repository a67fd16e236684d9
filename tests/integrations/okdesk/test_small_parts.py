from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from integrations.base import Never
from integrations.okdesk import OkdeskSettings
from integrations.okdesk.errors import flat_errors, refusal, retry_after_s
from integrations.okdesk.names import split_name
from integrations.okdesk.parameters import attributes, moment, title_and_rest
from integrations.okdesk.phones import e164, is_same, spellings

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "phone"),
    [
        ("89991234567", "+79991234567"),
        ("79991234567", "+79991234567"),
        ("9991234567", "+79991234567"),
        ("+7 (999) 123-45-67", "+79991234567"),
        ("+8412 381312", "+8412381312"),
        ("+380 67 123 45 67", "+380671234567"),
        ("00380671234567", "+380671234567"),
        ("12345", None),
        ("", None),
        ("нет", None),
    ],
)
def test_phones_are_normalized(written: str, phone: str | None) -> None:
    assert e164(written) == phone


def test_spellings_are_asked_in_the_order_of_the_contract() -> None:
    assert spellings("+79991234567") == (
        "+79991234567",
        "79991234567",
        "89991234567",
        "9991234567",
        "+7(999)123-45-67",
        "+7 (999) 123-45-67",
    )
    assert spellings("+380671234567") == ("+380671234567", "380671234567")


def test_numbers_are_the_same_by_their_last_ten_digits() -> None:
    assert is_same("+79991234567", None, "8 (999) 123-45-67")
    assert not is_same("+79991234567", "9991234568", "")
    assert not is_same("", "")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Ирина", ("Ирина", None, None)),
        ("Ирина Соколова", ("Ирина", "Соколова", None)),
        ("Ирина Петровна", ("Ирина", None, "Петровна")),
        ("Соколова Ирина Петровна", ("Ирина", "Соколова", "Петровна")),
        ("Ирина Петровна Соколова", ("Ирина", "Соколова", "Петровна")),
        ("Анна Мария де Ла", ("Анна", "Мария де Ла", None)),
        ("\ud800  ", (None, None, None)),
    ],
)
def test_names_are_split(name: str, parts: tuple[str | None, ...]) -> None:
    assert split_name(name) == parts


@pytest.mark.parametrize(
    ("path", "lines"),
    [
        ("api/error_401.json", ("Вы не авторизованы для просмотра этой страницы",)),
        (
            "api/error_422_create.json",
            ("title: не может быть пустым", "custom_parameters.address: не может быть пустым"),
        ),
        ("api/error_422_comment_author.json", ("author_id: отсутствует",)),
        ("api/error_422_list.json", ("Недопустимый переход между статусами",)),
        ("api/error_422_contact_duplicate.json", ("telegram_username: уже существует",)),
        ("api/error_404.json", ("Страница не найдена",)),
    ],
)
def test_every_shape_of_errors_is_flattened(path: str, lines: tuple[str, ...], sample: Callable[[str], Any]) -> None:
    assert flat_errors(sample(path)["errors"]) == lines


def test_nested_errors_are_flattened(sample: Callable[[str], Any]) -> None:
    lines = flat_errors(sample("api/error_422_nested.json")["errors"])
    assert "page.size: должно быть меньше или равно 100" in lines
    assert "observer_ids.1: должно иметь тип integer" in lines


@pytest.mark.parametrize(
    ("status", "path", "code", "stops"),
    [
        (401, "api/error_401.json", "forbidden", True),
        (403, "api/error_403.json", "forbidden", False),
        (404, "api/error_404.json", "not_found", False),
        (422, "api/error_422_create.json", "invalid", False),
        (400, "api/error_422_list.json", "invalid", False),
    ],
)
def test_a_refusal_says_what_to_do(
    status: int, path: str, code: str, stops: bool, sample: Callable[[str], Any]
) -> None:
    error = refusal(status, sample(path))
    assert isinstance(error, Never)
    assert (error.code, error.stops_system) == (code, stops)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("2", 2.0),
        ("Mon, 02 Mar 2026 12:00:30 GMT", 30.0),
        ("Mon, 02 Mar 2026 11:00:00 GMT", 0.0),
        ("99999999", 3600.0),
        ("-5", 0.0),
        ("nan", None),
        ("soon", None),
        ("Mon, 02 Mar 2026 12:00:30 -0000", None),
        (None, None),
    ],
)
def test_retry_after_is_read_in_both_forms(header: str | None, seconds: float | None) -> None:
    assert retry_after_s(header, NOW) == seconds


@pytest.mark.parametrize(
    ("written", "title", "rest"),
    [
        ("Не печатает", "Не печатает", ""),
        ("\n ... \nНе печатает\nкасса", "Не печатает", "...\nНе печатает\nкасса"),
        ("???", "Обращение", "???"),
        ("", "Обращение", ""),
    ],
)
def test_the_title_is_the_first_meaningful_line(written: str, title: str, rest: str) -> None:
    made, left = title_and_rest(written, "Обращение")
    assert made == title
    assert left.split() == rest.split()


def test_a_long_title_is_cut_and_kept_in_the_description() -> None:
    title, rest = title_and_rest("слово " * 100, "x")
    assert len(title) <= 120
    assert title.endswith("…")
    assert rest == ("слово " * 100).strip()


def test_parameters_are_lines_of_code_and_value() -> None:
    assert attributes("area: Склад\n\nurl: https://x.ru") == {"area": "Склад", "url": "https://x.ru"}
    with pytest.raises(Never):
        attributes("area")


def test_times_without_offset_are_on_the_accounts_clock() -> None:
    assert moment("2026-03-15", "Europe/Moscow").isoformat() == "2026-03-15T09:00:00+03:00"
    assert moment("2026-03-15T12:30", "Asia/Yekaterinburg").isoformat() == "2026-03-15T12:30:00+05:00"
    assert moment("2026-03-15T12:30Z", "Asia/Yekaterinburg").isoformat() == "2026-03-15T12:30:00+00:00"
    with pytest.raises(Never):
        moment("завтра", "Europe/Moscow")


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "https://a.okdesk.ru"},
        {"api_token": "x"},
        {"webhook_user": "x"},
        {"webhook_password": "x"},
        {"url": "a.okdesk.ru", "api_token": "x"},
        {"timezone": "Mars/Olympus"},
        {"webhook_networks": ("everywhere",)},
    ],
)
def test_half_filled_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        OkdeskSettings(**wrong)


def test_the_address_is_taken_with_and_without_its_tail() -> None:
    for url in (
        "https://a.okdesk.ru",
        "https://a.okdesk.ru/",
        "https://a.okdesk.ru/api/v1",
        "https://a.okdesk.ru/api/v1/",
    ):
        assert OkdeskSettings(url=url, api_token="t").site == "https://a.okdesk.ru"


def test_secrets_are_not_shown() -> None:
    settings = OkdeskSettings(
        url="https://a.okdesk.ru", api_token="s3cret", webhook_user="s3cret", webhook_password="s3cret"
    )
    assert "s3cret" not in repr(settings)
