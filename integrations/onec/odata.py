"""Addresses and answers of 1C's OData v3 and of its HTTP services (contract §6 and §7). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from integrations.base import Never, Unknown
from integrations.onec.body import decode, loads
from integrations.onec.errors import ConfigurationError, NotFound, NotPublished, Refusal, Rejected, Unavailable

_ODATA = "/odata/standard.odata"
_HS = "/hs/dialogs/v1"

PAUSE_S = 15.0  # after a 5xx the whole base is left alone: each call takes a client licence


def publication(url: str) -> str:
    """The address of the publication, also when the address of one of its interfaces was configured."""
    return re.sub(r"(/odata(/standard\.odata)?|/hs(/dialogs(/v1)?)?)?/*$", "", url.strip())


def text_literal(text: str) -> str:
    """A quote inside is doubled."""
    return "'" + text.replace("'", "''") + "'"


def guid_literal(guid: str) -> str:
    return f"guid'{guid}'"


def datetime_literal(local: datetime) -> str:
    """A date of the base's own zone: OData of 1C knows no offsets."""
    return f"datetime'{local:%Y-%m-%dT%H:%M:%S}'"


def cast_literal(guid: str, type_name: str) -> str:
    """A value for a field of a composite type."""
    return f"cast(guid'{guid}','{type_name}')"


def odata_url(
    base: str,
    resource: str,
    *,
    guid: str | None = None,
    operation: str | None = None,
    options: Mapping[str, str] | None = None,
) -> str:
    """`resource` in Russian letters, percent-encoded here. `$format=json` is always asked: the default is XML."""
    path = quote(resource) + (f"({guid_literal(guid)})" if guid else "") + (f"/{operation}" if operation else "")
    query = {"$format": "json", **(options or {})}
    # %20 and not "+": not every server before 1C reads a plus as a space.
    pairs = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
    return f"{base}{_ODATA}/{path}?{pairs}"


def list_options(
    *,
    where: str | None = None,
    select: Sequence[str] = (),
    order_by: str | None = None,
    top: int | None = None,
    skip: int | None = None,
    count: bool = False,
) -> dict[str, str]:
    options = {
        "$filter": where,
        "$select": ",".join(select) or None,
        "$orderby": order_by,
        "$top": None if top is None else str(top),
        "$skip": None if skip is None else str(skip),
        "$inlinecount": "allpages" if count else None,
        "allowedOnly": "true",  # rows closed by access rights are left out instead of failing the call
    }
    return {name: value for name, value in options.items() if value is not None}


def hs_url(base: str, *path: str, query: str = "") -> str:
    """An address of our HTTP service; every part of the path is quoted."""
    return f"{base}{_HS}/" + "/".join(quote(part, safe="") for part in path) + query


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of 1C or of the web server before it."""

    status: int
    body: bytes
    content_type: str = ""
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    value: tuple[Mapping[str, Any], ...]
    count: int | None = None  # with $inlinecount; comes as a string


def reply_json(reply: Reply) -> Any:
    """JSON of an answer, BOM or not; None when it is something else."""
    try:
        return loads(decode(reply.body, reply.content_type).strip())
    except Refusal:
        return None


def rows_of(reply: Reply) -> Rows:
    """Raises Rejected when the answer is no list of rows: XML, a login page."""
    content = reply_json(reply)
    value = content.get("value") if isinstance(content, Mapping) else None
    if not isinstance(value, list):
        raise Rejected("1C answered with something that is no OData in JSON", code="unavailable")
    count = str(content.get("odata.count", ""))
    return Rows(tuple(row for row in value if isinstance(row, Mapping)), int(count) if count.isdecimal() else None)


@dataclass(frozen=True, slots=True)
class ToldError:
    code: str | None  # of OData: 6, 8, 9, 14, 15, 20, -1
    message: str
    is_json: bool


def told_error(reply: Reply) -> ToldError:
    """What an error answer says: JSON or XML of OData, JSON of a service, plain text, a page of the web server."""
    content = reply_json(reply)
    if isinstance(content, Mapping):
        error = content.get("odata.error", content.get("error", content))
        if not isinstance(error, Mapping):
            return ToldError(None, str(error)[:300], True)
        message = error.get("message")
        if isinstance(message, Mapping):
            message = message.get("value")
        code = error.get("code") if "odata.error" in content else None
        return ToldError(None if code is None else str(code), str(message or "")[:300], True)
    text = decode(reply.body[:20_000], reply.content_type)
    code_in_xml = re.search(r"<(?:m:)?code>\s*(-?\d{1,4})\s*</", text)
    message_in_xml = re.search(r"<(?:m:)?message[^>]{0,200}>([^<]{0,500})</", text)
    if code_in_xml:
        return ToldError(code_in_xml[1], message_in_xml[1].strip() if message_in_xml else "", False)
    plain = re.sub(r"\s+", " ", re.sub(r"<(?:style|script)[^>]*>.*?</(?:style|script)>|<[^>]*>", " ", text, flags=re.S))
    return ToldError(None, plain.strip()[:300], False)


def check(reply: Reply, *, writes: bool) -> None:
    """Raises the error of an answer that is not 2xx: Later, Never or (for writes) Unknown."""
    status = reply.status
    if 200 <= status < 300:
        return
    told = told_error(reply)
    message = f"1C answered {status}: {told.message}".rstrip(": ")
    if 300 <= status < 400:
        raise NotPublished(f"1C answered {status}, a redirect: the address is wrong")
    if status == 401:
        if told.code is not None:  # the configuration's access rules, not the login (§6.5)
            raise Rejected(message, code="forbidden")
        raise Never("1C refuses our login", code="forbidden", stops_system=True)
    if status == 403:
        raise Rejected(message, code="forbidden")
    if status == 404:
        raise NotFound(message) if told.code == "9" or (told.code is None and told.is_json) else NotPublished(message)
    if status in (408, 429, 503) or _no_licence(told.message):
        raise Unavailable(message, retry_after_s=reply.retry_after_s or PAUSE_S, scope="system")
    if status == 500 and (told.code is not None or _is_exception(told.message)):
        raise ConfigurationError(message, code="invalid")
    if status in (500, 502, 504) or status > 504:
        if writes:
            raise Unknown(message)
        raise Unavailable(message, retry_after_s=reply.retry_after_s or PAUSE_S, scope="system")
    raise Rejected(message, code="invalid")


def _no_licence(message: str) -> bool:
    return "лиценз" in message.lower()


def _is_exception(message: str) -> bool:
    """{ОбщийМодуль.Диалоги.Модуль(57)}: … — an exception of the configuration's code names its line."""
    return re.search(r"\{[^{}]{1,200}\(\d+(?:,\s*\d+)?\)\}", message) is not None
