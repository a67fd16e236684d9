"""What people write, and what must come out of it."""

from __future__ import annotations

import unicodedata
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialogs.events import Location
from dialogs.values import (
    BASE_TYPES,
    PARSED_KINDS,
    clean,
    contains_phrase,
    fits,
    location_text,
    normal,
    parse,
    phone_from_card,
)

MONDAY = date(2026, 3, 2)

PHONES: list[tuple[str, str | None]] = [
    ("+79123456789", "+79123456789"),
    ("89123456789", "+79123456789"),
    ("79123456789", "+79123456789"),
    ("9123456789", "+79123456789"),
    ("+89123456789", "+79123456789"),
    ("8 912 345 67 89", "+79123456789"),
    ("8 (912) 345-67-89", "+79123456789"),
    ("8(912)345-67-89", "+79123456789"),
    ("+7 (912) 345-67-89", "+79123456789"),
    ("+7-912-345-67-89", "+79123456789"),
    ("+7.912.345.67.89", "+79123456789"),
    ("8-912-34-56-789", "+79123456789"),
    ("(912) 345-67-89", "+79123456789"),
    ("+ 7 912 345 67 89", "+79123456789"),
    ("(+7) 912 345 67 89", "+79123456789"),
    ("912-345-67-89", "+79123456789"),
    ("8\u00a0912\u00a0345\u00a067\u00a089", "+79123456789"),
    ("8\u202f912\u202f345 67 89", "+79123456789"),
    ("8 912 345–67–89", "+79123456789"),
    ("8 912 345\u201167\u201189", "+79123456789"),
    ("\u202a+7 912 345-67-89\u202c", "+79123456789"),
    ("\ufeff+79123456789", "+79123456789"),
    ("мой номер 8 (912) 345-67-89", "+79123456789"),
    ("89123456789, Анна", "+79123456789"),
    ("Анна 89123456789 звоните вечером", "+79123456789"),
    ("тел.+79123456789", "+79123456789"),
    ("тел: 8912 345 6789.", "+79123456789"),
    ("№89123456789", "+79123456789"),
    ("8 843 212 34 56", "+78432123456"),
    ("(843) 212-34-56", "+78432123456"),
    ("+7 701 123 45 67", "+77011234567"),
    ("8 800 555 35 35", "+78005553535"),
    ("0079123456789", "+79123456789"),
    ("00 7 912 345 67 89", "+79123456789"),
    ("8 912 345-67-89 доб. 12", "+79123456789"),
    ("8 912 345-67-89 доб 12", "+79123456789"),
    ("8 912 345-67-89 доб.1234", "+79123456789"),
    ("8 912 345-67-89, добавочный 5", "+79123456789"),
    ("8 912 345-67-89 (доб. 12)", "+79123456789"),
    ("8 912 345-67-89 ДОБ. 12", "+79123456789"),
    ("8 912 345-67-89доб12", "+79123456789"),
    ("+7 912 345 67 89 ext 12", "+79123456789"),
    ("+7 912 345 67 89 ext. 12", "+79123456789"),
    ("+7 912 345 67 89 extension 12", "+79123456789"),
    ("+375 29 123-45-67", "+375291234567"),
    ("+998901234567", "+998901234567"),
    ("+49 151 12345678", "+4915112345678"),
    ("+1 202 555 0125", "+12025550125"),
    ("+86 138 1234 5678", "+8613812345678"),
    ("00375291234567", "+375291234567"),
    ("0049 151 12345678", "+4915112345678"),
    ("+12345678", "+12345678"),
    ("+123456789012345", "+123456789012345"),
    ("+1234567", None),
    ("+1234567890123456", None),
    ("+0123456789", None),
    ("+7912345678", None),
    ("+791234567890", None),
    ("+72123456789", None),
    ("+7 012 345 67 89", None),
    ("81234567890", None),
    ("2123456789", None),
    ("0123456789", None),
    ("+81312345678", None),
    ("375291234567", None),
    ("8912345678", "+78912345678"),
    ("891234567890", None),
    ("12", None),
    ("123456", None),
    ("2-12-34-56", None),
    ("89123456789 89123456780", None),
    ("89123456789, 89123456780", None),
    ("89123456789\n89123456780", None),
    ("89123456789 или 9123456780", None),
    ("89123456789 кв. 5", None),
    ("89123456789 после 18:00", None),
    ("8912/3456789", None),
    ("8912+3456789", None),
    ("телефона нет", None),
    ("+", None),
    ("++", None),
    ("()", None),
    ("+7", None),
    ("00", None),
    ("8 912 345-67-89 добро 12", None),
    ("x" * 2000 + "89123456789", None),
]

