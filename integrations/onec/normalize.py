"""Values as 1C writes them → values that can be compared (contract §2 and §3.6). Pure; raises only BadValue."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from integrations.onec.errors import BadValue
from integrations.onec.schemas import Moment

T = TypeVar("T")

_SPACES = re.compile(r"[\s\u00a0\u202f\u2009\u2007\ufeff\u200b]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]+")


def text(value: Any, limit: int = 500) -> str | None:
    """A trimmed text without control characters and lone surrogates, cut at `limit`; None if there is nothing."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, Decimal) or (isinstance(value, int) and value.bit_length() <= 256):
        value = str(value)  # Python refuses to print integers of thousands of digits
    if not isinstance(value, str):
        return None
    return _CONTROL.sub(" ", value[: limit * 4]).strip(" \u00a0\u202f\ufeff")[:limit].rstrip() or None


def readable(read: Callable[[Any], T | None], value: Any) -> T | None:
    """For what is nice to know: a value that cannot be read counts as none."""
    try:
        return read(value)
    except BadValue:
        return None


def shown(value: Any) -> str:
    """A value for an error message: short and harmless."""
    return text(value, 40) or type(value).__name__


# ------------------------------------------------------------------------------------------------------- money

_AMOUNT = re.compile(r"(?:[^\W\d_]+\.?|[₽$€])?([+-]?)([0-9.,]*[0-9][0-9.,]*)(?:[^\W\d_]+\.?|[₽$€])?")
_LIMIT = Decimal(10) ** 13  # roubles; more is a mistake, and kopecks must fit into 64 bits


def money(value: Any) -> int | None:
    """Kopecks, half up. Raises BadValue: `ambiguous_amount` for "15,300", `bad_amount` for anything unreadable."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise _bad_amount(value)
    number = _amount_of_text(value) if isinstance(value, str) else Decimal(value)
    if number is None:
        return None
    if not number.is_finite() or abs(number) >= _LIMIT:
        raise _bad_amount(value)
    return int((number * 100).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def _amount_of_text(value: str) -> Decimal | None:
    compact = _SPACES.sub("", value[:200])
    if not compact and len(value) <= 200:
        return None
    compact = re.sub(r"['’`]", "", compact).replace("\u2212", "-").replace("\u2013", "-")
    match = _AMOUNT.fullmatch(compact) if len(compact) <= 64 else None
    if match is None or not compact.isprintable():
        raise _bad_amount(value)
    sign, digits = match.groups()
    separators = re.sub("[0-9]", "", digits)
    if len(set(separators)) == 2:  # the last one is the decimal point, the others part thousands
        point = digits[max(digits.rfind("."), digits.rfind(","))]
        group = "," if point == "." else "."
        whole, _, fraction = digits.partition(point)
        if re.fullmatch(rf"[0-9]{{1,3}}(?:{re.escape(group)}[0-9]{{3}})+", whole) is None or point in fraction:
            raise _bad_amount(value)
        digits = f"{whole.replace(group, '')}.{fraction}"
    elif len(separators) == 1:
        if re.search(r"[0-9][.,][0-9]{3}$", digits):
            raise BadValue("ambiguous_amount", f"Сумма читается двояко: «{shown(value)}»")
        digits = digits.replace(",", ".")
    elif separators:
        raise _bad_amount(value)
    return Decimal(f"{sign}{digits}")


def _bad_amount(value: Any) -> BadValue:
    return BadValue("bad_amount", f"Не удалось прочитать сумму: «{shown(value)}»")


# -------------------------------------------------------------------------------------------------------- time

_ISO = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?)?"
    r"\s*(Z|z|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)
_RUSSIAN = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})(?:,?\s+([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?)?")
_COMPACT = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:([0-9]{2})([0-9]{2})([0-9]{2}))?")
_MILLISECONDS = re.compile(r"(?:\\?/Date\((-?[0-9]{1,17})(?:[+-][0-9]{4})?\)\\?/|new Date\((-?[0-9]{1,17})\))")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def zone(name: Any, default: tzinfo) -> tzinfo:
    """An IANA name or an offset like +03:00; `default` when it is neither."""
    if not isinstance(name, str) or not name.strip() or len(name) > 64:
        return default
    try:
        return _offset(name.strip()) if name.strip()[0] in "+-" else ZoneInfo(name.strip())
    except (KeyError, ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError; a folder's name is an OSError
        return default


def _offset(written: str) -> timezone:
    match = re.fullmatch(r"([+-])([0-9]{1,2})(?::?([0-9]{2}))?", written)
    if match is None:
        raise ValueError(written)
    size = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
    return timezone(-size if match[1] == "-" else size)  # ValueError from 24 hours on


def moment(value: Any, local: tzinfo) -> Moment | None:
    """A moment in one of the forms of §3.6; a time without a zone is in `local`. Empty dates of 1C are None.

    Raises BadValue `bad_time`.
    """
    if value is None or value == "":
        return None
    written = text(value, 64)
    if written is None:
        if isinstance(value, str):
            return None
        raise _bad_time(value)
    try:
        at = _read_moment(written, local)
        if at is None or at.year < 1900:  # 0001-01-01 is 1C's empty date
            return None
        inside = at.astimezone(local)
        return Moment(at.astimezone(UTC), inside.date(), written)
    except (ValueError, OverflowError) as error:
        raise _bad_time(value) from error


def day(value: Any, local: tzinfo) -> date | None:
    """The date alone, in the base's zone. Raises BadValue `bad_time`."""
    found = moment(value, local)
    return found.day if found else None


