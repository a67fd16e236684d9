"""The address that 1C calls (contract §3): who speaks, which events, what they are answered."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import structlog

from integrations.base import Answer, IncomingEvent, Outcome, Received, Request
from integrations.onec import normalize
from integrations.onec.access import has_token, is_allowed_address, parse_networks
from integrations.onec.aliases import FlatEvent, flatten
from integrations.onec.body import MAX_BODY_BYTES, canonical, canonical_bytes, read_json, unpack
from integrations.onec.errors import FieldError, Refusal
from integrations.onec.names import document_name
from integrations.onec.reading import alias_table, event_id, is_test, kind_of, missing, parse_event
from integrations.onec.settings import OnecSettings

log = structlog.get_logger(__name__)

MAX_EVENTS = 500
WAIT_S = 0.8  # §3.8 wants an answer within a second; the words stale and unmatched come from the turn
DEFAULT_SOURCE = "onec"
TURN_RESULTS = frozenset({"accepted", "duplicate", "stale", "ignored", "unmatched"})

_CONFLICT = ("conflict", "Событие с таким id уже принято с другим содержимым", "id")


@dataclass(frozen=True, slots=True)
class Result:
    """One line of `results`."""

    id: str | None
    result: str
    code: str | None = None
    message: str | None = None
    field: str | None = None

    def as_json(self) -> dict[str, Any]:
        line: dict[str, Any] = {"id": self.id, "result": self.result}
        if self.code is not None:
            line |= {"code": self.code, "field": self.field, "message": self.message}
        return line


@dataclass(frozen=True, slots=True)
class Item:
    """One event of a request: what is kept of it, and what it is answered unless the inbox knows better."""

    result: Result
    event: IncomingEvent | None  # None: nothing is kept (test, ping, foreign base)


class OnecWebhook:
    """`/webhooks/onec` and `/webhooks/onec/<source>`."""

    path = "/webhooks/onec"
    with_tail = True
    methods: tuple[str, ...] = ("GET", "POST")
    max_body_bytes = MAX_BODY_BYTES

    def __init__(self, settings: OnecSettings) -> None:
        if not settings.webhook_token:
            raise ValueError("the 1C webhook needs a token")
        self._token = settings.webhook_token
        self._settings = settings
        self._networks = parse_networks(settings.allowed_networks)
        self._table = alias_table(settings)

    def receive(self, request: Request) -> Answer | Received:
        try:
            tail = self._check_sender(request)
            if request.method == "GET":
                return self._connection_check(request, tail)
            return self._receive_events(request, tail)
        except Refusal as refusal:
            log.info("onec_request_refused", status=refusal.status, code=refusal.code)
            return refused(refusal)

    def _check_sender(self, request: Request) -> str | None:
        """Returns the source named in the address. Raises Refusal."""
        if not is_allowed_address(request.remote, self._networks):
            raise Refusal(403, "forbidden_address", "С этого адреса запросы не принимаются")
        if not has_token(request.headers, self._token):
            raise Refusal(401, "unauthorized", "Неверный токен")
        if request.method not in self.methods:
            raise Refusal(405, "method_not_allowed", "Используйте POST")
        tail = request.path.removeprefix(self.path).strip("/")
        if not tail:
            return None
        known = self._settings.base_ids
        if (known and tail not in known) or re.fullmatch(r"[\w.-]{1,64}", tail) is None:
            raise Refusal(403, "unknown_base", f"Неизвестная база: «{normalize.shown(tail)}»")
        return tail

    def _connection_check(self, request: Request, tail: str | None) -> Answer:
        if request.query:  # data in the address would leak to logs (§5)
            raise Refusal(405, "method_not_allowed", "Параметры в адресе не принимаются, отправьте JSON методом POST")
        return _json(200, {"ok": True, "time": _iso(request.received_at), "source": tail or self._default_source()})

    def _default_source(self) -> str:
        return default_source(self._settings)

    # ------------------------------------------------------------------------------------------------- events

    def _receive_events(self, request: Request, tail: str | None) -> Answer | Received:
        body = unpack(request.body)
        try:
            raw = read_json(body, request.headers.get("Content-Type", ""))
        except Refusal as refusal:
            if refusal.status != 400 or not body:
                raise
            return _keep_unreadable(body, refusal)
        envelope, raw_events = _events_of(raw)
        if raw_events is None:
            item = self._read(raw, {}, tail, request, request.headers.get("Idempotency-Key"))
            return _receive_single(item)
        if len(raw_events) > MAX_EVENTS:
            raise Refusal(413, "too_many_events", f"В пакете больше {MAX_EVENTS} событий: разделите его")
        if not raw_events:
            raise Refusal(422, "missing_field", "Пакет пуст: нет ни одного события", "events")
        items = [self._read(raw_event, envelope, tail, request, None) for raw_event in raw_events]
        if all(item.result.code == "unknown_base" for item in items):
            first = items[0].result
            raise Refusal(403, "unknown_base", first.message or "", first.field)
        return _receive_batch(items, request.body)

    def _read(
        self, raw: Any, envelope: Mapping[str, Any], tail: str | None, request: Request, header_key: str | None
    ) -> Item:
        """Check one event. Never raises: what is wrong with it becomes its result."""
        if not isinstance(raw, Mapping):
            error = FieldError("bad_event", "Событие должно быть объектом JSON", None)
            return _broken(None, raw, tail or self._default_source(), error)
        flat = flatten(raw, self._table)
        for path in ("source.base_id", "source.timezone"):  # may be told once for the whole batch
            if path in envelope:
                flat.values.setdefault(path, envelope[path])
        shown_id = normalize.text(flat.values.get("id"), 200) or normalize.text(header_key, 200)
        try:
            source = self._source(flat, tail)
        except FieldError as error:
            return Item(Result(shown_id, "error", error.code, error.message, error.field), None)
        try:
            return self._accept(flat, raw, source, request.received_at, shown_id)
        except FieldError as error:
            broken = _broken(shown_id, raw, source, error, flat)
            return replace(broken, event=None) if is_test(flat) else broken

    def _source(self, flat: FlatEvent, tail: str | None) -> str:
        """The base that an event comes from. Raises FieldError `unknown_base`, or when it must be told and is not."""
        known = self._settings.base_ids
        base_id = normalize.text(flat.values.get("source.base_id"), 65)
        if base_id is None:
            if tail is None and len(known) > 1:
                raise missing("source.base_id")
            return tail or self._default_source()
        is_foreign = base_id not in known if known else len(base_id) > 64
        # A copy of the live base keeps the address it was given, so the address may not outvote the base itself.
        if is_foreign or (known and tail is not None and tail != base_id):
            message = f"Неизвестная база: «{normalize.shown(base_id)}»"
            raise FieldError("unknown_base", message, "source.base_id")
        return base_id

    def _accept(
        self, flat: FlatEvent, raw: Mapping[str, Any], source: str, received_at: datetime, shown_id: str | None
    ) -> Item:
        kind = kind_of(flat)
        if kind is None:
            event_id(flat)
            incoming = IncomingEvent(
                kind="unknown",
                external_id=external_id(source, shown_id, _hash(source, canonical(raw))),
                key=f"onec:{source}:unknown",
                body=stored_body(source, raw),
                state="ignored",
                error="unknown kind of event",
            )
            return Item(Result(shown_id, "ignored"), None if is_test(flat) else incoming)
        event = parse_event(flat, source=source, received_at=received_at, settings=self._settings)
        if kind == "ping" or event.test:
            return Item(Result(shown_id, "accepted"), None)
        name = document_name(event.document)
        content = event.document.version or canonical(raw)
        incoming = IncomingEvent(
            kind=kind,
            external_id=external_id(source, shown_id, _hash(source, kind, name, content)),
            key=f"onec:{source}:{name}",
            body=stored_body(source, raw, normalize.text(flat.values.get("source.timezone"), 64)),
            # No time: the same id with another time must be found as a conflict; `seq` and versions give the order.
            occurred_at=None,
        )
        return Item(Result(shown_id, "accepted"), incoming)


def default_source(settings: OnecSettings) -> str:
    """The base of an event that names none."""
    return settings.base_ids[0] if len(settings.base_ids) == 1 else DEFAULT_SOURCE


def stored_body(source: str, raw: Any, timezone: str | None = None) -> bytes:
    """The body of an inbox row: the event in canonical JSON, so that another packing of it is the same bytes."""
    return canonical_bytes({"source": source, "timezone": timezone, "event": raw})


def external_id(source: str, sender_id: str | None, content_hash: str) -> str:
    """§3.7: the sender's id or header, else a hash. Bases do not share ids, so the source is a part of it."""
    return f"{source}:id:{sender_id}" if sender_id else f"{source}:sha256:{content_hash}"


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode("utf-8", errors="replace")).hexdigest()