NAMES: list[tuple[str, str | None]] = [
    ("Анна", "Анна"),
    ("анна", "Анна"),
    ("АННА", "Анна"),
    ("аННа", "аННа"),
    ("иван петров", "Иван Петров"),
    ("ИВАН ПЕТРОВ", "Иван Петров"),
    ("Иван  Петров", "Иван Петров"),
    ("меня зовут анна", "Анна"),
    ("Меня зовут Анна", "Анна"),
    ("МЕНЯ ЗОВУТ АННА", "Анна"),
    ("меня  зовут: анна", "Анна"),
    ("зовите меня Пётр", "Пётр"),
    ("My name is John", "John"),
    ("my name is john smith", "John Smith"),
    ("Меня зовут Анна.", "Анна"),
    ("анна-мария", "Анна-Мария"),
    ("О'Нил", "О'Нил"),
    ("о'нил", "О'Нил"),
    ("о’нил", "О'Нил"),
    ("мар'яна", "Мар'яна"),
    ("d'artagnan", "D'Artagnan"),
    ("И. И. Иванов", "И. И. Иванов"),
    ("и.и. иванов", "И.И. Иванов"),
    ("John Smith Jr.", "John Smith Jr."),
    ("Абдул Хамид ибн Али Рахман", "Абдул Хамид Ибн Али Рахман"),
    ("ли", "Ли"),
    ("李明", "李明"),
    ("مريم", "مريم"),
    ("राम", "राम"),
    ("José", "José"),
    ("Jose\u0301", "José"),
    ("ёлка", "Ёлка"),
    ("Ы" * 60, "Ы" + "ы" * 59),
    ("Ы" * 61, None),
    ("А", None),
    ("12345", None),
    ("Анна1", None),
    ("Анна 25", None),
    ("Анна, 25", None),
    ("Иван²", None),
    ("ЛюдовикⅧ", None),
    ("Анна!", None),
    ("Анна 😀", None),
    ("<script>", None),
    ("@anna", None),
    ("Анна_Мария", None),
    ("один два три четыре пять шесть", None),
    ("меня зовут", None),
    ("--", None),
    ("...", None),
    ("' '", None),
    ("", None),
    ("   ", None),
]

TEXTS: list[tuple[str, str | None]] = [
    ("Не включается", "Не включается"),
    ("  шум  ", "шум"),
    ("раз\r\nдва", "раз\nдва"),
    ("раз\x00два", "раздва"),
    ("\ud83d", None),
    ("и\u0306", "й"),
    ("👨‍👩‍👧", "👨‍👩‍👧"),
    ("a" * 1000, "a" * 1000),
    ("a" * 1001, None),
    ("\u200b", None),
    ("\x1b[31mкрасный", "[31mкрасный"),
]

EMAILS: list[tuple[str, str | None]] = [
    ("anna@mail.ru", "anna@mail.ru"),
    ("Anna@Mail.RU", "Anna@mail.ru"),
    (" anna@mail.ru ", "anna@mail.ru"),
    ("a.b+c_d-e@sub.example.co.uk", "a.b+c_d-e@sub.example.co.uk"),
    ("анна@почта.рф", "анна@почта.рф"),
    ("anna@xn--80a1acny.xn--p1ai", "anna@xn--80a1acny.xn--p1ai"),
    ("a@b.io", "a@b.io"),
    ("anna@mail", None),
    ("anna@@mail.ru", None),
    ("anna@mail@ru.ru", None),
    ("@mail.ru", None),
    ("anna@", None),
    ("anna mail.ru", None),
    ("anna @mail.ru", None),
    ("anna@mail..ru", None),
    ("anna@-mail.ru", None),
    ("anna@mail-.ru", None),
    ("anna@.ru", None),
    ("anna@mail.ru.", None),
    (".anna@mail.ru", None),
    ("anna.@mail.ru", None),
    ("an..na@mail.ru", None),
    ("anna@127.0.0.1", None),
    ("anna@mail.ru, b@mail.ru", None),
    ("a" * 64 + "@mail.ru", "a" * 64 + "@mail.ru"),
    ("a" * 65 + "@mail.ru", None),
    ("a@" + "b" * 63 + "." + "c" * 63 + "." + "d" * 63 + "." + "e" * 63 + ".ru", None),
]

