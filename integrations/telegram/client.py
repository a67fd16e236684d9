"""One method for each call that we make to the Bot API. All raise Later, Never (`Refused`) or Unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiogram.methods as api
from aiogram import Bot
from aiogram.methods import TelegramMethod
from aiogram.utils.token import TokenValidationError
from aiohttp import ClientError, ClientTimeout

from integrations.base import CallLog, Later, Never, Unknown
from integrations.telegram.errors import Refused, decide
from integrations.telegram.session import RecordedSession
from integrations.telegram.updates import is_id
from integrations.telegram.utf16 import clean

GET_FILE_LIMIT_BYTES = 20 * 1024 * 1024  # larger files cannot be fetched by a bot (Bot API, getFile)

SENDING: Mapping[str, type[TelegramMethod[Any]]] = {
    method.__api_method__: method
    for method in (
        api.SendMessage,
        api.SendPhoto,
        api.SendDocument,
        api.SendVoice,
        api.SendAudio,
        api.SendVideo,
        api.SendAnimation,
        api.SendVideoNote,
        api.SendSticker,
        api.SendLocation,
    )
}
"""The methods that a stored order may name: an order can never become any other call."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that Telegram took."""

    chat_id: int
    message_id: int

    @property
    def id(self) -> str:
        return f"{self.chat_id}:{self.message_id}"


