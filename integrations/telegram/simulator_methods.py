"""The methods of the Bot API that the stand-in knows, with the refusals of the real one (contract 3.4, 3.5)."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

from integrations.telegram.simulator_form import Form, checked_markup, checked_text, utf16_length
from integrations.telegram.simulator_updates import CALLBACK_LIFE, Updates
from integrations.telegram.simulator_world import Chat, Message, Refusal, Topic, Wire, World, bad

CAPTION_LIMIT = 1024
GET_FILE_LIMIT_BYTES = 20 * 1024 * 1024
LINK_LIFE = timedelta(hours=1)
GROUP_PER_MINUTE = 20
ICON_COLORS = (7322096, 16766590, 13338331, 9367192, 16749490, 16478047)
MEDIA = {
    "sendphoto": "photo",
    "senddocument": "document",
    "sendvoice": "voice",
    "sendaudio": "audio",
    "sendvideo": "video",
    "sendanimation": "animation",
    "sendvideonote": "video_note",
    "sendsticker": "sticker",
}
TYPE_NAMES = {"video_note": "VideoNote", "voice": "VoiceNote"}


class BotApi:
    """Carries out calls on the world. Raises Refusal."""

    def __init__(self, world: World, updates: Updates) -> None:
        self._world = world
        self._updates = updates
        self.has_flood_limits = False
        self._methods: dict[str, Callable[[Form], Any]] = {
            "getme": lambda form: world.bot | {"can_join_groups": True, "can_read_all_group_messages": True},
            "setwebhook": self._set_webhook,
            "deletewebhook": self._delete_webhook,
            "getwebhookinfo": self._webhook_info,
            "sendmessage": self._send_message,
            "sendlocation": self._send_location,
            "copymessage": self._copy,
            "forwardmessage": self._forward,
            "editmessagetext": lambda form: self._edit(form, "text"),
            "editmessagecaption": lambda form: self._edit(form, "caption"),
            "editmessagereplymarkup": lambda form: self._edit(form, None),
            "answercallbackquery": self._answer_callback,
            "createforumtopic": self._create_topic,
            "editforumtopic": self._edit_topic,
            "closeforumtopic": lambda form: self._turn_topic(form, closed=True),
            "reopenforumtopic": lambda form: self._turn_topic(form, closed=False),
            "sendchataction": self._chat_action,
            "getfile": self._get_file,
            "getchat": lambda form: self._chat(form).wire(),
            "getchatmember": self._chat_member,
            "setmycommands": lambda form: True,
        }
        for method, kind in MEDIA.items():
            self._methods[method] = partial(self._send_media, kind)

    async def call(self, method: str, form: Form) -> Any:
        """The result of a method; names are case-insensitive as at Telegram."""
        name = method.lower()
        if name == "getupdates":
            return await self._get_updates(form)
        run = self._methods.get(name)
        if run is None:
            raise Refusal(404, "Not Found: method not found")
        result = run(form)
        return await result if isinstance(result, Awaitable) else result

    # ------------------------------------------------------------------------------------------------- updates

    async def _get_updates(self, form: Form) -> list[Wire]:
        allowed = form.json("allowed_updates")
        if allowed is not None:
            self._updates.allowed = allowed
        limit = min(max(form.integer("limit", 100), 1), 100)
        return await self._updates.poll(
            offset=form.integer("offset"), limit=limit, wait_s=min(form.integer("timeout"), 50)
        )

    def _set_webhook(self, form: Form) -> bool:
        allowed = form.json("allowed_updates")
        if allowed is not None:
            self._updates.allowed = allowed
        secret = form.text("secret_token")
        if secret and not re.fullmatch("[A-Za-z0-9_-]{1,256}", secret):
            raise bad("secret token contains unallowed characters")
        self._updates.max_connections = min(max(form.integer("max_connections", 40), 1), 100)
        self._maybe_drop(form)
        self._updates.set_webhook(form.text("url"), secret)
        return True

    def _delete_webhook(self, form: Form) -> bool:
        self._maybe_drop(form)
        self._updates.set_webhook(None, None)
        return True

    def _maybe_drop(self, form: Form) -> None:
        if form.flag("drop_pending_updates"):
            self._updates.reset()

    def _webhook_info(self, form: Form) -> Wire:
        updates = self._updates
        info: Wire = {
            "url": updates.webhook_url or "",
            "has_custom_certificate": False,
            "pending_update_count": updates.pending,
            "max_connections": updates.max_connections,
        }
        if updates.last_error:
            info["last_error_message"] = updates.last_error
        return info | ({"allowed_updates": list(updates.allowed)} if updates.allowed else {})

    # ------------------------------------------------------------------------------------------------- sending

    def _chat(self, form: Form) -> Chat:
        chat = self._world.chats.get(form.integer("chat_id"))
        if chat is None:
            raise bad("chat not found")
        if chat.migrated_to is not None:
            raise Refusal(
                400,
                "Bad Request: group chat was upgraded to a supergroup chat",
                migrate_to_chat_id=chat.migrated_to,
            )
        if chat.is_closed_to_bot:
            if chat.type == "private":
                raise Refusal(403, "Forbidden: bot was blocked by the user")
            raise Refusal(403, f"Forbidden: bot was kicked from the {chat.type} chat")
        return chat

    def _topic(self, form: Form, chat: Chat, *, may_be_closed: bool = False) -> Topic | None:
        thread_id = form.integer("message_thread_id")
        if not thread_id:
            return None
        topic = chat.topics.get(thread_id)
        if topic is None:  # General too: it cannot be named by its number
            raise bad("message thread not found")
        if topic.is_deleted:
            raise bad("TOPIC_DELETED")
        if topic.is_closed and not may_be_closed:
            raise bad("TOPIC_CLOSED")
        return topic

    def _flood(self, chat: Chat) -> None:
        """20 messages a minute in one group, edits too."""
        if not self.has_flood_limits or chat.type == "private":
            return
        now, sent = self._world.now(), chat.sent_at
        while sent and sent[0] <= now - timedelta(minutes=1):
            sent.popleft()
        if len(sent) >= GROUP_PER_MINUTE:
            wait_s = int((sent[0] + timedelta(minutes=1) - now).total_seconds()) + 1
            raise Refusal(429, f"Too Many Requests: retry after {wait_s}", retry_after=wait_s)
        sent.append(now)

    def _post(self, form: Form, content: Wire) -> Wire:
        chat = self._chat(form)
        topic = self._topic(form, chat)
        markup = checked_markup(form.json("reply_markup"))
        reply = form.json("reply_parameters") or {}
        reply_to = reply.get("message_id")
        if reply_to is not None and reply_to not in chat.messages:
            if not reply.get("allow_sending_without_reply"):
                raise bad("message to be replied not found")
            reply_to = None
        self._flood(chat)
        message = self._world.add_message(
            chat,
            self._world.bot,
            content,
            thread_id=topic.thread_id if topic else None,
            reply_to=reply_to,
            markup=markup,
        )
        return message.wire()

    def _send_message(self, form: Form) -> Wire:
        return self._post(form, {"text": checked_text(form)})

    def _send_location(self, form: Form) -> Wire:
        try:
            point = {name: float(form.text(name)) for name in ("latitude", "longitude")}
        except ValueError:
            raise bad("latitude is empty") from None
        return self._post(form, {"location": point})

    def _send_media(self, kind: str, form: Form) -> Wire:
        given = form.text(kind)
        upload = form.files.get(given.removeprefix("attach://")) or form.files.get(kind)
        if upload is not None:
            name, content = upload
            file = self._world.add_file(kind, content, name)
        elif given.startswith(("http://", "https://")):  # taken at its word: the stand-in fetches nothing
            file = self._world.add_file(kind, b"", given.rpartition("/")[2])
        elif (known := self._world.files.get(given)) is not None:
            if known.kind != kind:
                names = [TYPE_NAMES.get(each, each.capitalize()) for each in (known.kind, kind)]
                raise bad(f"can't use file of type {names[0]} as {names[1]}")
            file = known
        else:
            raise bad("wrong remote file identifier specified: can't unserialize it. Wrong last symbol")
        media = self._world.media(file)
        caption = form.text("caption")
        if utf16_length(caption) > CAPTION_LIMIT:
            raise bad("message caption is too long")
        return self._post(form, media | ({"caption": caption} if caption else {}))

    def _original(self, form: Form) -> Message:
        source = self._world.chats.get(form.integer("from_chat_id"))
        message = source.messages.get(form.integer("message_id")) if source else None
        if message is None:
            raise bad("message to copy not found")
        return message

    def _copy(self, form: Form) -> Wire:
        content = dict(self._original(form).content)
        if form.text("caption"):
            content["caption"] = form.text("caption")
        return {"message_id": self._post(form, content)["message_id"]}

    def _forward(self, form: Form) -> Wire:
        original = self._original(form)
        origin = {"type": "user", "sender_user": original.sender, "date": int(original.date.timestamp())}
        return self._post(form, original.content | {"forward_origin": origin})

    def _edit(self, form: Form, field: str | None) -> Wire:
        chat = self._chat(form)
        message = chat.messages.get(form.integer("message_id"))
        if message is None:
            raise bad("message to edit not found")
        if message.sender is not self._world.bot:
            raise bad("message can't be edited")
        content = dict(message.content)
        if field == "text":
            if "text" not in content:
                raise bad("there is no text in the message to edit")
            content["text"] = checked_text(form)
        elif field == "caption":
            content["caption"] = form.text("caption")
        markup = checked_markup(form.json("reply_markup"))
        if content == message.content and markup == message.markup:
            raise bad(
                "message is not modified: specified new message content and reply markup are exactly the same "
                "as a current content and reply markup of the message"
            )
        self._flood(chat)
        message.content, message.markup, message.edited_at = content, markup, self._world.now()
        self._world.touched()
        return message.wire()

    def _answer_callback(self, form: Form) -> bool:
        query = self._world.queries.get(form.text("callback_query_id"))
        if query is None or query.is_answered or self._world.now() - query.pressed_at > CALLBACK_LIFE:
            raise bad("query is too old and response timeout expired or query ID is invalid")
        query.is_answered, query.answer = True, form.text("text") or None
        self._world.touched()
        return True

    def _chat_action(self, form: Form) -> bool:
        self._topic(form, self._chat(form))
        return True

    # -------------------------------------------------------------------------------------------------- topics

    def _create_topic(self, form: Form) -> Wire:
        chat = self._chat(form)
        if not chat.is_forum:
            raise bad("the chat is not a forum")
        name = form.text("name")
        if not 1 <= len(name) <= 128:
            raise bad("TOPIC_NAME_INVALID")
        color = form.integer("icon_color", ICON_COLORS[0])
        if color not in ICON_COLORS:
            raise bad("TOPIC_ICON_COLOR_INVALID")
        self._flood(chat)
        service = {"forum_topic_created": {"name": name, "icon_color": color}}
        message = self._world.add_message(chat, self._world.bot, service)
        message.thread_id = message.id  # the service message names its own topic
        chat.topics[message.id] = Topic(message.id, name, color)
        self._updates.add("message", message.wire(), f"chat:{chat.id}")
        self._world.touched()
        return {"message_thread_id": message.id, "name": name, "icon_color": color}

    def _edit_topic(self, form: Form) -> bool:
        topic = self._named_topic(form)
        topic.name = form.text("name") or topic.name
        self._world.touched()
        return True

    def _turn_topic(self, form: Form, *, closed: bool) -> bool:
        topic = self._named_topic(form)
        if topic.is_closed == closed:
            raise bad("TOPIC_NOT_MODIFIED")
        topic.is_closed = closed
        chat = self._chat(form)
        service: Wire = {"forum_topic_closed" if closed else "forum_topic_reopened": {}}
        message = self._world.add_message(chat, self._world.bot, service, thread_id=topic.thread_id)
        self._updates.add("message", message.wire(), f"chat:{chat.id}")
        return True

    def _named_topic(self, form: Form) -> Topic:
        topic = self._topic(form, self._chat(form), may_be_closed=True)
        if topic is None:
            raise bad("message thread not found")
        return topic

    # ------------------------------------------------------------------------------------------- files, members

    def _get_file(self, form: Form) -> Wire:
        file = self._world.files.get(form.text("file_id"))
        if file is None:
            raise bad("wrong file_id or the file is temporarily unavailable")
        if file.size > GET_FILE_LIMIT_BYTES:
            raise bad("file is too big")
        path = f"{file.kind}s/file_{self._world.number()}"
        file.paths[path] = self._world.now() + LINK_LIFE
        return {"file_id": file.id, "file_unique_id": f"U{file.id}", "file_size": file.size, "file_path": path}

    def file_at(self, path: str) -> bytes | None:
        """The bytes behind a link, while it lives."""
        for file in self._world.files.values():
            if path in file.paths and file.paths[path] > self._world.now():
                return file.content
        return None

    def _chat_member(self, form: Form) -> Wire:
        self._chat(form)
        user_id = form.integer("user_id")
        if user_id == self._world.bot["id"]:
            return {"status": "administrator", "user": self._world.bot, "can_manage_topics": True}
        return {"status": "member", "user": {"id": user_id, "is_bot": False, "first_name": str(user_id)}}