URLS: list[tuple[str, str | None]] = [
    ("https://example.ru", "https://example.ru"),
    ("http://example.ru/a?b=1#c", "http://example.ru/a?b=1#c"),
    ("HTTPS://Example.ru", "https://Example.ru"),
    ("example.ru", "https://example.ru"),
    ("www.example.ru/путь", "https://www.example.ru/путь"),
    ("example.ru:8080/x", "https://example.ru:8080/x"),
    ("https://кто.рф/", "https://кто.рф/"),
    ("http://127.0.0.1/x", "http://127.0.0.1/x"),
    ("https://localhost/x", None),
    ("ftp://example.ru", None),
    ("javascript:alert(1)", None),
    ("https://", None),
    ("https://example", None),
    ("example", None),
    ("12.03.2026", None),
    ("anna@mail.ru", None),
    ("https://bank.ru@evil.ru/", None),
    ("https://exa mple.ru", None),
    ("смотрите example.ru", None),
    ("https://example.ru/<b>", None),
    ("https://[::1]/", None),
    ("https://example.ru/" + "a" * 1981, "https://example.ru/" + "a" * 1981),
    ("https://example.ru/" + "a" * 1982, None),
]

ADDRESSES: list[tuple[str, str | None]] = [
    ("Казань, Баумана 10, кв 5", "Казань, Баумана 10, кв 5"),
    ("Пушкина 5", "Пушкина 5"),
    ("ул. Мира, д.1", "ул. Мира, д.1"),
    ("не знаю", None),
    ("12345", None),
    ("аб 12", None),
    ("д 5", None),
    ("Улица 1" + "а" * 293, "Улица 1" + "а" * 293),
    ("Улица 1" + "а" * 294, None),
]

NUMBERS: list[tuple[str, int | None]] = [
    ("0", 0),
    ("1077", 1077),
    ("1 077", 1077),
    ("1\u00a0000\u202f000", 1_000_000),
    ("12 345 678", 12_345_678),
    ("-5", -5),
    ("−5", -5),
    ("007", 7),
    ("999999999999999", 999_999_999_999_999),
    ("1000000000000000", None),
    ("10 77", None),
    ("1 0777", None),
    ("1,5", None),
    ("1.5", None),
    ("1e5", None),
    ("0x10", None),
    ("--5", None),
    ("- 5", None),
    ("№ 1077", None),
    ("номер 1077", None),
    ("1077 и 1078", None),
    ("пять", None),
    ("", None),
    ("٣", None),
]

MONEY: list[tuple[str, int | None]] = [
    ("1500", 150_000),
    ("1 500", 150_000),
    ("1\u00a0500", 150_000),
    ("1500,50", 150_050),
    ("1500.5", 150_050),
    ("1500.05", 150_005),
    ("1 500,50", 150_050),
    ("1500 руб", 150_000),
    ("1500 руб.", 150_000),
    ("1500руб", 150_000),
    ("1500 рублей", 150_000),
    ("1 рубль", 100),
    ("2 рубля", 200),
    ("1500 р.", 150_000),
    ("1500р", 150_000),
    ("1500 Р", 150_000),
    ("1500 ₽", 150_000),
    ("1500₽", 150_000),
    ("1 500,50 ₽", 150_050),
    ("0", 0),
    ("0,50", 50),
    ("1 000 000", 100_000_000),
    ("1.500,50", 150_050),
    ("1,500.50", 150_050),
    ("1,500,000", 150_000_000),
    ("1.500.000", 150_000_000),
    ("100 000 000", 10_000_000_000),
    ("100000000.00", 10_000_000_000),
    ("100000000,01", None),
    ("100 000 001", None),
    ("1,500", None),
    ("1.500", None),
    ("1 500,500", None),
    ("1500,5000", None),
    ("1500,", None),
    (",50", None),
    ("1,2,3", None),
    ("1 50", None),
    ("-5", None),
    ("−5", None),
    ("+5", None),
    ("₽ 1500", None),
    ("1500 $", None),
    ("1500 рр", None),
    ("полторы тысячи", None),
    ("1500 руб 50 коп", None),
    ("₽", None),
    ("1e3", None),
]

