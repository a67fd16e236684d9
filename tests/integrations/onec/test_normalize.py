from __future__ import annotations

import datetime as dt
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.onec import normalize
from integrations.onec.errors import BadValue

MOSCOW = ZoneInfo("Europe/Moscow")


@pytest.mark.parametrize(
    ("written", "kopecks"),
    [
        (15300, 1530000),
        (Decimal("5000.5"), 500050),
        (Decimal("0.005"), 1),
        (Decimal("15300.123"), 1530012),
        ("1 234,5", 123450),
        ("1\u00a0234,5", 123450),
        ("1\u202f015\u202f300,50", 101530050),
        ("1\u2009234.50", 123450),
        ("1'234.50", 123450),
        ("1234.50", 123450),
        ("-5,00", -500),
        ("\u22125,00 руб.", -500),
        ("15300 р", 1530000),
        ("руб. 100", 10000),
        ("100 RUB", 10000),
        ("₽100", 10000),
        ("1.234.567,89", 123456789),
        ("1,234,567.89", 123456789),
        ("15300.", 1530000),
        (",5", 50),
        ("0,125678", 13),
        ("", None),
        ("  \u00a0", None),
        (None, None),
    ],
)
def test_money_is_read_in_kopecks(written: Any, kopecks: int | None) -> None:
    assert normalize.money(written) == kopecks


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("15,300", "ambiguous_amount"),
        ("15.300", "ambiguous_amount"),
        ("сто рублей", "bad_amount"),
        ("1,234,567", "bad_amount"),
        ("1.23,45", "bad_amount"),
        ("1e5", "bad_amount"),
        ("5,00-", "bad_amount"),
        ("NaN", "bad_amount"),
        ("--5", "bad_amount"),
        (".", "bad_amount"),
        ("٣", "bad_amount"),
        ("1" * 5000, "bad_amount"),
        (10**4000, "bad_amount"),
        (Decimal("1e999999"), "bad_amount"),
        (Decimal("NaN"), "bad_amount"),
        (True, "bad_amount"),
        ({}, "bad_amount"),
    ],
)
def test_money_that_cannot_be_read_is_an_error_with_a_code(written: Any, code: str) -> None:
    with pytest.raises(BadValue) as error:
        normalize.money(written)
    assert error.value.code == code


TEN = datetime(2024, 5, 1, 7, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("2024-05-01T10:00:00", TEN),
        ("2024-05-01 10:00", TEN),
        ("2024-05-01T07:00:00Z", TEN),
        ("2024-05-01T12:00:00+05:00", TEN),
        ("2024-05-01T12:00:00.000+0500", TEN),
        ("2024-05-01T10:00:00.123456789", TEN.replace(microsecond=123456)),
        ("2024-05-01", datetime(2024, 4, 30, 21, 0, tzinfo=UTC)),
        ("01.05.2024 10:00:00", TEN),
        ("1.5.2024 9:30", datetime(2024, 5, 1, 6, 30, tzinfo=UTC)),
        ("01.05.2024", datetime(2024, 4, 30, 21, 0, tzinfo=UTC)),
        ("20240501100000", TEN),
        ("20240501", datetime(2024, 4, 30, 21, 0, tzinfo=UTC)),
        (20240501100000, TEN),
        ("/Date(1714546800000)/", TEN),
        ("/Date(1714546800000+0300)/", TEN),
        ("new Date(1714546800000)", TEN),
        ("0001-01-01T00:00:00", None),
        ("0001-01-01T00:00:00Z", None),
        ("01.01.0001 0:00:00", None),
        ("00010101000000", None),
        ("/Date(-62135596800000)/", None),
        ("1899-12-31", None),
        ("", None),
        (None, None),
    ],
)
def test_time_is_read_in_every_form(written: Any, at: datetime | None) -> None:
    found = normalize.moment(written, MOSCOW)
    assert (found.at if found else None) == at


def test_the_day_of_a_moment_is_that_of_the_base() -> None:
    found = normalize.moment("2023-12-31T22:00:00Z", MOSCOW)
    assert found is not None
    assert (found.day, found.text) == (dt.date(2024, 1, 1), "2023-12-31T22:00:00Z")


@pytest.mark.parametrize(
    "written", ["yesterday", "2024-13-01", "2024-02-30", "32.01.2024", "2024-05-01T25:00:00", "2024-05-01T10:00+99:00",
                "/Date(99999999999999999)/", "9999-12-31T23:59:59-10:00", True, [], 5, "2024-05-01T10:00:60"]
)  # fmt: skip
def test_time_that_cannot_be_read_is_an_error(written: Any) -> None:
    with pytest.raises(BadValue, match="дату"):
        normalize.moment(written, MOSCOW)


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "Europe", "", "\x00", "Nowhere/City", 5, None, "+99:00", "x" * 999]
)
def test_an_unknown_zone_is_the_default_one(name: Any) -> None:
    assert normalize.zone(name, MOSCOW) is MOSCOW


@pytest.mark.parametrize(
    ("written", "guid"),
    [
        ("{11AA53F0-06F2-11EF-9A4C-00155D012A03}", "11aa53f0-06f2-11ef-9a4c-00155d012a03"),
        ("00000000-0000-0000-0000-000000000000", None),
        ("", None),
        (None, None),
    ],
)
def test_guid(written: Any, guid: str | None) -> None:
    assert normalize.guid(written) == guid


@pytest.mark.parametrize("written", ["abc", 5, "11aa53f0-06f2-11ef-9a4c-00155d012a0g", {}])
def test_guid_of_another_pattern_is_an_error(written: Any) -> None:
    with pytest.raises(BadValue):
        normalize.guid(written)


