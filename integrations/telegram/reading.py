"""What an update means: from the bytes in the inbox to facts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from dialogs.events import ButtonPressed, Card, Location, MessageReceived
from integrations.base import (
    CannotRead,
    CustomerNoted,
    CustomerSaid,
    Fact,
    GroupMoved,
    GroupSaid,
    Nothing,
    Notice,
    Person,
    StoredEvent,
)
from integrations.telegram.files import files_of
from integrations.telegram.schemas import (
    ANONYMOUS_ADMIN_ID,
    CallbackQuery,
    Chat,
    MembershipChanged,
    Message,
    ReactionChanged,
    User,
)
from integrations.telegram.updates import kind_of, load, moment

SERVICE_FIELDS = frozenset(
    [
        "new_chat_members",
        "left_chat_member",
        "new_chat_title",
        "new_chat_photo",
        "delete_chat_photo",
        "group_chat_created",
        "supergroup_chat_created",
        "channel_chat_created",
        "message_auto_delete_timer_changed",
        "pinned_message",
        "successful_payment",
        "refunded_payment",
        "users_shared",
        "chat_shared",
        "connected_website",
        "write_access_allowed",
        "proximity_alert_triggered",
        "boost_added",
        "chat_background_set",
        "forum_topic_created",
        "forum_topic_edited",
        "forum_topic_closed",
        "forum_topic_reopened",
        "general_forum_topic_hidden",
        "general_forum_topic_unhidden",
        "giveaway_created",
        "giveaway_completed",
        "video_chat_scheduled",
        "video_chat_started",
        "video_chat_ended",
        "video_chat_participants_invited",
    ]
)
"""Messages that tell of an act in the chat and that nobody wrote (Bot API, Message)."""


class TelegramReader:
    """`groups`: ids of the managers' groups; it may grow while the service runs (a group that moved)."""

    def __init__(self, *, account: str, groups: Collection[int]) -> None:
        self._account = account
        self._groups = groups

    def read(self, stored: StoredEvent) -> Sequence[Fact]:
        """The facts of one update. Raises CannotRead."""
        try:
            update = load(stored.body)
        except ValueError as error:
            raise CannotRead("the body is not JSON") from error
        if not isinstance(update, dict):
            raise CannotRead("the body is not a JSON object")
        kind = kind_of(update)
        content = update.get(kind)
        try:
            return [self._fact(kind, content, stored)]
        except ValidationError as error:
            raise CannotRead(f"{kind}: {_sentence(error)}") from error

    def _fact(self, kind: str, content: Any, stored: StoredEvent) -> Fact:
        match kind:
            case "message" | "edited_message":
                return self._message(content, stored, is_edit=kind == "edited_message")
            case "callback_query":
                return self._press(CallbackQuery.model_validate(content), stored)
            case "my_chat_member":
                return self._membership(MembershipChanged.model_validate(content), stored)
            case "message_reaction":
                return self._reaction(ReactionChanged.model_validate(content), stored)
            case "business_connection" | "business_message" | "edited_business_message" | "deleted_business_messages":
                return Nothing("chats of a business account are not served: answers go out in the bot's own name only")
            case "channel_post" | "edited_channel_post":
                return Nothing("posts of channels are nobody's question")
            case _:
                return Nothing(f"updates of the type {kind} are not used")

    def _message(self, content: Any, stored: StoredEvent, *, is_edit: bool) -> Fact:
        message = Message.model_validate(content)
        if moved := self._moved(message):
            return moved
        service = sorted(SERVICE_FIELDS.intersection(content))
        if service:
            return Nothing(f"service message: {service[0]}")
        sender = message.sender
        if sender is not None and sender.is_bot and sender.id != ANONYMOUS_ADMIN_ID and message.sender_chat is None:
            return Nothing("our own message" if str(sender.id) == self._account else "message of a bot")
        if message.chat.is_private:
            return self._customer_said(message, stored, is_edit=is_edit)
        if message.chat.id not in self._groups:
            return Nothing("a group that is not the managers'")
        if is_edit:
            return Nothing("what a manager edits was sent already: it is not sent again")
        return self._group_said(message, stored)

    def _moved(self, message: Message) -> Fact | None:
        """The group and the supergroup that it became both tell of the move: the same fact."""
        if message.migrate_to_chat_id is not None:
            old, new = message.chat.id, message.migrate_to_chat_id
        elif message.migrate_from_chat_id is not None:
            old, new = message.migrate_from_chat_id, message.chat.id
        else:
            return None
        if old in self._groups or new in self._groups:
            return GroupMoved(old, new)
        return Nothing("a group that is not the managers' became a supergroup")

    def _customer_said(self, message: Message, stored: StoredEvent, *, is_edit: bool) -> Fact:
        if is_edit and message.location is not None:
            return Nothing("a live location moved on")
        card = _card(message)
        location = _location(message)
        files = files_of(message)
        text = message.text or message.caption or None
        extra: dict[str, Any] = {}
        if message.web_app_data is not None:  # made by the client: no more to be trusted than what is typed
            text = message.web_app_data.data
            extra["web_app_button"] = message.web_app_data.button_text
        if message.forward_origin is not None:
            extra["forwarded"] = {"type": message.forward_origin.type, "name": message.forward_origin.name}
        message_id = f"{message.chat.id}:{message.message_id}"
        said = MessageReceived(
            id=str(stored.id),
            at=_time(message.edit_date if is_edit else message.date, message.date, stored.received_at),
            text=text,
            files=files,
            location=location,
            card=card,
            unsupported=message.sticker is not None or not (text or files or location or card),
            message_id=message_id,
            edits=message_id if is_edit else None,
        )
        return CustomerSaid(
            channel="telegram",
            account=self._account,
            person=_person(message.sender or message.chat, message.chat.id, card),
            said=said,
            reply_to=None if message.reply_to is None else f"{message.chat.id}:{message.reply_to}",
            album=message.media_group_id,
            extra=extra,
        )

    def _group_said(self, message: Message, stored: StoredEvent) -> Fact:
        if message.is_automatic_forward:
            return Nothing("a post of the linked channel")
        text = message.text or message.caption or None
        files = files_of(message)
        if not (text or files):
            return Nothing("nothing in it that could be passed on")
        manager = message.sender or message.sender_chat
        if manager is None:
            return Nothing("a message without an author")
        chat = message.sender_chat  # an administrator who hides behind the group, or a person behind a channel
        name = (message.author_signature or chat.title) if chat else manager.name
        return GroupSaid(
            chat_id=message.chat.id,
            thread_id=message.thread_id,
            message_id=message.message_id,
            manager_id=manager.id,
            manager_name=name or manager.username or str(manager.id),
            at=_time(message.date, None, stored.received_at),
            text=text,
            files=files,
            reply_to=message.reply_to,
        )

    def _press(self, query: CallbackQuery, stored: StoredEvent) -> Fact:
        if query.data is None:
            return Nothing("a button without data of ours")
        message = query.message
        if message is not None and not message.chat.is_private:
            if message.chat.id not in self._groups:
                return Nothing("a press in a group that is not the managers'")
            return GroupSaid(
                chat_id=message.chat.id,
                thread_id=message.thread_id,
                message_id=message.message_id,
                manager_id=query.sender.id,
                manager_name=query.sender.name or query.sender.username or str(query.sender.id),
                at=stored.received_at,
                press=query.data,
                ack=query.id,
            )
        keyboard = message.reply_markup if message else None
        return CustomerSaid(
            channel="telegram",
            account=self._account,
            # a private chat has the id of its person; a press on an inline message names no chat
            person=_person(query.sender, message.chat.id if message else query.sender.id),
            said=ButtonPressed(
                id=str(stored.id),
                at=stored.received_at,  # a press carries no time of its own
                payload=query.data,
                title=keyboard.title_of(query.data) if keyboard else None,
                message_id=f"{message.chat.id}:{message.message_id}" if message else None,
            ),
            ack=query.id,
        )

    def _membership(self, change: MembershipChanged, stored: StoredEvent) -> Fact:
        status = change.new_chat_member.status
        if change.chat.is_private:
            kind = {"kicked": "blocked", "member": "unblocked"}.get(status)
            if kind is None:
                return Nothing(f"membership in a private chat became {status}")
            return CustomerNoted(
                channel="telegram",
                account=self._account,
                person=_person(change.sender, change.chat.id),
                kind=kind,
                at=_time(change.date, None, stored.received_at),
            )
        if change.chat.id in self._groups and status in {"kicked", "left"}:
            return Notice("The bot was removed from the managers' group in Telegram", severity="alert")
        return Nothing(f"the bot's membership in a group became {status}")

    def _reaction(self, change: ReactionChanged, stored: StoredEvent) -> Fact:
        if not change.chat.is_private:
            return Nothing("a reaction in a group")
        emoji = "".join(reaction.emoji or "✱" for reaction in change.new_reaction)  # ✱: a custom emoji
        return CustomerNoted(
            channel="telegram",
            account=self._account,
            person=_person(change.user or change.chat, change.chat.id),
            kind="reaction",
            at=_time(change.date, None, stored.received_at),
            text=emoji or None,  # None: taken back
            about=f"{change.chat.id}:{change.message_id}",
        )


