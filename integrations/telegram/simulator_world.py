"""What the stand-in for Telegram remembers: people, chats, messages, topics, files."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Wire = dict[str, Any]

PIXEL_JPEG_SIZE = 1200


class Refusal(Exception):
    """An error answer of the Bot API."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters


def bad(description: str) -> Refusal:
    return Refusal(400, f"Bad Request: {description}")


@dataclass(slots=True)
class Topic:
    thread_id: int
    name: str
    icon_color: int
    is_closed: bool = False
    is_deleted: bool = False


@dataclass(slots=True)
class Message:
    id: int
    chat: Chat
    sender: Wire
    date: datetime
    content: Wire  # text, photo, … in Telegram's own form
    thread_id: int | None = None
    reply_to: int | None = None
    markup: Wire | None = None
    edited_at: datetime | None = None
    is_anonymous: bool = False

    @property
    def text(self) -> str:
        """What a person sees of it."""
        words = self.content.get("text") or self.content.get("caption")
        if words:
            return str(words)
        return f"[{next(iter(self.content), 'empty')}]"

    def wire(self, *, with_reply: bool = True) -> Wire:
        message: Wire = {
            "message_id": self.id,
            "from": self.sender,
            "chat": self.chat.wire(),
            "date": int(self.date.timestamp()),
        }
        if self.is_anonymous:
            message["sender_chat"] = self.chat.wire()
        if self.edited_at is not None:
            message["edit_date"] = int(self.edited_at.timestamp())
        if self.thread_id is not None:
            message |= {"message_thread_id": self.thread_id, "is_topic_message": True}
        # in a topic everything that answers nothing "replies" to the service message that opened it
        replied = self.chat.messages.get(self.reply_to or self.thread_id or 0)
        if with_reply and replied is not None and replied is not self:
            message["reply_to_message"] = replied.wire(with_reply=False)
        if self.markup is not None and "inline_keyboard" in self.markup:
            message["reply_markup"] = self.markup
        return message | self.content

    def options(self) -> list[dict[str, str]]:
        """The buttons under it, as the pages and tests see them."""
        markup = self.markup or {}
        options = [
            {"id": button.get("callback_data") or button.get("url") or button["text"], "title": button["text"]}
            for row in markup.get("inline_keyboard", ())
            for button in row
        ]
        for row in markup.get("keyboard", ()):
            for each in row:
                button = each if isinstance(each, dict) else {"text": each}
                special = "contact" if button.get("request_contact") else None
                special = "location" if button.get("request_location") else special
                options.append({"id": special or button["text"], "title": button["text"]})
        return options


@dataclass(slots=True)
class Chat:
    id: int
    type: str
    title: str | None = None
    person: Wire | None = None
    is_forum: bool = False
    messages: dict[int, Message] = field(default_factory=dict)
    topics: dict[int, Topic] = field(default_factory=dict)
    last_id: int = 100
    is_closed_to_bot: bool = False  # blocked by the person, kicked from the group
    migrated_to: int | None = None
    sent_at: deque[datetime] = field(default_factory=deque)  # by the bot, within the last minute

    def wire(self) -> Wire:
        chat: Wire = {"id": self.id, "type": self.type}
        if self.person is not None:
            return chat | {name: self.person[name] for name in ("first_name", "username") if name in self.person}
        if self.is_forum:
            chat["is_forum"] = True
        return chat | {"title": self.title}

    def next_id(self) -> int:
        self.last_id += 1
        return self.last_id


@dataclass(slots=True)
class StoredFile:
    id: str
    kind: str  # photo, document, voice, …
    content: bytes
    name: str
    size: int
    paths: dict[str, datetime] = field(default_factory=dict)  # links given out, and until when they live


@dataclass(slots=True)
class Query:
    """A press on a button, waiting to be answered."""

    id: str
    pressed_at: datetime
    answer: str | None = None
    is_answered: bool = False


