"""Okdesk calls us: check the sender, tell a repeat from news, keep everything. Source: Okdesk's contract, 14."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from ipaddress import ip_address, ip_network
from typing import Any, Final

import orjson

from integrations.base import Answer, IncomingEvent, Outcome, Received, Request
from integrations.okdesk.html import clean
from integrations.okdesk.schemas import as_id
from integrations.okdesk.settings import OkdeskSettings

WINDOW_S: Final = 15 * 60
ISSUE_TYPES: Final = frozenset({
    "new_ticket", "new_ticket_status", "new_assignee", "update_issue_work_type", "new_priority", "new_comment",
    "new_csat_rate", "new_files", "new_deadline", "add_coexecutor", "remove_coexecutor", "change_ticket_parameter",
    "ticket_deleted",
})  # fmt: skip
DIRECTORY_TYPES: Final = {
    "new_equipment": "equipment", "change_equipment": "equipment", "new_company": "company",
    "change_company": "company", "new_agreement": "agreement", "change_agreement": "agreement",
    "new_service_aim": "service_aim", "change_service_aim": "service_aim",
}  # fmt: skip

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,12})?")
_DEEPEST: Final = 100
_REMEMBERED: Final = 20_000
_ACCEPTED: Final = Answer(200, b'{"status":"accepted"}')


class OkdeskWebhook:
    """POST /webhooks/okdesk.

    Okdesk sends neither an id nor a time of the event. What has a natural key (a comment, a creation) is a repeat for
    ever; anything else with the same content is a repeat within 15 minutes of its first sight. The number of that
    quarter of an hour is part of the id, so that every process gives the same one; this object also remembers what it
    has lately seen, so that a repeat after the turn of the quarter keeps the number of the first sight. After a
    restart, or in another process, a repeat that falls on the far side of the turn is a new event: what it says is
    then equal to the known state, which the shell does not tell twice.
    """

    path: str = "/webhooks/okdesk"
    methods: tuple[str, ...] = ("POST",)
    max_body_bytes: int = 2 * 1024 * 1024

    def __init__(self, settings: OkdeskSettings) -> None:
        self._login = _login(settings.webhook_user, settings.webhook_password)
        self._tail = settings.webhook_tail
        self._networks = [ip_network(network, strict=False) for network in settings.webhook_networks]
        self._seen: OrderedDict[str, datetime] = OrderedDict()  # identity -> when it was first seen
        self.with_tail = settings.webhook_tail is not None

    def receive(self, request: Request) -> Answer | Received:
        refused = self._refusal(request)
        if refused is not None:
            return refused
        body = _parsed(request.body)
        event = body.get("event") if isinstance(body, dict) else None
        kind = event.get("event_type") if isinstance(event, dict) else None
        if not isinstance(body, dict) or not isinstance(event, dict) or not isinstance(kind, str) or not kind.strip():
            digest = hashlib.sha256(request.body).hexdigest()
            unreadable = IncomingEvent(
                kind="unreadable",
                external_id=f"unreadable:{digest}",
                key="okdesk:unreadable",
                body=request.body,
                state="dead",
                error="The body is not a JSON object with event.event_type.",
            )
            refusal = _error(400, "bad_request", "A JSON object with event.event_type is expected.")
            return Received([unreadable], lambda outcomes: refusal)
        return Received([self._event(kind, event, body, request)], _accepted)

    def _event(self, kind: str, event: dict[str, Any], body: dict[str, Any], request: Request) -> IncomingEvent:
        issue_id = _id_of(body, "issue")
        natural = _natural_key(kind, issue_id, event)
        if natural is None:
            name = kind if kind in ISSUE_TYPES or kind in DIRECTORY_TYPES else "other"
            identity = f"{name}:{issue_id or 0}:{_content_hash(body, request.body)}"
            external_id = f"{identity}:{self._window(identity, request.received_at)}"
        else:
            external_id = natural
        entity = DIRECTORY_TYPES.get(kind)
        if kind in ISSUE_TYPES or entity is None:
            key = f"okdesk:issue:{issue_id}" if issue_id else "okdesk:other"
        else:
            key = f"okdesk:{entity}:{_id_of(body, entity) or 0}"
        if kind in ISSUE_TYPES and issue_id is None:
            return IncomingEvent(
                kind, external_id, key, request.body, state="dead", error=f"Unprocessable: {kind} has no issue.id."
            )
        if kind not in ISSUE_TYPES and entity is None:
            return IncomingEvent(
                clean(kind)[:60], external_id, key, request.body, state="ignored", error="Unknown type of event."
            )
        return IncomingEvent(kind, external_id, key, request.body)

    def _window(self, identity: str, at: datetime) -> int:
        """Number of the quarter of an hour in which this content was first seen."""
        while self._seen:
            oldest = next(iter(self._seen))
            if len(self._seen) <= _REMEMBERED and at - self._seen[oldest] < timedelta(seconds=WINDOW_S):
                break
            del self._seen[oldest]
        first = self._seen.get(identity)
        if first is None or at - first >= timedelta(seconds=WINDOW_S):
            first = self._seen[identity] = at
            self._seen.move_to_end(identity)
        return int(first.timestamp()) // WINDOW_S

    def _refusal(self, request: Request) -> Answer | None:
        if self._networks and not self._is_allowed(request.remote):
            return _error(403, "forbidden", "This address may not call here.")
        last = request.path.removeprefix(self.path).strip("/")
        if last:
            if self._tail is not None and hmac.compare_digest(last.encode(errors="replace"), self._tail.encode()):
                return None
            return _error(404, "not_found", "There is no such address.")
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic" and self._login is not None:
            try:
                login = base64.b64decode(given.strip(), validate=True)
            except (binascii.Error, ValueError):
                login = b""
            if hmac.compare_digest(hashlib.sha256(login).digest(), hashlib.sha256(self._login).digest()):
                return None
        answer = _error(401, "unauthorized", "Basic authorization is required.")
        return Answer(answer.status, answer.body, headers=(("WWW-Authenticate", 'Basic realm="okdesk"'),))

    def _is_allowed(self, remote: str | None) -> bool:
        try:
            address = ip_address(remote or "")
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def _login(user: str | None, password: str | None) -> bytes | None:
    return f"{user}:{password}".encode() if user and password else None


def _accepted(outcomes: Sequence[Outcome]) -> Answer:
    return _ACCEPTED


def _error(status: int, code: str, message: str) -> Answer:
    return Answer(status, orjson.dumps({"error": {"code": code, "message": message, "details": {}}}))


def _parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        return None


def _id_of(body: dict[str, Any], entity: str) -> int | None:
    block = body.get(entity)
    return as_id(block.get("id")) if isinstance(block, dict) else None


def _natural_key(kind: str, issue_id: int | None, event: dict[str, Any]) -> str | None:
    """What identifies this event for ever; None when nothing in it does."""
    if issue_id is None:
        return None
    if kind in ("new_ticket", "ticket_deleted"):
        return f"{kind}:{issue_id}"
    comment_id = _id_of(event, "comment")
    if kind == "new_comment" and comment_id is not None:
        return f"new_comment:{comment_id}"
    if kind == "new_files":
        files = _ids(event.get("attachments"))
        return f"new_files:{issue_id}:{_short(files)}" if files else None
    if kind == "new_ticket_status":
        # A comment and time entries belong to one transition; its codes are added in case an account repeats them.
        parts = [f"comment-{comment_id}"] if comment_id else [f"time-{n}" for n in _ids(event.get("time_entries"))]
        if parts:
            codes = [str(_code(event.get(name))) for name in ("old_status", "new_status")]
            return f"new_ticket_status:{issue_id}:{_short([*codes, *parts])}"
    return None


def _ids(blocks: Any) -> list[int]:
    if isinstance(blocks, dict):
        blocks = [blocks]
    if not isinstance(blocks, list):
        return []
    found = (as_id(block.get("id")) for block in blocks if isinstance(block, dict))
    return sorted(number for number in found if number is not None)


def _code(block: Any) -> Any:
    return block.get("code") if isinstance(block, dict) else None


def _short(parts: Sequence[object]) -> str:
    return hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()[:32]


def _content_hash(body: Any, raw: bytes) -> str:
    """Hash of the canonical JSON: keys sorted, "19734" the same as 19734 (accounts write ids both ways)."""
    try:
        canonical = orjson.dumps(_canonical(body, 0), option=orjson.OPT_SORT_KEYS)
    except _TooDeep:
        canonical = raw
    return hashlib.sha256(canonical).hexdigest()[:40]


class _TooDeep(Exception):
    pass


def _canonical(value: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        raise _TooDeep
    if isinstance(value, dict):
        return {name: _canonical(inner, depth + 1) for name, inner in value.items()}
    if isinstance(value, list):
        return [_canonical(inner, depth + 1) for inner in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return f"{Decimal(value).normalize():f}"
    return value