def _events_of(raw: Any) -> tuple[Mapping[str, Any], list[Any] | None]:
    """(what the batch says of all its events, the events); no list when the body is one event."""
    if isinstance(raw, list):
        return {}, raw
    if isinstance(raw, Mapping) and isinstance(raw.get("events"), list):
        return flatten({"source": raw.get("source")}).values, raw["events"]
    return {}, None


def _broken(shown_id: str | None, raw: Any, source: str, error: FieldError, flat: FlatEvent | None = None) -> Item:
    """An event that is refused is kept, dead, under a name of its own: corrected, it comes with the same id."""
    result = Result(shown_id, "error", error.code, error.message, error.field)
    event = IncomingEvent(
        kind=(kind_of(flat) if flat is not None and error.field != "kind" else None) or "unreadable",
        external_id=f"{source}:error:{_hash(source, canonical(raw))}",
        key=f"onec:{source}:error",
        body=stored_body(source, raw, normalize.text(flat.values.get("source.timezone"), 64) if flat else None),
        state="dead",
        error=f"{error.code}: {error.field or 'event'}",
    )
    return Item(result, event)


def _keep_unreadable(body: bytes, refusal: Refusal) -> Received:
    name = hashlib.sha256(body).hexdigest()
    event = IncomingEvent(
        kind="unreadable",
        external_id=f"unreadable:{name}",
        key="onec:unreadable",
        body=body,
        state="dead",
        error="the body is not JSON",
    )
    return Received([event], lambda outcomes: refused(refusal))


