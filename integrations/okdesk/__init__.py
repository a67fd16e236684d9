"""Okdesk, the help desk: issues and comments. Wire contract: docs and samples of Okdesk's REST API and webhooks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from integrations.base import CallLog, Integration, Never
from integrations.okdesk.actions import SPECS, OkdeskActions
from integrations.okdesk.auditing import OkdeskAudit
from integrations.okdesk.client import OkdeskClient
from integrations.okdesk.phones import e164
from integrations.okdesk.reading import okdesk_reader
from integrations.okdesk.settings import OkdeskSettings
from integrations.okdesk.webhook import OkdeskWebhook

__all__ = ["SPECS", "OkdeskIntegration", "OkdeskSettings", "make_okdesk"]


@dataclass(slots=True)
class OkdeskIntegration(Integration):
    """What the service can ask of Okdesk besides orders."""

    client: OkdeskClient | None = None
    audit: OkdeskAudit | None = None

    async def download(self, file_id: str, limit_bytes: int) -> bytes:
        """A file of a fact, whose `id` is ISSUE/ATTACHMENT. Raises Later or Never."""
        issue_id, _, attachment_id = file_id.partition("/")
        if self.client is None or not (issue_id + attachment_id).isascii():
            raise Never("Okdesk has no such file.", code="not_found")
        if not (issue_id.isdigit() and attachment_id.isdigit()):
            raise Never("Okdesk has no such file.", code="not_found")
        return await self.client.attachment(int(issue_id), int(attachment_id), limit_bytes)

    async def phone_of(self, contact_id: int) -> str | None:
        """E.164 number of a contact: webhooks name a contact and no phone. Raises Later or Never."""
        contact = await self.client.contact(contact_id) if self.client else None
        return (e164(contact.mobile_phone or "") or e164(contact.phone or "")) if contact else None


def make_okdesk(
    settings: OkdeskSettings,
    *,
    http: httpx.AsyncClient,
    now: Callable[[], datetime],
    log_call: CallLog,
    files: Callable[[Mapping[str, Any]], Awaitable[bytes]],
) -> OkdeskIntegration:
    """Okdesk as far as it is configured: calls to it, calls from it, or both.

    `http` is opened and closed by the caller. `files` fetches the bytes of a customer's file
    {id, kind, name, mime, size, channel} and raises Later or Never.
    """
    client = OkdeskClient(settings, http=http, now=now, log_call=log_call) if settings.calls else None

    async def check() -> str:
        if client is None:
            raise Never("OKDESK_URL and OKDESK_API_TOKEN are not set.", code="invalid")
        code = settings.dialog_ref_code
        has_reference = await client.has_attribute(code) if code else False
        found_again = "by our reference" if has_reference else "by contact and title"
        if settings.author_id is None:
            return f"Okdesk answers; OKDESK_AUTHOR_ID is not set; lost issues are found {found_again}."
        employee = await client.employee(settings.author_id)
        if employee is None or not employee.active:
            raise Never(f"Okdesk has no active employee {settings.author_id} (OKDESK_AUTHOR_ID).", code="not_found")
        return f"Okdesk answers; lost issues are found {found_again}."

    return OkdeskIntegration(
        name="okdesk",
        same=_is_same,
        webhooks=(OkdeskWebhook(settings),) if settings.listens else (),
        read=okdesk_reader(settings),
        actions=OkdeskActions(client, settings, now=now, fetch=files).catalogue() if client else {},
        per_second=settings.per_second,
        in_flight=settings.in_flight,
        check=check if client else None,
        client=client,
        audit=OkdeskAudit(client, settings) if client else None,
    )


def _is_same(_first: bytes, _second: bytes) -> bool:
    """A repeat under a natural key carries the issue as it is by then, so bodies differ without a contradiction."""
    return True
