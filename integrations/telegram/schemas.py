"""The parts of Telegram's objects that we use.

Our own models, because the library's refuse a whole update when one field of it has a shape they do not know
(measured with aiogram 3.31: a poll without its newest fields). Here only what a fact cannot do without is strict;
content of an unknown shape reads as absent, and the message is then of an unsupported kind, not lost.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, WrapValidator
from pydantic_core.core_schema import ValidatorFunctionWrapHandler

from integrations.telegram.utf16 import clean

ANONYMOUS_ADMIN_ID = 1087968824  # "GroupAnonymousBot": stands for an administrator who writes as the group itself


def _absent_if_odd(value: Any, parse: ValidatorFunctionWrapHandler) -> Any:
    try:
        return parse(value)
    except ValidationError:
        return None


T = TypeVar("T")
Loose = Annotated[T | None, WrapValidator(_absent_if_odd)]
Id = Annotated[int, Field(strict=True, ge=-(2**63), lt=2**63)]
Text = Annotated[str, Field(strict=True), AfterValidator(clean)]
Size = Annotated[int, Field(strict=True, ge=0, lt=2**63)]


class Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class Names(Wire):
    """What users, chats and cards alike may be called."""

    first_name: Loose[Text] = None
    last_name: Loose[Text] = None

    @property
    def name(self) -> str | None:
        """First and last name; None if there is nothing to read in them."""
        return " ".join(f"{self.first_name or ''} {self.last_name or ''}".split()) or None


class User(Names):
    id: Id
    is_bot: Loose[bool] = None
    username: Loose[Text] = None
    language_code: Loose[Text] = None


class Chat(Names):
    id: Id
    type: str
    title: Loose[Text] = None
    username: Loose[Text] = None

    @property
    def is_private(self) -> bool:
        return self.type == "private"


class PhotoSize(Wire):
    file_id: Text
    width: Size
    height: Size
    file_size: Loose[Size] = None


class Attachment(Wire):
    """Document, voice, video, audio, animation, video note, sticker."""

    file_id: Text
    file_name: Loose[Text] = None
    mime_type: Loose[Text] = None
    file_size: Loose[Size] = None


class Point(Wire):
    latitude: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
    longitude: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]


class Venue(Wire):
    location: Point
    title: Loose[Text] = None
    address: Loose[Text] = None


class SharedContact(Names):
    phone_number: Text
    user_id: Loose[Id] = None


class WebAppData(Wire):
    data: Text
    button_text: Loose[Text] = None


class Origin(Wire):
    """Where a forwarded message comes from; the four kinds name their author in different fields."""

    type: Text
    sender_user_name: Loose[Text] = None
    sender_user: Loose[User] = None
    sender_chat: Loose[Chat] = None
    chat: Loose[Chat] = None

    @property
    def name(self) -> str | None:
        chat = self.sender_chat or self.chat
        return self.sender_user_name or (self.sender_user and self.sender_user.name) or (chat and chat.title) or None


class Replied(Wire):
    message_id: Id


class Button(Wire):
    text: Loose[Text] = None
    callback_data: Loose[Text] = None


class Keyboard(Wire):
    inline_keyboard: list[list[Button]]

    def title_of(self, data: str) -> str | None:
        """What the button with this payload says."""
        for row in self.inline_keyboard:
            for button in row:
                if button.callback_data == data:
                    return button.text
        return None


class Message(Wire):
    message_id: Id
    chat: Chat
    date: Any = None
    edit_date: Any = None
    sender: Annotated[Loose[User], Field(alias="from")] = None
    sender_chat: Loose[Chat] = None
    author_signature: Loose[Text] = None
    is_automatic_forward: Loose[bool] = None
    message_thread_id: Loose[Id] = None
    is_topic_message: Loose[bool] = None
    reply_to_message: Loose[Replied] = None
    reply_markup: Loose[Keyboard] = None
    forward_origin: Loose[Origin] = None
    media_group_id: Loose[Text] = None
    migrate_to_chat_id: Loose[Id] = None
    migrate_from_chat_id: Loose[Id] = None
    text: Loose[Text] = None
    caption: Loose[Text] = None
    photo: Loose[list[PhotoSize]] = None
    document: Loose[Attachment] = None
    voice: Loose[Attachment] = None
    video: Loose[Attachment] = None
    video_note: Loose[Attachment] = None
    audio: Loose[Attachment] = None
    animation: Loose[Attachment] = None
    sticker: Loose[Attachment] = None
    location: Loose[Point] = None
    venue: Loose[Venue] = None
    contact: Loose[SharedContact] = None
    web_app_data: Loose[WebAppData] = None

    @property
    def thread_id(self) -> int | None:
        """The topic; messages of General have none."""
        return self.message_thread_id if self.is_topic_message else None

    @property
    def reply_to(self) -> int | None:
        """The message that this one really answers.

        In a topic every message that answers nothing "replies" to the service message that opened the topic.
        """
        if self.reply_to_message is None or self.reply_to_message.message_id == self.thread_id:
            return None
        return self.reply_to_message.message_id


class CallbackQuery(Wire):
    id: Text
    sender: Annotated[User, Field(alias="from")]
    message: Loose[Message] = None  # absent for inline messages; without content when it is too old
    data: Loose[Text] = None


class Member(Wire):
    status: Text


class MembershipChanged(Wire):
    chat: Chat
    sender: Annotated[User, Field(alias="from")]
    date: Any = None
    new_chat_member: Member


class Reaction(Wire):
    emoji: Loose[Text] = None
    custom_emoji_id: Loose[Text] = None


class ReactionChanged(Wire):
    chat: Chat
    message_id: Id
    user: Loose[User] = None
    date: Any = None
    new_reaction: list[Reaction]