def _read_moment(written: str, local: tzinfo) -> datetime | None:
    if match := _ISO.fullmatch(written):
        year, month, day_, hour, minute, second, fraction, offset = match.groups()
        if int(year) < 1900:
            return None
        at = datetime(int(year), int(month), int(day_), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=UTC)
        at = at.replace(microsecond=int((fraction or "0")[:6].ljust(6, "0")))
        return at.replace(tzinfo=local if offset is None else UTC if offset in "Zz" else _offset(offset))
    if match := _RUSSIAN.fullmatch(written):
        day_, month, year, *clock = match.groups()
    elif match := _COMPACT.fullmatch(written):
        year, month, day_, *clock = match.groups()
    elif match := _MILLISECONDS.fullmatch(written):
        # The offset after the milliseconds is for showing only: the number itself counts from 1970 in UTC.
        return _since_epoch(int(match[1] or match[2]))
    else:
        raise ValueError(written)
    if int(year) < 1900:
        return None
    hour, minute, second = (int(part or 0) for part in clock)
    return datetime(int(year), int(month), int(day_), hour, minute, second, tzinfo=local)


def _since_epoch(milliseconds: int) -> datetime | None:
    if milliseconds <= -2208988800000:  # before 1900; year 1 does not survive a change of zone
        return None
    return _EPOCH + timedelta(milliseconds=milliseconds)


def _bad_time(value: Any) -> BadValue:
    return BadValue("bad_time", f"Не удалось прочитать дату: «{shown(value)}»")


# -------------------------------------------------------------------------------------- references and flags

_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_ZERO_GUID = "00000000-0000-0000-0000-000000000000"
_TRUE = frozenset({"true", "да", "истина", "yes", "1"})
_FALSE = frozenset({"false", "нет", "ложь", "no", "0", ""})


def guid(value: Any) -> str | None:
    """Lower case without braces; the empty reference is None. Raises BadValue `bad_guid`."""
    if value is None:
        return None
    written = (text(value, 64) or "").strip("{} ").lower() if isinstance(value, str) else None
    if written == "" or written == _ZERO_GUID:
        return None
    if written is None or _GUID.fullmatch(written) is None:
        raise BadValue("bad_guid", f"Не удалось прочитать уникальный идентификатор: «{shown(value)}»")
    return written


def is_guid(value: Any) -> bool:
    return isinstance(value, str) and _GUID.fullmatch(value[:64].strip(" {}").lower()) is not None


def flag(value: Any) -> bool | None:
    """None only for null: an empty text is False (§3.6). Raises BadValue `bad_bool`."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str | int | Decimal):
        word = (text(value, 16) or "").lower()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
    raise BadValue("bad_bool", f"Не удалось прочитать признак «да/нет»: «{shown(value)}»")


def _without_fraction(value: Any) -> Any:
    """7701234567.0 is the integer that somebody's serializer made a fraction of."""
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) < 30 and value == int(value):
        return int(value)
    return value