RATINGS: list[tuple[str, int | None]] = [
    ("5", 5),
    ("1", 1),
    ("0", None),
    ("6", None),
    ("10", None),
    ("-5", None),
    ("4,5", None),
    ("05", None),
    ("пять", 5),
    ("Пять!", 5),
    ("пятёрка", 5),
    ("пятерка", 5),
    ("пятёрку", 5),
    ("четыре", 4),
    ("четвёрка", 4),
    ("тройка", 3),
    ("двойка", 2),
    ("единица", 1),
    ("один", 1),
    ("шесть", None),
    ("4/5", 4),
    ("4 / 5", 4),
    ("4 из 5", 4),
    ("4 ИЗ 5", 4),
    ("4/10", None),
    ("6/5", None),
    ("0 из 5", None),
    ("★★★", 3),
    ("⭐⭐⭐⭐⭐", 5),
    ("⭐️⭐️", 2),
    ("★ ★ ★ ★", 4),
    ("★★★★★★", None),
    ("5️⃣", 5),
    ("5!", 5),
    ("5.", 5),
    ("отлично", None),
    ("5 и 4", None),
    ("двадцать пять", None),
    ("", None),
]

RATINGS_OF_TEN: list[tuple[str, int | None]] = [
    ("10", 10),
    ("10/10", 10),
    ("7 из 10", 7),
    ("4/5", None),
    ("десятка", 10),
    ("восемь", 8),
    ("11", None),
    ("★★★★★★★", 7),
]

DATES: list[tuple[str, str | None]] = [
    ("15.03.2026", "2026-03-15"),
    ("15.03.26", "2026-03-15"),
    ("15.03", "2026-03-15"),
    ("5.3", "2026-03-05"),
    ("2026-03-15", "2026-03-15"),
    ("15 марта", "2026-03-15"),
    ("15 Марта", "2026-03-15"),
    ("15 марта 2026", "2026-03-15"),
    ("15 марта 2026 г.", "2026-03-15"),
    ("15 марта 2026 года", "2026-03-15"),
    ("1 мая", "2026-05-01"),
    ("сегодня", "2026-03-02"),
    ("Завтра", "2026-03-03"),
    ("послезавтра", "2026-03-04"),
    ("на завтра", "2026-03-03"),
    ("на 15 марта", "2026-03-15"),
    ("на 15.03", "2026-03-15"),
    ("вторник", "2026-03-03"),
    ("во вторник", "2026-03-03"),
    ("в среду", "2026-03-04"),
    ("среда", "2026-03-04"),
    ("в четверг", "2026-03-05"),
    ("в пятницу", "2026-03-06"),
    ("на субботу", "2026-03-07"),
    ("в воскресенье", "2026-03-08"),
    ("понедельник", "2026-03-09"),
    ("02.03", "2026-03-02"),
    ("01.03", "2027-03-01"),
    ("1 января", "2027-01-01"),
    ("29.02", "2028-02-29"),
    ("29 февраля", "2028-02-29"),
    ("29.02.2028", "2028-02-29"),
    ("01.03.2020", "2020-03-01"),
    ("29.02.2026", None),
    ("31.02", None),
    ("31 апреля", None),
    ("32.01", None),
    ("00.01", None),
    ("15.13", None),
    ("15.03.026", None),
    ("2026-13-01", None),
    ("2026-3-1", None),
    ("15 мартобря", None),
    ("вчера", None),
    ("через неделю", None),
    ("завтра в 5", None),
    ("15/03/2026", None),
    ("в", None),
    ("0000-01-01", None),
]

TIMES: list[tuple[str, str | None]] = [
    ("19:30", "19:30"),
    ("19.30", "19:30"),
    ("19-30", "19:30"),
    ("19 30", "19:30"),
    ("19", "19:00"),
    ("9", "09:00"),
    ("9:05", "09:05"),
    ("в 19:30", "19:30"),
    ("В 9", "09:00"),
    ("00:00", "00:00"),
    ("23:59", "23:59"),
    ("24:00", None),
    ("19:60", None),
    ("19:3", None),
    ("1930", None),
    ("19:30:00", None),
    ("вечером", None),
    ("-5", None),
    ("к 19", None),
]


@pytest.mark.parametrize(("written", "stored"), PHONES)
def test_phones(written: str, stored: str | None) -> None:
    assert parse("phone", written) == stored


