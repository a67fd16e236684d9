"""What the tests of 1C share: samples, requests, and a small inbox that knows repeats as the real one does."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from integrations.base import Answer, IncomingEvent, Outcome, Received, Request, StoredEvent
from integrations.onec import OnecSettings
from integrations.onec.webhook import OnecWebhook

SAMPLES = Path(__file__).parents[2] / "samples" / "onec"
NOW = datetime(2024, 5, 1, 7, 0, 6, tzinfo=UTC)
TOKEN = "test-onec-token"
SETTINGS = OnecSettings(webhook_token=TOKEN, base_ids=("unf-main",))


class Headers(dict[str, str]):
    """Case-insensitive, as the HTTP layer hands them over."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__({name.lower(): value for name, value in headers.items()})

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)


def request(
    body: bytes | str | Any = b"",
    *,
    method: str = "POST",
    tail: str = "",
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, Sequence[str]] | None = None,
    remote: str | None = "203.0.113.5",
) -> Request:
    if isinstance(body, str):
        body = body.encode()
    elif not isinstance(body, bytes):
        body = json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return Request(
        method=method,
        path=f"/webhooks/onec{tail}",
        query=query or {},
        headers=Headers({"Authorization": f"Bearer {TOKEN}"} if headers is None else headers),
        body=body,
        remote=remote,
        received_at=NOW,
    )


@dataclass
class Inbox:
    """Unique (source, external id) for ever; a known id with another body is a conflict."""

    webhook: OnecWebhook
    rows: dict[str, IncomingEvent] = field(default_factory=dict)
    results: list[str | None] = field(default_factory=list)  # what the turns say, in order; then nothing

    def receive(self, call: Request) -> tuple[int, Any, Answer]:
        """(status, JSON of the answer, the answer)"""
        received = self.webhook.receive(call)
        if isinstance(received, Received):
            received = received.answer([self._put(event) for event in received.events])
        assert received.content_type == "application/json"
        return received.status, json.loads(received.body), received

    def _put(self, event: IncomingEvent) -> Outcome:
        known = self.rows.setdefault(event.external_id, event)
        if known is event:
            return Outcome("new", self.results.pop(0) if self.results else None)
        return Outcome("duplicate" if known.body == event.body else "conflict")

    @property
    def stored(self) -> list[StoredEvent]:
        return [
            StoredEvent(number, "onec", row.kind, row.external_id, row.body, NOW)
            for number, row in enumerate(self.rows.values(), start=1)
            if row.state == "waiting"
        ]


def inbox(settings: OnecSettings = SETTINGS) -> Inbox:
    return Inbox(OnecWebhook(settings))


def sample(name: str) -> dict[str, Any]:
    """A webhook sample that is plain JSON."""
    content: dict[str, Any] = json.loads((SAMPLES / "webhook" / name).read_bytes())
    return content