def integer(value: Any) -> int | None:
    """A whole number of 64 bits, also with groups parted by spaces. Raises BadValue `bad_number`."""
    if value is None or value == "":
        return None
    written = _SPACES.sub("", text(_without_fraction(value), 64) or "")
    if re.fullmatch(r"[+-]?[0-9]{1,19}", written) is None or not -(2**63) <= int(written) < 2**63:
        raise BadValue("bad_number", f"Не удалось прочитать целое число: «{shown(value)}»")
    return int(written)


# ------------------------------------------------------------------------------------------ numbers and people

_LOOKALIKE = str.maketrans("АВЕКМНОРСТХ", "ABEKMHOPCTX")
_PRESENTATION = re.compile(r"(?:.*\s)?(\S+)\s+от\s+([0-9]{1,2}\.[0-9]{1,2}\.[0-9]{4}(?:\s+[0-9:]{4,8})?)(?:\s.*)?")


def document_number(value: Any) -> str | None:
    """A number as shown to people: trimmed, inner spaces collapsed, upper case; never an integer."""
    written = text(value, 50)
    return _SPACES.sub(" ", written).upper() if written else None


def folded_number(number: str) -> str:
    """For comparing: people retype numbers, so Cyrillic look-alikes become Latin."""
    return number.upper().translate(_LOOKALIKE)


def presentation(value: Any) -> tuple[str, str] | None:
    """(number, date) of "Заказ покупателя УТ00-000123 от 01.05.2024 10:00:00"; None for anything else."""
    match = _PRESENTATION.fullmatch(text(value, 200) or "")
    return (match[1], match[2]) if match else None


def inn(value: Any) -> str | None:
    """10 or 12 digits; a lost leading zero is put back. None when it is no INN."""
    digits = _SPACES.sub("", text(_without_fraction(value), 32) or "")
    if re.fullmatch("[0-9]{9,12}", digits) is None or not digits.strip("0"):
        return None
    return digits.zfill(10) if len(digits) <= 10 else digits.zfill(12)


_PHONE = re.compile(r"(?<![0-9A-Za-z_-])\+?\(?[0-9](?:[\s\u00a0\u202f().\u2010-\u2015-]{0,3}[0-9]){6,14}(?![0-9-])")
_CODES_WITHOUT_PLUS = ("375", "380", "374", "373", "992", "993", "994", "995", "996", "998")


def phone(value: Any) -> str | None:
    """The first E.164 number in a free text, a list, or 1C's contact information in XML or JSON."""
    written = text(value, 4000)
    for match in _PHONE.finditer(written or ""):
        digits = re.sub("[^0-9]", "", match.group())
        if number := _e164(digits, has_plus=match.group().startswith("+")):
            return number
    return None


def _e164(digits: str, *, has_plus: bool) -> str | None:
    if has_plus:
        is_russian = digits.startswith("7")
        return f"+{digits}" if (len(digits) == 11 if is_russian else 8 <= len(digits) <= 15) else None
    if len(digits) == 11 and digits[0] in "78" and digits[1] in "3456789":
        return f"+7{digits[1:]}"
    if len(digits) == 10 and digits[0] in "3489":
        return f"+7{digits}"
    if len(digits) == 12 and digits.startswith(_CODES_WITHOUT_PLUS):
        return f"+{digits}"
    return None


_CURRENCIES = {
    **dict.fromkeys(("", "РУБ", "РУБЛЬ", "РУБЛИ", "РУБЛЕЙ", "РУБ.РФ", "Р", "₽", "RUB", "RUR", "643", "810"), "RUB"),
    **dict.fromkeys(("USD", "840", "$", "ДОЛЛ", "ДОЛЛАР"), "USD"),
    **dict.fromkeys(("EUR", "978", "€", "ЕВРО"), "EUR"),
    **dict.fromkeys(("KZT", "398", "ТЕНГЕ"), "KZT"),
    **dict.fromkeys(("BYN", "933"), "BYN"),
    **dict.fromkeys(("CNY", "156", "ЮАНЬ"), "CNY"),
}


def currency(value: Any) -> str:
    """A three-letter code; nothing means roubles. An unknown word stays as it is, so that nobody takes it for RUB."""
    written = (text(value, 16) or "").upper().replace(" ", "").rstrip(".")
    return _CURRENCIES.get(written, written)


def web_address(value: Any) -> str | None:
    """An http(s) address that may be shown to a customer; None for anything else."""
    written = text(value, 2000)
    return written if written and re.fullmatch(r"https?://[^\s<>\"']+", written) else None