# ------------------------------------------------------------------------------------------------------ answers


def _result(item: Item, outcome: Outcome | None) -> Result:
    """What the inbox and the turn make of an item that was read without an error."""
    result = item.result
    if outcome is None or result.result == "error":
        return result
    if outcome.kind == "conflict":
        code, message, field = _CONFLICT
        return Result(result.id, "conflict", code, message, field)
    if outcome.kind == "duplicate":
        return replace(result, result="duplicate")
    return replace(result, result=outcome.result) if outcome.result in TURN_RESULTS else result


def _receive_single(item: Item) -> Answer | Received:
    def answer(outcomes: Sequence[Outcome]) -> Answer:
        result = _result(item, outcomes[0] if outcomes else None)
        if result.code is not None:
            status = {"conflict": 409, "unknown_base": 403}.get(result.code, 422)
            return refused(Refusal(status, result.code, result.message or "", result.field))
        return _results([result])

    return Received([item.event], answer, wait_s=_wait_s([item])) if item.event else answer([])


def _receive_batch(items: Sequence[Item], body: bytes) -> Answer | Received:
    events = [item.event for item in items if item.event is not None]

    def answer(outcomes: Sequence[Outcome]) -> Answer:
        known = iter(outcomes)
        return _results([_result(item, next(known, None) if item.event is not None else None) for item in items])

    return Received(events, answer, body=body, wait_s=_wait_s(items)) if events else answer([])


def _wait_s(items: Sequence[Item]) -> float:
    return WAIT_S if any(item.event is not None and item.event.state == "waiting" for item in items) else 0.0


def _results(results: Sequence[Result]) -> Answer:
    accepted = sum(result.result == "accepted" for result in results)
    return _json(200, {"ok": True, "accepted": accepted, "results": [result.as_json() for result in results]})


def refused(refusal: Refusal) -> Answer:
    error = {"code": refusal.code, "message": refusal.message, "field": refusal.field}
    answer = _json(refusal.status, {"ok": False, "error": error})
    if refusal.status == 401:
        return replace(answer, headers=(("WWW-Authenticate", 'Basic realm="1c", charset="UTF-8"'),))
    if refusal.status == 405:
        return replace(answer, headers=(("Allow", ", ".join(OnecWebhook.methods)),))
    return answer


def _json(status: int, content: Mapping[str, Any]) -> Answer:
    return Answer(status, json.dumps(content, ensure_ascii=False).encode("utf-8", errors="replace"))


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