class World:
    """All state of the stand-in; `changed` is called after every change of it."""

    def __init__(self, *, token: str, now: Callable[[], datetime], managers_chat_id: int, forum: bool) -> None:
        self.token = token
        self.now = now
        self.first_managers_chat_id = managers_chat_id
        self.forum = forum
        self.bot: Wire = {
            "id": int(token.partition(":")[0]),
            "is_bot": True,
            "first_name": "Сервис",
            "username": "demo_service_bot",
        }
        self.changed: Callable[[], None] | None = None
        self.reset()

    def reset(self) -> None:
        self.chats: dict[int, Chat] = {}
        self.files: dict[str, StoredFile] = {}
        self.queries: dict[str, Query] = {}
        self.numbers = 0
        self.managers_chat_id = self.first_managers_chat_id
        kind = "supergroup" if self.forum or str(self.managers_chat_id).startswith("-100") else "group"
        self.chats[self.managers_chat_id] = Chat(
            self.managers_chat_id, kind, title="Поддержка", is_forum=self.forum, last_id=500
        )

    def touched(self) -> None:
        if self.changed is not None:
            self.changed()

    def number(self) -> int:
        """A number that was not used yet."""
        self.numbers += 1
        return self.numbers

    def user(self, name: str) -> Wire:
        """An invented person: the same name always has the same id."""
        digest = int.from_bytes(hashlib.sha256(name.encode("utf-8", "backslashreplace")).digest()[:4], "big")
        return {"id": 5_000_000_000 + digest % 900_000_000, "is_bot": False, "first_name": name, "language_code": "ru"}

    def phone(self, name: str) -> str:
        """An invented number, as Telegram writes them: without the plus."""
        return f"7999{self.user(name)['id'] % 10_000_000:07d}"

    def private_chat(self, name: str) -> Chat:
        """The chat of a person with the bot; it begins when the person writes first."""
        user = self.user(name)
        return self.chats.setdefault(user["id"], Chat(user["id"], "private", person=user))

    @property
    def group(self) -> Chat:
        return self.chats[self.managers_chat_id]

    def add_message(self, chat: Chat, sender: Wire, content: Wire, **more: Any) -> Message:
        message = Message(chat.next_id(), chat, sender, self.now(), content, **more)
        chat.messages[message.id] = message
        self.touched()
        return message

    def add_file(self, kind: str, content: bytes, name: str, size: int | None = None) -> StoredFile:
        file = StoredFile(
            f"{kind.upper()}{self.number():08d}", kind, content, name, len(content) if size is None else size
        )
        self.files[file.id] = file
        return file

    def media(self, file: StoredFile) -> Wire:
        """The field of a message that shows a file."""
        common: Wire = {"file_id": file.id, "file_unique_id": f"U{file.id}", "file_size": file.size}
        match file.kind:
            case "photo":
                small = common | {"file_id": f"{file.id}s", "file_size": 90, "width": 90, "height": 67}
                return {"photo": [small, common | {"width": 1280, "height": 960}]}
            case "document":
                return {"document": common | {"file_name": file.name, "mime_type": "application/octet-stream"}}
            case "voice":
                return {"voice": common | {"duration": 7, "mime_type": "audio/ogg"}}
            case "audio":
                return {"audio": common | {"duration": 7, "mime_type": "audio/mpeg", "file_name": file.name}}
            case "video_note":
                return {"video_note": common | {"duration": 7, "length": 240}}
            case "sticker":
                sticker = {"type": "regular", "width": 512, "height": 512, "is_animated": False, "is_video": False}
                return {"sticker": common | sticker}
            case "animation":
                shown = common | {"width": 320, "height": 240, "duration": 3, "mime_type": "video/mp4"}
                return {"animation": shown, "document": common | {"mime_type": "video/mp4"}}
            case _:
                return {"video": common | {"width": 320, "height": 240, "duration": 7, "mime_type": "video/mp4"}}

    def find_button(self, chat: Chat, data: str) -> Message | None:
        """The newest message with that inline button."""
        for message in reversed(chat.messages.values()):
            keyboard: Mapping[str, Any] = message.markup or {}
            for row in keyboard.get("inline_keyboard", ()):
                if any(button.get("callback_data") == data for button in row):
                    return message
        return None

    def find_key(self, chat: Chat, text: str) -> str | None:
        """What a key of the reply keyboard that is open now does: contact, location or its text."""
        for message in reversed(chat.messages.values()):
            markup = message.markup or {}
            if "remove_keyboard" in markup:
                return None
            if "keyboard" in markup:
                ids = [option["id"] for option in message.options() if text in (option["id"], option["title"])]
                return ids[0] if ids else None
        return None
