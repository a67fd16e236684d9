"""Which orders WhatsApp carries out. Contract: sections 5, 8 and 9.

"send" has no `settle`: nothing can be asked of Meta by our key. The key goes along in `biz_opaque_callback_data` and
comes back in every status as `DeliveryReported.key`; the first one settles an order whose answer was lost. Without one
within about a minute the order may be repeated if its `is_question` is true, else a person has to look.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog

from dialogs.events import File
from integrations.base import Action, Done, Later, Never, Order, Unknown
from integrations.whatsapp.client import WhatsAppClient
from integrations.whatsapp.errors import Refused, RefusedForNow, opaque
from integrations.whatsapp.render import text_instead

log = structlog.get_logger(__name__)

FetchFile = Callable[[File, int], Awaitable[bytes]]  # of the channel that has the bytes; raises Later or Never

# Bytes that Meta takes of each kind.
UPLOAD_LIMITS: Mapping[str, int] = {
    "image": 5 * 2**20,
    "video": 16 * 2**20,
    "audio": 16 * 2**20,
    "document": 100 * 2**20,
    "sticker": 500 * 2**10,
}
_MIMES = {
    "photo": "image/jpeg",
    "voice": "audio/ogg",
    "audio": "audio/mpeg",
    "video": "video/mp4",
    "sticker": "image/webp",
}
_UPLOAD_LIVES = timedelta(days=29)
_MOST_UPLOADS = 1000


class Sending:
    """The action "send": one row of the outbox becomes one message."""

    def __init__(self, client: WhatsAppClient, now: Callable[[], datetime]) -> None:
        self._client = client
        self._now = now
        self._templates_wait_until: datetime | None = None
        self._uploads: dict[str, tuple[str, datetime]] = {}  # file id → (media id, when)
        self.fetch_file: FetchFile | None = None

    async def send(self, order: Order) -> Done:
        """Send `params["message"]`, or `params["template"]` if `params["use_template"]`.

        Further params: `reply_to` (wamid), `account` (our number to send from, if not the first), `file`.
        The result has the wamid as `external_id`, and `wa_id`, `user_id`, `message_status` where Meta names them.
        Raises Later, Never, Unknown.
        """
        params = order.params
        is_template = bool(params.get("use_template"))
        if is_template and params.get("skip_with_template"):
            return Done({"skipped": True})
        content = params.get("template" if is_template else "message")
        if not isinstance(content, Mapping):
            raise Never("nothing to send: the message has no such form", window_closed=is_template)
        number = self._number(params)
        content = dict(content)
        if is_template:
            self._check_templates()
        elif isinstance(params.get("file"), Mapping):
            content = await self._with_file(content, params["file"], number)
        try:
            answer = await self._post(order, number, content)
        except Refused as refusal:
            instead = text_instead(content) if refusal.decision.as_text else None
            if instead is None:
                raise
            log.warning("whatsapp_sent_as_text", kind=content.get("type"))
            answer = await self._post(order, number, instead)
        except RefusedForNow as refusal:
            if refusal.decision.pauses_templates:
                self._pause_templates(refusal.retry_after_s or 0.0)
            raise
        return _done(answer)

    async def mark_read(self, order: Order) -> Done:
        """Blue ticks for `params["message_id"]`, and typing with `params["typing"]`. Best effort: it never fails."""
        body: dict[str, Any] = {
            "messaging_product": "whatsapp",
            "status": "read",
            "message_id": order.params.get("message_id"),
        }
        if order.params.get("typing"):
            body["typing_indicator"] = {"type": "text"}
        try:
            await self._client.post_message(self._number(order.params), body)
        except (Later, Never, Unknown) as error:
            log.info("whatsapp_not_marked_read", reason=type(error).__name__)
            return Done({"read": False})
        return Done({"read": True})

    async def _post(self, order: Order, number: str, content: Mapping[str, Any]) -> dict[str, Any]:
        body: dict[str, Any] = {"messaging_product": "whatsapp", "recipient_type": "individual"}
        recipient = order.recipient.removeprefix("+")
        if recipient.isascii() and recipient.isdigit():
            body["to"] = f"+{recipient}"  # without the plus Meta would put our own country code before it
        else:
            body["recipient"] = recipient
        if order.params.get("reply_to"):
            body["context"] = {"message_id": order.params["reply_to"]}
        body |= content
        body["biz_opaque_callback_data"] = opaque(order.key, order.attempt)
        return await self._client.post_message(number, body, attempt=order.attempt)

    def _number(self, params: Mapping[str, Any]) -> str:
        """The number that the customer wrote to, if it is named and ours."""
        account = params.get("account")
        return account if account in self._client.numbers else self._client.numbers[0]

    async def _with_file(self, content: dict[str, Any], file: Mapping[str, Any], number: str) -> dict[str, Any]:
        """The message with a media id in place of a file of another channel. A retry does not upload again."""
        kind = str(content.get("type"))
        file_id = str(file.get("id"))
        known = self._uploads.get(file_id)
        if known is None or self._now() - known[1] > _UPLOAD_LIVES:
            if self.fetch_file is None:
                raise Never("the file belongs to a channel that is not connected", code="unavailable")
            name = file.get("name")
            source = File(file_id, file.get("kind", "file"), name, file.get("mime"), file.get("size"))
            data = await self.fetch_file(source, UPLOAD_LIMITS.get(kind, UPLOAD_LIMITS["document"]))
            guessed = mimetypes.guess_type(name)[0] if name else None
            mime = source.mime or _MIMES.get(source.kind) or guessed or "application/octet-stream"
            media_id = await self._client.upload(number, data, mime=mime, name=name or f"{source.kind}")
            if len(self._uploads) >= _MOST_UPLOADS:
                self._uploads.clear()
            known = self._uploads[file_id] = media_id, self._now()
        return {**content, kind: {**content.get(kind, {}), "id": known[0]}}

    # Spam and payment restrictions stop what begins a conversation; answers in the window still go.

    def _check_templates(self) -> None:
        until = self._templates_wait_until
        left_s = (until - self._now()).total_seconds() if until is not None else 0.0
        if left_s > 0:
            raise Later("WhatsApp restricts messages that begin a conversation", retry_after_s=left_s)

    def _pause_templates(self, seconds: float) -> None:
        self._templates_wait_until = self._now() + timedelta(seconds=seconds)
        log.error("whatsapp_templates_paused", seconds=seconds)


def _done(answer: Mapping[str, Any]) -> Done:
    """Raises Unknown if the answer names no message: it was taken, but nobody knows as what."""
    messages, contacts = answer.get("messages"), answer.get("contacts")
    message = messages[0] if isinstance(messages, list) and messages else None
    wamid = message.get("id") if isinstance(message, dict) else None
    if not isinstance(wamid, str) or not wamid:
        raise Unknown("WhatsApp accepted something without naming it")
    contact = contacts[0] if isinstance(contacts, list) and contacts else None
    result: dict[str, Any] = {}
    if isinstance(contact, dict):
        result |= {name: contact[name] for name in ("wa_id", "user_id") if isinstance(contact.get(name), str)}
    if isinstance(message, dict) and isinstance(message.get("message_status"), str):
        result["message_status"] = message["message_status"]
    return Done(result, external_id=wamid)


def make_actions(sending: Sending) -> dict[str, Action]:
    return {
        "send": Action("send", sending.send),
        "mark_read": Action("mark_read", sending.mark_read, repeatable=True),
    }