class TelegramClient:
    def __init__(self, *, token: str, api_url: str, log_call: CallLog, timeout_s: float = 20.0) -> None:
        """Opens no connection yet. Raises ValueError for something that is no token."""
        self._session = RecordedSession(api_url=api_url, timeout_s=timeout_s, log_call=log_call)
        try:
            self._bot = Bot(token=token, session=self._session)  # no parse mode: all our texts are plain
        except TokenValidationError:
            raise ValueError("the token of the Telegram bot must look like 123456:AAE…") from None
        self.bot_id = self._bot.id
        self._timeout_s = timeout_s

    async def close(self) -> None:
        await self._session.close()

    async def send(
        self, method: str, fields: Mapping[str, Any], *, chat_id: int | str, thread_id: int | None = None
    ) -> Sent:
        """Send one message by a method of SENDING; `fields` in Telegram's own names."""
        call = SENDING.get(method)
        if call is None:
            raise Refused(f"{method} is not a way to send a message", reason="other")
        # General has no id of its own: naming it as 1 is refused (contract 4)
        thread = {"message_thread_id": thread_id} if thread_id and thread_id != 1 else {}
        result = await self._call(call, {**fields, "chat_id": chat_id, **thread})
        message_id = result.get("message_id") if isinstance(result, dict) else None
        chat = result.get("chat") if isinstance(result, dict) else None
        if not is_id(message_id):
            raise Unknown("Telegram took the message and did not say its number")
        known = chat.get("id") if isinstance(chat, dict) else chat_id
        return Sent(known if is_id(known) else 0, message_id)

    async def edit_text(self, *, chat_id: int | str, message_id: int, text: str, reply_markup: Any) -> None:
        await self._call(
            api.EditMessageText,
            {"chat_id": chat_id, "message_id": message_id, "text": text, "reply_markup": reply_markup},
        )

    async def edit_caption(self, *, chat_id: int | str, message_id: int, caption: str, reply_markup: Any) -> None:
        await self._call(
            api.EditMessageCaption,
            {"chat_id": chat_id, "message_id": message_id, "caption": caption, "reply_markup": reply_markup},
        )

    async def edit_buttons(self, *, chat_id: int | str, message_id: int, reply_markup: Any) -> None:
        await self._call(
            api.EditMessageReplyMarkup,
            {"chat_id": chat_id, "message_id": message_id, "reply_markup": reply_markup},
        )

    async def answer_callback(self, query_id: str, *, text: str | None = None, show_alert: bool = False) -> None:
        fields = {"callback_query_id": query_id, "text": text, "show_alert": show_alert or None}
        await self._call(api.AnswerCallbackQuery, fields)

    async def create_topic(self, *, chat_id: int | str, name: str, icon_color: int | None) -> int:
        """Returns the topic's thread id."""
        result = await self._call(api.CreateForumTopic, {"chat_id": chat_id, "name": name, "icon_color": icon_color})
        thread_id = result.get("message_thread_id") if isinstance(result, dict) else None
        if not is_id(thread_id):
            raise Unknown("Telegram opened a topic and did not say its number")
        return int(thread_id)

    async def close_topic(self, *, chat_id: int | str, thread_id: int) -> None:
        await self._call(api.CloseForumTopic, {"chat_id": chat_id, "message_thread_id": thread_id})

    async def reopen_topic(self, *, chat_id: int | str, thread_id: int) -> None:
        await self._call(api.ReopenForumTopic, {"chat_id": chat_id, "message_thread_id": thread_id})

    async def show_typing(self, *, chat_id: int | str, thread_id: int | None = None) -> None:
        fields = {"chat_id": chat_id, "message_thread_id": thread_id, "action": "typing"}
        await self._call(api.SendChatAction, fields)

    async def get_me(self) -> Mapping[str, Any]:
        result = await self._call(api.GetMe, {})
        return result if isinstance(result, dict) else {}

    async def get_updates(self, *, offset: int | None, allowed: Sequence[str], wait_s: int) -> list[Any]:
        """Wait up to `wait_s` for updates, as parsed JSON. `offset` makes Telegram forget the ones before it."""
        fields = {"offset": offset, "timeout": wait_s, "allowed_updates": list(allowed), "limit": 100}
        result = await self._call(api.GetUpdates, fields, timeout_s=wait_s + self._timeout_s)
        return result if isinstance(result, list) else []

    async def set_webhook(self, *, url: str, secret: str, allowed: Sequence[str], max_connections: int) -> None:
        fields = {
            "url": url,
            "secret_token": secret,
            "allowed_updates": list(allowed),
            "max_connections": max_connections,
            "drop_pending_updates": False,
        }
        await self._call(api.SetWebhook, fields)

    async def delete_webhook(self) -> None:
        """Updates that wait are kept: dropping them is nobody's but an administrator's decision."""
        await self._call(api.DeleteWebhook, {"drop_pending_updates": False})

    async def download(self, file_id: str, limit_bytes: int) -> bytes:
        """Fetch a file. Raises Later or Never; the link holds the token and appears in neither."""
        limit_bytes = min(limit_bytes, GET_FILE_LIMIT_BYTES)
        try:
            result = await self._call(api.GetFile, {"file_id": file_id})
        except Unknown as error:
            raise Later(str(error)) from error  # reading does no harm twice
        result = result if isinstance(result, dict) else {}
        path, size = result.get("file_path"), result.get("file_size")
        if not isinstance(path, str) or not path:
            raise Later("Telegram gave no link to the file")
        if is_id(size) and size > limit_bytes:
            raise Refused("the file is too big", reason="too_big")
        url = self._session.api.file_url(self._bot.token, quote(path))
        http = await self._session.create_session()
        content = bytearray()
        try:
            timeout = ClientTimeout(total=120, sock_connect=10, sock_read=self._timeout_s)
            async with http.get(url, timeout=timeout, allow_redirects=False) as response:
                if response.status != 200:  # 404: the link has expired, the next try gets another
                    raise Later(f"Telegram answered {response.status} to the download of a file")
                async for chunk in response.content.iter_chunked(65536):
                    content += chunk
                    if len(content) > limit_bytes:
                        raise Refused("the file is too big", reason="too_big")
        except (ClientError, OSError, TimeoutError) as error:
            raise Later(f"the download of a file broke off: {type(error).__name__}") from None
        return bytes(content)

    async def _call(
        self, method: type[TelegramMethod[Any]], fields: Mapping[str, Any], *, timeout_s: float | None = None
    ) -> Any:
        """The result as parsed JSON (see RecordedSession)."""
        try:
            call = method(**{name: _clean(value) for name, value in fields.items() if value is not None})
            timeout: Any = timeout_s  # the library's annotation says int, the session takes seconds of any kind
            return await self._bot(call, request_timeout=timeout)
        except (Later, Never, Unknown):
            raise
        except Exception as error:
            decision = decide(error)
            if self._bot.token in f"{error}{error.__cause__}":
                raise decision from None
            raise decision from error


def _clean(value: Any) -> Any:
    """Well-formed texts throughout: the form encoder raises on a lone surrogate."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {name: _clean(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value