def _person(person: User | Chat, chat_id: int, card: Card | None = None) -> Person:
    language = (person.language_code or "")[:2].lower() if isinstance(person, User) else ""
    return Person(
        addresses=(str(chat_id),),
        name=person.name,
        username=person.username or None,
        language=language if len(language) == 2 and language.isascii() and language.isalpha() else None,
        phone=_e164(card.phones[0]) if card is not None and card.is_own else None,
    )


def _card(message: Message) -> Card | None:
    """A shared contact proves a number only if it is the sender's own (contract 4)."""
    contact = message.contact
    if contact is None:
        return None
    is_own = message.sender is not None and contact.user_id == message.sender.id
    return Card((contact.phone_number,), contact.name, is_own=is_own and _e164(contact.phone_number) is not None)


def _e164(phone: str) -> str | None:
    """An account's own number comes in full international form, with or without the plus."""
    digits = "".join(sign for sign in phone if sign in "0123456789")
    return f"+{digits}" if 8 <= len(digits) <= 15 and not digits.startswith("0") else None


def _location(message: Message) -> Location | None:
    if message.venue is not None:  # the same message also has `location`, without the words
        point = message.venue.location
        return Location(point.latitude, point.longitude, message.venue.title, message.venue.address)
    if message.location is not None:
        return Location(message.location.latitude, message.location.longitude)
    return None


def _time(first: Any, second: Any, received_at: datetime) -> datetime:
    return moment(first) or moment(second) or received_at


def _sentence(error: ValidationError) -> str:
    """Where the shape is wrong, without what stood there: it may be personal."""
    details: Mapping[str, Any] = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in details["loc"]) or "content"
    return f"{place}: {details['msg']}"
