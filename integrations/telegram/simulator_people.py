"""The people behind the stand-in for Telegram: customers in private chats, managers in their group."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from integrations.telegram.schemas import ANONYMOUS_ADMIN_ID
from integrations.telegram.simulator_updates import Updates
from integrations.telegram.simulator_world import Chat, Message, Query, Wire, World

TINY_JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(64) + b"\xff\xd9"


class People:
    """A person is a free name; the same name always is the same invented user."""

    def __init__(self, world: World, updates: Updates) -> None:
        self._world = world
        self._updates = updates

    @property
    def changed(self) -> Callable[[], None] | None:
        """Called after every change of what people or managers see."""
        return self._world.changed

    @changed.setter
    def changed(self, listener: Callable[[], None] | None) -> None:
        self._world.changed = listener

    @property
    def managers_chat_id(self) -> int:
        return self._world.managers_chat_id

    # ----------------------------------------------------------------------------------------------------- people

    def user_id(self, person: str) -> int:
        """The invented id of a person or a manager."""
        return int(self._world.user(person)["id"])

    async def say(self, person: str, text: str) -> int:
        """A person writes to the bot. Returns the message id; delivery goes on in the background."""
        content: Wire = {"text": text}
        if text.startswith("/"):
            length = len(text.split(maxsplit=1)[0])
            content["entities"] = [{"offset": 0, "length": length, "type": "bot_command"}]
        return self._person_sends(person, content)

    async def press(self, person: str, callback_data: str) -> None:
        """Press a button: an inline one by its data, a key of the reply keyboard by its text or option id.

        Raises LookupError if the person sees no such button.
        """
        chat = self._world.private_chat(person)
        message = self._world.find_button(chat, callback_data)
        if message is not None:
            self._press(self._world.user(person), message, callback_data)
            return
        match self._world.find_key(chat, callback_data):
            case None:
                raise LookupError("no such button")
            case "contact":
                await self.contact(person)
            case "location":
                await self.location(person)
            case text:
                await self.say(person, text)

    async def photo(self, person: str, caption: str | None = None) -> int:
        return await self.attach(person, "photo", caption=caption)

    async def attach(
        self,
        person: str,
        kind: str,
        *,
        content: bytes = TINY_JPEG,
        name: str = "file.bin",
        caption: str | None = None,
        size: int | None = None,
    ) -> int:
        """Send a file: photo, document, voice, audio, video, video_note, animation, sticker.

        `size` is what Telegram says of it, if that is to differ from the truth.
        """
        file = self._world.add_file(kind, content, name, size)
        return self._person_sends(person, self._world.media(file) | ({"caption": caption} if caption else {}))

    async def contact(self, person: str, phone: str | None = None, own: bool = True) -> int:
        """Share a contact card; without `phone` the person's invented number."""
        card: Wire = {"phone_number": phone or self._world.phone(person), "first_name": person if own else "Чужой"}
        if own:
            card["user_id"] = self.user_id(person)
        return self._person_sends(person, {"contact": card})

    async def location(
        self, person: str, latitude: float = 55.7903, longitude: float = 49.1346, address: str | None = None
    ) -> int:
        """Send a place; with an address it is a venue."""
        point = {"latitude": latitude, "longitude": longitude}
        venue: Wire = {"venue": {"location": point, "title": address, "address": address}} if address else {}
        return self._person_sends(person, {"location": point} | venue)

    async def edit(self, person: str, text: str, message_id: int | None = None) -> None:
        """Change an own message; the last one, if none is named. Raises LookupError."""
        chat = self._world.private_chat(person)
        own = [message for message in chat.messages.values() if message.sender is not self._world.bot]
        found = [message for message in own if message_id in (None, message.id)]
        if not found:
            raise LookupError("no such message")
        message = found[-1]
        message.content = {"text": text}
        message.edited_at = self._world.now()
        self._updates.add("edited_message", message.wire(), f"chat:{chat.id}")
        self._world.touched()

    async def album(self, person: str, n: int, caption: str | None = None) -> list[int]:
        """Several photos as one album: an update for each, the caption on the first."""
        group_id = str(13_900_000_000_000_000 + self._world.number())
        ids = []
        for index in range(n):
            file = self._world.add_file("photo", TINY_JPEG, f"photo{index}.jpg")
            content = self._world.media(file) | {"media_group_id": group_id}
            ids.append(self._person_sends(person, content | ({"caption": caption} if caption and not index else {})))
        return ids

    async def react(self, person: str, message_id: int, emoji: str | None) -> None:
        """Put a reaction on a message, or take it back with None."""
        chat, user = self._world.private_chat(person), self._world.user(person)
        reaction: Wire = {
            "chat": chat.wire(),
            "message_id": message_id,
            "user": user,
            "date": int(self._world.now().timestamp()),
            "old_reaction": [],
            "new_reaction": [{"type": "emoji", "emoji": emoji}] if emoji else [],
        }
        self._updates.add("message_reaction", reaction, f"reactions:{chat.id}")

    async def block(self, person: str) -> None:
        self._membership(person, is_blocked=True)

    async def unblock(self, person: str) -> None:
        self._membership(person, is_blocked=False)

    # --------------------------------------------------------------------------------------------------- managers

    async def manager_says(
        self,
        manager: str,
        text: str,
        thread_id: int | None = None,
        reply_to: int | None = None,
        *,
        anonymous: bool = False,
    ) -> int:
        """A manager writes in the group; `thread_id` None is General."""
        group = self._world.group
        sender = self._world.user(manager)
        if anonymous:
            sender = {
                "id": ANONYMOUS_ADMIN_ID,
                "is_bot": True,
                "first_name": "Group",
                "username": "GroupAnonymousBot",
            }
        message = self._world.add_message(
            group, sender, {"text": text}, thread_id=thread_id, reply_to=reply_to, is_anonymous=anonymous
        )
        self._updates.add("message", message.wire(), f"chat:{group.id}")
        return message.id

    async def manager_sends(
        self, manager: str, kind: str, thread_id: int | None = None, caption: str | None = None
    ) -> int:
        """A manager sends a file in the group."""
        group = self._world.group
        content = self._world.media(self._world.add_file(kind, TINY_JPEG, "file.bin"))
        content |= {"caption": caption} if caption else {}
        message = self._world.add_message(group, self._world.user(manager), content, thread_id=thread_id)
        self._updates.add("message", message.wire(), f"chat:{group.id}")
        return message.id

    async def manager_presses(self, manager: str, message_id: int, data: str) -> None:
        """Press a button under a message of the group. Raises LookupError."""
        message = self._world.group.messages.get(message_id)
        if message is None or all(option["id"] != data for option in message.options()):
            raise LookupError("no such button")
        self._press(self._world.user(manager), message, data)

    def topics(self) -> list[dict[str, Any]]:
        return [
            {
                "thread_id": topic.thread_id,
                "name": topic.name,
                "icon_color": topic.icon_color,
                "closed": topic.is_closed,
            }
            for topic in self._world.group.topics.values()
            if not topic.is_deleted
        ]

    def delete_topic(self, thread_id: int) -> None:
        """No update tells of it: the bot learns it from the next refusal."""
        self._world.group.topics[thread_id].is_deleted = True
        self._world.touched()

    def delete_message(self, chat_id: int, message_id: int) -> None:
        """Deletions are not reported either."""
        self._world.chats[chat_id].messages.pop(message_id, None)
        self._world.touched()

    def kick_bot(self) -> None:
        """The managers throw the bot out."""
        self._world.group.is_closed_to_bot = True
        self._world.touched()

    def migrate_group(self, new_chat_id: int) -> None:
        """The group becomes a supergroup with another id; both tell of it."""
        old = self._world.group
        new = Chat(new_chat_id, "supergroup", title=old.title, is_forum=old.is_forum, topics=old.topics)
        sender = self._world.user("admin")
        leaving = self._world.add_message(old, sender, {"migrate_to_chat_id": new_chat_id})
        old.migrated_to = new_chat_id
        self._world.chats[new_chat_id] = new
        self._world.managers_chat_id = new_chat_id
        arriving = self._world.add_message(new, sender, {"migrate_from_chat_id": old.id})
        self._updates.add("message", leaving.wire(), f"chat:{old.id}")
        self._updates.add("message", arriving.wire(), f"chat:{new.id}")

    # ------------------------------------------------------------------------------------------------ what is seen

    def transcript(self, person: str) -> list[dict[str, Any]]:
        """The private chat of a person, oldest first."""
        chat = self._world.chats.get(self.user_id(person))
        return [
            {
                "from": "bot" if message.sender is self._world.bot else "customer",
                "text": message.text,
                "options": message.options(),
                "id": message.id,
            }
            for message in (chat.messages.values() if chat else ())
        ]

    def group_messages(self) -> list[dict[str, Any]]:
        """The managers' group, oldest first, without service messages."""
        group = self._world.group
        return [
            {
                "id": message.id,
                "thread_id": message.thread_id,
                "topic": group.topics[message.thread_id].name if message.thread_id in group.topics else None,
                "from": "bot" if message.sender is self._world.bot else message.sender["first_name"],
                "text": message.text,
                "options": message.options(),
            }
            for message in group.messages.values()
            if not any(field.startswith(("forum_topic", "migrate_")) for field in message.content)
        ]

    def callback_answers(self) -> dict[str, str | None]:
        """Answered presses: query id and the text shown."""
        return {query.id: query.answer for query in self._world.queries.values() if query.is_answered}

    # ---------------------------------------------------------------------------------------------------- inside

    def _person_sends(self, person: str, content: Wire) -> int:
        chat = self._world.private_chat(person)
        if chat.is_closed_to_bot:  # writing again lifts the block, as in the apps
            self._membership(person, is_blocked=False)
        message = self._world.add_message(chat, self._world.user(person), content)
        self._updates.add("message", message.wire(), f"chat:{chat.id}")
        return message.id

    def _press(self, user: Wire, message: Message, data: str) -> None:
        query = Query(str(23_193_000_000_000_000 + self._world.number()), self._world.now())
        self._world.queries[query.id] = query
        press: Wire = {
            "id": query.id,
            "from": user,
            "message": message.wire(),
            "chat_instance": str(-message.chat.id),
            "data": data,
        }
        self._updates.add("callback_query", press, f"presses:{user['id']}")  # a queue of its own: of the user
        self._world.touched()

    def _membership(self, person: str, *, is_blocked: bool) -> None:
        chat = self._world.private_chat(person)
        chat.is_closed_to_bot = is_blocked
        statuses = ("member", "kicked") if is_blocked else ("kicked", "member")
        change: Wire = {
            "chat": chat.wire(),
            "from": self._world.user(person),
            "date": int(self._world.now().timestamp()),
            "old_chat_member": {"status": statuses[0], "user": self._world.bot},
            "new_chat_member": {"status": statuses[1], "user": self._world.bot},
        }
        self._updates.add("my_chat_member", change, f"members:{chat.id}")
        self._world.touched()