@pytest.mark.parametrize(("written", "stored"), NAMES)
def test_names(written: str, stored: str | None) -> None:
    assert parse("person_name", written) == stored


@pytest.mark.parametrize(("written", "stored"), TEXTS)
def test_texts(written: str, stored: str | None) -> None:
    assert parse("text", written) == stored


@pytest.mark.parametrize(("written", "stored"), EMAILS)
def test_emails(written: str, stored: str | None) -> None:
    assert parse("email", written) == stored


@pytest.mark.parametrize(("written", "stored"), URLS)
def test_urls(written: str, stored: str | None) -> None:
    assert parse("url", written) == stored


@pytest.mark.parametrize(("written", "stored"), ADDRESSES)
def test_addresses(written: str, stored: str | None) -> None:
    assert parse("address", written) == stored


@pytest.mark.parametrize(("written", "stored"), NUMBERS)
def test_numbers(written: str, stored: int | None) -> None:
    assert parse("number", written) == stored


@pytest.mark.parametrize(("written", "stored"), MONEY)
def test_money_is_kopecks(written: str, stored: int | None) -> None:
    assert parse("money", written) == stored


@pytest.mark.parametrize(("written", "stored"), RATINGS)
def test_ratings(written: str, stored: int | None) -> None:
    assert parse("rating", written) == stored


@pytest.mark.parametrize(("written", "stored"), RATINGS_OF_TEN)
def test_ratings_of_ten(written: str, stored: int | None) -> None:
    assert parse("rating", written, of=10) == stored


@pytest.mark.parametrize(("written", "stored"), DATES)
def test_dates_on_a_monday(written: str, stored: str | None) -> None:
    assert parse("date", written, today=MONDAY) == stored


@pytest.mark.parametrize(("written", "stored"), TIMES)
def test_times(written: str, stored: str | None) -> None:
    assert parse("time", written) == stored


def test_a_date_needs_today_only_where_it_is_relative() -> None:
    assert parse("date", "15.03.2026") == "2026-03-15"
    assert parse("date", "завтра") is None
    assert parse("date", "15.03") is None
    assert parse("date", "завтра", today=date.max) is None
    assert parse("date", "01.01", today=date.max) is None


def test_limits_of_the_variable_count() -> None:
    assert parse("text", "абвгд", max=5) == "абвгд"
    assert parse("text", "абвгде", max=5) is None
    assert parse("text", "а" * 4000, max=9999) == "а" * 4000
    assert parse("text", "а" * 4001, max=9999) is None
    assert parse("number", "5", min=5, max=5) == 5
    assert parse("number", "4", min=5) is None
    assert parse("number", "6", max=5) is None
    assert parse("money", "5", min=600) is None
    assert parse("money", "7", max=600) is None


@pytest.mark.parametrize("kind", ["choice", "shared_contact", "location", "photo", "file", "flag", "list", "nonsense"])
def test_kinds_that_no_text_fills_are_never_right(kind: str) -> None:
    assert parse(kind, "5") is None


@pytest.mark.parametrize(
    ("number", "stored"),
    [
        ("+7 999 000-11-22", "+79990001122"),
        ("79123456789", "+79123456789"),
        ("8 912 345 67 89", "+79123456789"),
        ("9123456789", "+79123456789"),
        ("12025550125", "+12025550125"),
        ("375291234567", "+375291234567"),
        ("4915112345678", "+4915112345678"),
        ("\u202a+7 912 345-67-89\u202c", "+79123456789"),
        ("112", None),
        ("нет", None),
        ("", None),
        ("0123456789012", None),
    ],
)
def test_a_card_gives_its_number(number: str, stored: str | None) -> None:
    assert phone_from_card(number) == stored


def test_a_location_is_its_address_else_its_name_else_its_place() -> None:
    assert location_text(Location(55.79, 49.13, name="Кремль", address="Казань, Кремлёвская 2")) == (
        "Казань, Кремлёвская 2"
    )
    assert location_text(Location(55.79, 49.13, name="Кремль", address=" ")) == "Кремль"
    assert location_text(Location(55.7903, 49.1346)) == "55.790300, 49.134600"
    assert location_text(Location(-1, 0, address="\x00")) == "-1.000000, 0.000000"
    assert len(location_text(Location(0, 0, address="я" * 5000))) == 300


