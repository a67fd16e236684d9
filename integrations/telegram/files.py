"""Files in messages, and by which method each kind goes out again."""

from __future__ import annotations

from dataclasses import dataclass

from dialogs.events import File, FileKind
from integrations.telegram.schemas import Attachment, Message


@dataclass(frozen=True, slots=True)
class Way:
    """How a file is sent: the method and its field."""

    method: str
    field: str
    has_caption: bool = True


WAYS: dict[FileKind, Way] = {
    "photo": Way("sendPhoto", "photo"),
    "file": Way("sendDocument", "document"),
    "voice": Way("sendVoice", "voice"),
    "audio": Way("sendAudio", "audio"),
    "video": Way("sendVideo", "video"),
    "sticker": Way("sendSticker", "sticker", has_caption=False),
}
SPECIAL_WAYS = {
    "animation": Way("sendAnimation", "animation"),
    "video_note": Way("sendVideoNote", "video_note", has_caption=False),
}
"""Telegram refuses to send a file_id as another type than its own. For us these two are videos, so the id of such a
file remembers the type: `animation:FILE_ID`. A file_id itself never has a colon."""


def way_of(file_id: str, kind: FileKind) -> tuple[Way, str]:
    """The method for a file, and the file_id to give it."""
    special, colon, rest = file_id.partition(":")
    if colon and special in SPECIAL_WAYS:
        return SPECIAL_WAYS[special], rest
    return WAYS[kind], file_id


def bare_id(file_id: str) -> str:
    """The id as Telegram knows it."""
    return way_of(file_id, "file")[1]


def files_of(message: Message) -> tuple[File, ...]:
    """The file of a message: a message of Telegram never has two."""
    if message.photo:
        largest = max(message.photo, key=lambda size: size.width * size.height)
        return (File(largest.file_id, "photo", mime="image/jpeg", size=largest.file_size),)
    if message.animation is not None:  # also given as a `document`, for old clients
        return (_file(message.animation, "video", "animation:"),)
    if message.video_note is not None:
        return (_file(message.video_note, "video", "video_note:"),)
    kinds: tuple[tuple[Attachment | None, FileKind], ...] = (
        (message.document, "file"),
        (message.voice, "voice"),
        (message.video, "video"),
        (message.audio, "audio"),
        (message.sticker, "sticker"),
    )
    return tuple(_file(attachment, kind) for attachment, kind in kinds if attachment is not None)[:1]


def _file(attachment: Attachment, kind: FileKind, prefix: str = "") -> File:
    return File(
        prefix + attachment.file_id,
        kind,
        name=attachment.file_name or None,
        mime=attachment.mime_type or None,
        size=attachment.file_size,
    )
