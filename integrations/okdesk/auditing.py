"""What a comparison with our ledger asks of Okdesk, and the webhooks that tell what we missed.

All of it reads. Events made here go through the inbox like Okdesk's own: a deletion has the same natural key as the
webhook about it, and a status that is known by then is told to nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import orjson

from integrations.base import IncomingEvent, Never
from integrations.okdesk.client import PAGE, OkdeskClient
from integrations.okdesk.creation import reference
from integrations.okdesk.reading import OUR_KEY
from integrations.okdesk.schemas import Issue
from integrations.okdesk.settings import OkdeskSettings

MOST_PAGES = 200


@dataclass(frozen=True, slots=True)
class SeenIssue:
    """An issue as it stands in Okdesk."""

    id: int
    title: str | None
    status: str | None
    status_name: str | None
    updated_at: str | None
    reference: str | None  # our key, as far as its attribute is there


class OkdeskAudit:
    """Raises Later and Never, as the client does."""

    def __init__(self, client: OkdeskClient, settings: OkdeskSettings) -> None:
        self._client = client
        self._settings = settings

    async def changed_since(self, since: datetime) -> list[SeenIssue]:
        """Raises Never, too, for more issues than one comparison takes: a part of them would look like the whole."""
        rows = await self._client.issues_changed_since(since, pages=MOST_PAGES)
        if len(rows) >= MOST_PAGES * PAGE:
            raise Never(
                f"more than {MOST_PAGES * PAGE} issues changed since then: compare a shorter time", code="invalid"
            )
        return [self._seen(row) for row in rows]

    async def with_key(self, key: str) -> list[SeenIssue]:
        """Issues that carry the key of one order of ours; empty, too, where the account has no attribute for it."""
        code = self._settings.dialog_ref_code
        if not code or await self._client.has_attribute(code) is False:
            return []
        wanted = self.reference(key)
        found = []
        for row in await self._client.issues_with_reference(code, wanted):
            whole = row if row.parameters is not None else await self._client.issue(row.id)
            if whole.parameter(code) == wanted:
                found.append(self._seen(whole))
        return found

    async def issue(self, issue_id: int) -> SeenIssue | None:
        """None: deleted. Another id: merged into that one."""
        try:
            return self._seen(await self._client.issue(issue_id))
        except Never as error:
            if error.code != "not_found":
                raise
            return None

    async def comment_ids(self, issue_id: int) -> frozenset[int]:
        try:
            survivor = (await self._client.issue(issue_id)).id
            return frozenset(comment.id for comment in await self._client.comments(survivor))
        except Never as error:
            if error.code != "not_found":
                raise
            return frozenset()

    def reference(self, key: str) -> str:
        return reference(key)

    def is_ours(self, seen: SeenIssue) -> bool:
        return seen.reference is not None and seen.reference.startswith(OUR_KEY)

    def _seen(self, issue: Issue) -> SeenIssue:
        code, status = self._settings.dialog_ref_code, issue.status
        return SeenIssue(
            issue.id,
            issue.title,
            status.code if status else None,
            (status.name or status.code) if status else None,
            issue.updated_at,
            issue.parameter(code) if code else None,
        )


def status_event(seen: SeenIssue, *, known: str | None) -> IncomingEvent:
    """The change of status that we did not hear of."""
    new = {"code": seen.status, "name": seen.status_name}
    old = None if known is None else {"code": known, "name": known}
    body = {
        "event": {"event_type": "new_ticket_status", "old_status": old, "new_status": new, "reconciled": True},
        "issue": {"id": seen.id, "title": seen.title, "status": new, "old_status": old},
    }
    name = f"reconciled:new_ticket_status:{seen.id}:{seen.status}:{seen.updated_at or ''}"
    return IncomingEvent("new_ticket_status", name, f"okdesk:issue:{seen.id}", orjson.dumps(body))


def deleted_event(issue_id: int) -> IncomingEvent:
    """The deletion that we did not hear of, under the key that the webhook about it has."""
    body = {"event": {"event_type": "ticket_deleted", "reconciled": True}, "issue": {"id": issue_id}}
    return IncomingEvent("ticket_deleted", deleted_key(issue_id), f"okdesk:issue:{issue_id}", orjson.dumps(body))


def deleted_key(issue_id: int) -> str:
    return f"ticket_deleted:{issue_id}"