@pytest.mark.parametrize(
    ("value", "types"),
    [
        ("x", {"text", "choice", "person_name", "phone", "email", "url", "address", "date", "time"}),
        (5, {"number", "money", "rating"}),
        (True, {"flag"}),
        ([], {"list", "file_list"}),
        ([{"id": 1}] * 50, {"list", "file_list"}),
        ([{"id": 1}] * 51, set()),
        (1.5, set()),
        ({"a": 1}, set()),
        (None, set(BASE_TYPES)),
    ],
)
def test_a_value_fits_where_its_type_is(value: object, types: set[str]) -> None:
    assert {name for name in BASE_TYPES if fits(value, name)} == types


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Счёт и оплата", "счет и оплата"),
        ("Да, верно", "да верно!"),
        ("Да, верно", "  ДА   ВЕРНО "),
        ("✅ Готово", "готово"),
        ("Что-то ещё", "что то еще"),
        ("Don't know", "dont know"),
        ("Don’t know", "don't know"),
        ("Straße", "STRASSE"),
        ("№ 5", "5"),
        ("ещё", "еще\u0308"),
        ("👍", "👍"),
    ],
)
def test_titles_are_compared_without_case_punctuation_and_emoji(one: str, other: str) -> None:
    assert normal(one) == normal(other)


@pytest.mark.parametrize(
    ("one", "other"), [("< 1000", "> 1000"), ("C++", "C"), ("👍", "👎"), ("!", "?"), ("да", "дай")]
)
def test_titles_that_differ_stay_different(one: str, other: str) -> None:
    assert normal(one) != normal(other)


@pytest.mark.parametrize(
    ("message", "phrase", "is_there"),
    [
        ("а сколько стоит?", "сколько стоит", True),
        ("Сколько   СТОИТ, диагностика", "сколько стоит", True),
        ("где мой заказ?!", "где мой заказ", True),
        ("сколько стоите", "сколько стоит", False),
        ("несколько стоит", "сколько стоит", False),
        ("живой,человек", "живой человек", True),
        ("назад", "назад", True),
        ("назадал", "назад", False),
        ("что угодно", "", False),
        ("", "да", False),
    ],
)
def test_a_phrase_is_found_as_whole_words(message: str, phrase: str, is_there: bool) -> None:
    assert contains_phrase(message, phrase) is is_there


WRITTEN = (
    st.text(max_size=60)
    | st.text(alphabet="0123456789+-() .,:/абвруизд₽★⭐\u202a\u00a0\n@", max_size=40)
    | st.characters(categories=["Cs"]).map(lambda char: f"8912{char}3456789")
)


@given(st.sampled_from(sorted(PARSED_KINDS)), WRITTEN, st.none() | st.dates())
def test_parsing_never_raises_and_reads_its_own_output(kind: str, text: str, today: date | None) -> None:
    value = parse(kind, text, today=today)
    assert value is None or fits(value, kind)
    if isinstance(value, str):
        assert parse(kind, value, today=today) == value


@given(st.text(max_size=80) | st.text(alphabet=st.characters(categories=["Cc", "Cf", "Cs", "Mn", "Zs"]), max_size=20))
def test_cleaning_is_final_and_leaves_nothing_that_breaks(text: str) -> None:
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert cleaned == cleaned.strip()
    assert unicodedata.is_normalized("NFC", cleaned)
    assert all(char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cs") for char in cleaned)
    cleaned.encode()


@given(st.text(max_size=60), st.text(max_size=20))
def test_comparing_never_raises(one: str, other: str) -> None:
    assert normal(normal(one)) == normal(one)
    assert isinstance(contains_phrase(one, other), bool)
    assert not normal(one) or contains_phrase(f"так {one} вот", one) or not any(map(str.isalnum, one))


@given(st.dates(min_value=date(1000, 1, 1)))
def test_every_iso_date_is_read(day: date) -> None:
    assert parse("date", day.isoformat()) == day.isoformat()
    assert parse("date", f"{day:%d.%m.%Y}") == day.isoformat()


@pytest.mark.parametrize("kind", sorted(PARSED_KINDS))
@pytest.mark.parametrize("char", ["9", " ", "(", "а", "a.", "-", "@", "★", "доб ", "\u0301", "1 ", "<", "\x00"])
def test_a_very_long_message_is_no_trouble(kind: str, char: str) -> None:
    parse(kind, char * 100_000, today=MONDAY)
