"""Bytes of a request → JSON. 1C sends every encoding there is (contract §2 and §5); headers are only a hint."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import unquote_to_bytes

from integrations.onec.errors import Refusal

MAX_BODY_BYTES = 5 * 1024 * 1024  # after decompression
MAX_DEPTH = 32

_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))

# A declared charset outside this list is not believed. iso-8859-1 is left out on purpose: it decodes anything, and
# some libraries declare it by default over a UTF-8 or windows-1251 body.
_CHARSETS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "windows-1251": "cp1251",
    "cp1251": "cp1251",
    "win-1251": "cp1251",
    "koi8-r": "koi8-r",
    "cp866": "cp866",
    "ibm866": "cp866",
    "utf-16": "utf-16-le",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
}

_ENCODER = json.JSONEncoder(ensure_ascii=False)
_SURROGATES = re.compile("[\ud800-\udfff]")


def unpack(body: bytes) -> bytes:
    """Undo gzip, whether a header tells of it or not: the HTTP layer may have undone it already.

    Raises Refusal 413 before more than the limit is unpacked, 400 for a broken archive.
    """
    if not body.startswith(b"\x1f\x8b"):
        if len(body) > MAX_BODY_BYTES:
            raise too_large()
        return body
    unpacked = b""
    while body.startswith(b"\x1f\x8b"):  # an archive may have several members
        stream = zlib.decompressobj(wbits=31)
        try:
            unpacked += stream.decompress(body, MAX_BODY_BYTES + 1 - len(unpacked))
        except zlib.error as error:
            raise Refusal(400, "bad_gzip", "Не удалось распаковать тело запроса (gzip)") from error
        if len(unpacked) > MAX_BODY_BYTES or stream.unconsumed_tail:
            raise too_large()
        if not stream.eof:
            raise Refusal(400, "bad_gzip", "Тело запроса (gzip) оборвано")
        body = stream.unused_data
    return unpacked


def too_large() -> Refusal:
    return Refusal(413, "too_large", "Тело запроса больше 5 МБ: разделите пакет")


def decode(body: bytes, content_type: str) -> str:
    """BOM → declared charset if it decodes → strict UTF-8 → windows-1251. Never raises."""
    for bom, charset in _BOMS:
        if body.startswith(bom):
            return body[len(bom) :].decode(charset, errors="replace")
    declared = re.search(r"charset\s*=\s*[\"']?([\w-]{1,20})", content_type, re.ASCII | re.IGNORECASE)
    charsets = [_CHARSETS[declared[1].lower()]] if declared and declared[1].lower() in _CHARSETS else []
    for charset in (*charsets, "utf-8", "cp1251"):
        try:
            text = body.decode(charset)
        except UnicodeDecodeError:
            continue
        if charset.startswith("utf-16") and text.lstrip()[:1] not in ("{", "[", "<"):
            continue  # two bytes of another encoding are nearly always some letter of UTF-16
        return text
    return body.decode("utf-8", errors="replace")


def read_json(body: bytes, content_type: str) -> Any:
    """The JSON in a request's bytes (already unpacked), perhaps inside a form field.

    Numbers with a fraction are Decimal. Raises Refusal: 415 for XML and multipart, 400 with a position otherwise.
    """
    text = decode(body, content_type).strip(" \t\r\n\ufeff\x00")
    if text.startswith("<"):
        raise Refusal(415, "unsupported_media_type", "Ожидается JSON, а пришёл XML")
    if text.startswith("--") and "multipart/" in content_type.lower():
        raise Refusal(415, "unsupported_media_type", "Ожидается JSON, а пришла форма multipart")
    if not text:
        raise Refusal(400, "bad_json", "Тело запроса пустое, ожидается JSON")
    if text.startswith(("data=", "json=")):
        return _read_form(text[5:])
    return loads(text)


def _read_form(value: str) -> Any:
    if value.lstrip()[:1] in ("{", "["):  # glued without URL-encoding
        try:
            return loads(value)
        except Refusal:
            pass
    field = value.partition("&")[0].replace("+", " ")
    return loads(decode(unquote_to_bytes(field), "").strip())


def loads(text: str) -> Any:
    """Non-strict JSON: raw line breaks inside strings, NaN as a word, the last of two equal keys wins.

    Raises Refusal 400 with the position.
    """
    try:
        value = json.loads(text, strict=False, parse_float=_fraction, parse_int=_whole, parse_constant=str)
    except json.JSONDecodeError as error:
        where = f"строка {error.lineno}, позиция {error.colno}"
        raise Refusal(400, "bad_json", f"Тело запроса не является JSON: ошибка разбора, {where}") from error
    except RecursionError as error:
        raise _too_deep() from error
    if _depth_exceeds(value, MAX_DEPTH):
        raise _too_deep()
    return value


def _too_deep() -> Refusal:
    return Refusal(400, "bad_json", f"Вложенность JSON больше {MAX_DEPTH} уровней")


def _whole(digits: str) -> int | str:
    return int(digits) if len(digits) <= 40 else digits  # Python refuses thousands of digits; we need nineteen


def _fraction(digits: str) -> Decimal | str:
    try:
        return Decimal(digits) if len(digits) <= 40 else digits
    except InvalidOperation:  # an exponent of twenty digits
        return digits


def _depth_exceeds(value: Any, limit: int) -> bool:
    """Level by level, not by recursion: the body is hostile."""
    level = [value]
    for _ in range(limit):
        level = [
            inner
            for item in level
            if isinstance(item, dict | list)
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return True


def canonical(value: Any) -> str:
    """JSON that is equal for equal content: sorted keys, no spaces, 15300.00 as 15300. Expects a checked depth."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_quoted(key)}:{canonical(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(canonical(inner) for inner in value) + "]"
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, str):
        return _quoted(value)
    return json.dumps(value)


def canonical_bytes(value: Any) -> bytes:
    return canonical(value).encode("utf-8")


def _quoted(text: str) -> str:
    # Lone surrogates fit into no database and no answer: they become the replacement mark.
    return _ENCODER.encode(_SURROGATES.sub("\ufffd", text) if _SURROGATES.search(text) else text)


def _number(value: Decimal) -> str:
    if not value.is_finite() or abs(value.adjusted()) > 40:
        return _quoted(str(value))  # written out it would be as long as its exponent says
    digits = format(value, "f")
    digits = digits.rstrip("0").rstrip(".") if "." in digits else digits
    return "0" if digits in ("-0", "", "-") else digits