@pytest.mark.parametrize(
    ("written", "is_true"),
    [(True, True), ("Да", True), ("ИСТИНА", True), ("yes", True), (1, True), ("1", True), (False, False),
     ("Нет", False), ("Ложь", False), (0, False), ("", False), (None, None)],
)  # fmt: skip
def test_flag(written: Any, is_true: bool | None) -> None:
    assert normalize.flag(written) is is_true


@pytest.mark.parametrize(
    ("written", "number"),
    [(63850143605123, 63850143605123), ("63\u00a0850\u00a0143\u00a0605\u00a0123", 63850143605123), (Decimal("7.0"), 7),
     ("-5", -5), (None, None), ("", None)],
)  # fmt: skip
def test_integer_of_64_bits(written: Any, number: int | None) -> None:
    assert normalize.integer(written) == number


@pytest.mark.parametrize("written", ["1.5", Decimal("1.5"), 2**63, "x", True, Decimal("1e900"), []])
def test_integer_that_is_none_is_an_error(written: Any) -> None:
    with pytest.raises(BadValue):
        normalize.integer(written)


@pytest.mark.parametrize(
    ("written", "number", "folded"),
    [
        ("УТ00-000123 ", "УТ00-000123", "УT00-000123"),
        ("  нф  нф-1", "НФ НФ-1", "HФ HФ-1"),
        ("АВЕКМНОРСТХ", "АВЕКМНОРСТХ", "ABEKMHOPCTX"),
        (45, "45", "45"),
    ],
)
def test_document_number(written: Any, number: str, folded: str) -> None:
    assert normalize.document_number(written) == number
    assert normalize.folded_number(number) == folded


def test_presentation_of_a_reference_gives_number_and_date() -> None:
    told = normalize.presentation("Заказ покупателя УТ00-000123 от 01.05.2024 10:00:00")
    assert told == ("УТ00-000123", "01.05.2024 10:00:00")
    assert normalize.presentation("УТ00-000123") is None


@pytest.mark.parametrize(
    ("written", "inn"),
    [("7701234567", "7701234567"), (7701234567, "7701234567"), (101234567, "0101234567"),
     ("12345678901", "012345678901"), ("770123456789", "770123456789"),
     (" 7701 234 567 ", "7701234567"), ("123", None),
     ("0000000000", None),
     ("нет", None), (None, None), (Decimal("7701234567.0"), "7701234567")],
)  # fmt: skip
def test_inn(written: Any, inn: str | None) -> None:
    assert normalize.inn(written) == inn


@pytest.mark.parametrize(
    ("written", "phone"),
    [
        ("8 (999) 123-45-67", "+79991234567"),
        ("+7 999 123-45-67", "+79991234567"),
        ("9991234567", "+79991234567"),
        (79991234567, "+79991234567"),
        ("(495) 123-45-67", "+74951234567"),
        ("раб. 123-45-67, моб. 8-999-123-45-67", "+79991234567"),
        ("8 999 123 45 67; 8 999 765 43 21", "+79991234567"),
        ("8 (495) 123-45-67 доб. 105", "+74951234567"),
        ("+375 29 123-45-67", "+375291234567"),
        ("375291234567", "+375291234567"),
        ('<КонтактнаяИнформация Представление="+7 (999) 123-45-67"><Номер>1234567</Номер></КонтактнаяИнформация>',
         "+79991234567"),
        ('{"value":"8 (999) 123-45-67","type":"Телефон"}', "+79991234567"),
        ("1234567", None),
        ("", None),
        (None, None),
        ({}, None),
    ],
)  # fmt: skip
def test_phone_is_the_first_that_normalizes(written: Any, phone: str | None) -> None:
    assert normalize.phone(written) == phone


@pytest.mark.parametrize(
    ("written", "code"), [("руб.", "RUB"), ("643", "RUB"), (643, "RUB"), ("руб", "RUB"), ("", "RUB"), (None, "RUB"),
                          ("usd", "USD"), ("978", "EUR"), ("тугрик", "ТУГРИК")]
)  # fmt: skip
def test_currency(written: Any, code: str) -> None:
    assert normalize.currency(written) == code


@pytest.mark.parametrize("written", ["javascript:alert(1)", "http://a b", "ftp://x", "", None, 'https://x"onclick'])
def test_an_address_that_is_no_web_address_is_none(written: Any) -> None:
    assert normalize.web_address(written) is None


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text(st.characters(), max_size=60),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(ANYTHING)
def test_nothing_but_bad_value_is_ever_raised(value: Any) -> None:
    readers: list[Any] = [normalize.money, normalize.guid, normalize.flag, normalize.integer]
    readers.append(lambda written: normalize.moment(written, MOSCOW))
    for read in readers:
        normalize.readable(read, value)
    for tolerant in (normalize.text, normalize.document_number, normalize.inn, normalize.phone, normalize.currency,
                     normalize.web_address, normalize.presentation, normalize.is_guid, normalize.shown):  # fmt: skip
        tolerant(value)
    normalize.zone(value, MOSCOW)


@given(st.integers(-(10**12), 10**12))
def test_money_survives_its_russian_writing(kopecks: int) -> None:
    sign = "\u2212" if kopecks < 0 else ""
    whole, rest = divmod(abs(kopecks), 100)
    assert normalize.money(f"{sign}{whole:,}".replace(",", "\u00a0") + f",{rest:02} руб.") == kopecks
