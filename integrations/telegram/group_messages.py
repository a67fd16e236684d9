"""One order of ours as messages in a managers' group: files, long text, buttons, topics that were closed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import structlog
from aiogram.types import BufferedInputFile

from dialogs.events import File, FileKind
from integrations.base import Done, Never, Order
from integrations.telegram.client import Sent, TelegramClient
from integrations.telegram.errors import Refused
from integrations.telegram.files import WAYS, Way, way_of
from integrations.telegram.render import LIMITS, inline_rows
from integrations.telegram.utf16 import clean, shorten, split, units

log = structlog.get_logger(__name__)

FetchFile = Callable[[str, File, int], Awaitable[bytes]]
"""(channel, file, limit in bytes): the bytes of another channel's file. Raises Later or Never."""

UPLOAD_LIMIT_BYTES = 50 * 1024 * 1024
PHOTO_LIMIT_BYTES = 10 * 1024 * 1024
KEPT_ORDERS = 1000

Call = tuple[str, dict[str, Any]]


class GroupSender:
    """Sends the messages of an order one after another.

    Remembers how far an order got: after a refusal in the middle the next try goes on from there. A restart forgets
    it, and then the order is sent again from its beginning.
    """

    def __init__(self, client: TelegramClient, fetch_file: FetchFile | None) -> None:
        self._client = client
        self._fetch_file = fetch_file
        self._progress: OrderedDict[str, list[Sent]] = OrderedDict()

    async def send(self, order: Order, *, chat_id: int | str, thread_id: int | None) -> Done:
        """Params `text`, `buttons`, `files`, `reply_to`. Raises Later, Never, Unknown."""
        sent = self._progress.setdefault(order.key, [])
        while len(self._progress) > KEPT_ORDERS:
            self._progress.popitem(last=False)
        plan = _plan(order.params)
        if not plan:
            raise Refused("the order has neither text nor files", reason="other")
        for step in plan[len(sent) :]:
            method, fields = await self._ready(step)
            try:
                sent.append(await self._one(method, fields, chat_id, thread_id))
            except Refused as error:
                if error.reason == "topic_gone":  # what was sent is gone with it: the new topic gets everything
                    self._progress.pop(order.key, None)
                raise
        self._progress.pop(order.key, None)
        last = sent[-1]
        return Done({"message_id": last.message_id}, last.id, tuple(each.id for each in sent[:-1]))

    async def _one(self, method: str, fields: dict[str, Any], chat_id: int | str, thread_id: int | None) -> Sent:
        try:
            return await self._client.send(method, fields, chat_id=chat_id, thread_id=thread_id)
        except Refused as error:
            if error.reason == "topic_closed" and thread_id:
                await self._reopen(chat_id, thread_id)
            elif error.reason == "our_markup" and "text" in fields:
                log.error("telegram_refused_our_message", reason=error.reason, method=method)
                fields = {"text": fields["text"]}
            else:
                raise
        return await self._client.send(method, fields, chat_id=chat_id, thread_id=thread_id)

    async def _reopen(self, chat_id: int | str, thread_id: int) -> None:
        try:
            await self._client.reopen_topic(chat_id=chat_id, thread_id=thread_id)
        except Refused as error:
            if error.reason != "topic_as_wanted":  # somebody was quicker
                raise

    async def _ready(self, step: Call | _Foreign) -> Call:
        """A step as a call: a file of another channel is fetched first."""
        if not isinstance(step, _Foreign):
            return step
        file = step.file
        try:
            if self._fetch_file is None:
                raise Never("files of another channel cannot be fetched here")
            content = await self._fetch_file(step.channel, file, UPLOAD_LIMIT_BYTES)
            if not content or len(content) > UPLOAD_LIMIT_BYTES:
                raise Never("the file is empty or too big")
        except Never as error:  # the managers learn that there was a file, whatever became of it
            log.warning("telegram_file_not_mirrored", channel=step.channel, kind=file.kind, reason=str(error))
            text = f"📎 {clean(file.name or file.kind)} — файл недоступен / file unavailable"
            return "sendMessage", {**step.rest, "text": step.words(text)}
        way = WAYS[file.kind]
        if (file.kind == "photo" and len(content) > PHOTO_LIMIT_BYTES) or file.kind == "sticker":
            way = Way("sendDocument", "document")
        upload = BufferedInputFile(content, filename=clean(file.name or _name(file)).replace("/", "_"))
        return way.method, {**step.rest, way.field: upload}


class _Foreign:
    """A file that another channel keeps."""

    def __init__(self, channel: str, file: File, rest: dict[str, Any]) -> None:
        self.channel = channel
        self.file = file
        self.rest = rest

    def words(self, text: str) -> str:
        caption = self.rest.pop("caption", None)
        return shorten(f"{caption}\n\n{text}" if caption else text, LIMITS["text"])


def _plan(params: Mapping[str, Any]) -> list[Call | _Foreign]:
    """The messages of an order, in order; the last one has the buttons."""
    text = clean(str(params.get("text") or "")).strip()
    files = [_file(item) for item in params.get("files") or () if isinstance(item, Mapping | File)]
    steps: list[Call | _Foreign] = []
    for channel, file in files:
        way, file_id = way_of(file.id, file.kind)
        steps.append((way.method, {way.field: file_id}) if channel == "telegram" else _Foreign(channel, file, {}))
    takes_caption = len(files) == 1 and way_of(files[0][1].id, files[0][1].kind)[0].has_caption
    if text and takes_caption and units(text) <= LIMITS["caption"]:
        _fields(steps[0])["caption"] = text
    else:
        steps += [("sendMessage", {"text": piece}) for piece in split(text, LIMITS["text"])]
    if steps:
        if markup := inline_rows(params.get("buttons") or ()):
            _fields(steps[-1])["reply_markup"] = markup
        if reply_to := params.get("reply_to"):
            # the message may have been deleted meanwhile: that is no reason to keep silent
            _fields(steps[0])["reply_parameters"] = {"message_id": reply_to, "allow_sending_without_reply": True}
    return steps


def _fields(step: Call | _Foreign) -> dict[str, Any]:
    return step.rest if isinstance(step, _Foreign) else step[1]


def _file(item: Mapping[str, Any] | File) -> tuple[str, File]:
    """Channel and file, of an item as stored (JSON) or as carried inside."""
    if isinstance(item, File):
        return "telegram", item
    kind: FileKind = item["kind"] if item.get("kind") in WAYS else "file"
    name, mime = item.get("name"), item.get("mime")
    file = File(
        str(item.get("id", "")),
        kind,
        name=name if isinstance(name, str) else None,
        mime=mime if isinstance(mime, str) else None,
    )
    return str(item.get("channel") or "telegram"), file


def _name(file: File) -> str:
    extension: Sequence[str] = (file.mime or "").partition(";")[0].rpartition("/")[2:]
    return f"{file.kind}.{extension[0]}" if extension[0].isalnum() else file.kind
