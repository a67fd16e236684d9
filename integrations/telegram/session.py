"""aiogram's HTTP session with what it lacks: every call is recorded, answers stay raw, the token stays inside."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import orjson
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import ClientDecodeError, TelegramNetworkError
from aiogram.methods import Response, TelegramMethod
from aiogram.methods.base import TelegramType
from aiohttp import ClientError, ClientTimeout

from integrations.base import CallLog
from integrations.telegram.updates import dump, is_id, load

CONNECT_TIMEOUT_S = 10.0
RETRY_AFTER_UNNAMED_S = 5  # a 429 that does not say how long: a proxy's, not Telegram's own
SECRET_FIELDS = frozenset({"secret_token", "certificate"})


class _Refused(TelegramMethod[bool]):
    __returning__ = bool
    __api_method__ = "refused"


class RecordedSession(AiohttpSession):
    """`bot(method)` through this session gives the result as parsed JSON, not as the library's model.

    The models refuse answers whose shape they do not know; a message that was sent would then look like an error.
    """

    def __init__(self, *, api_url: str, timeout_s: float, log_call: CallLog) -> None:
        super().__init__(api=TelegramAPIServer.from_base(api_url.rstrip("/")), json_loads=load, timeout=timeout_s)
        self._log_call = log_call
        self._is_plain_http = api_url.startswith("http://")

    async def close(self) -> None:
        if self._is_plain_http and self._session is not None:
            await self._session.close()  # the library then waits a quarter of a second for TLS to close
        else:
            await super().close()

    async def make_request(
        self, bot: Bot, method: TelegramMethod[TelegramType], timeout: float | None = None
    ) -> TelegramType:
        """Raises the library's exceptions; `__cause__` of TelegramNetworkError is aiohttp's."""
        session = await self.create_session()
        form = self.build_form_data(bot=bot, method=method)
        limit = ClientTimeout(total=timeout or self.timeout, sock_connect=CONNECT_TIMEOUT_S)
        started_at = perf_counter()
        status, content = None, b""
        try:
            async with session.post(
                self.api.api_url(token=bot.token, method=method.__api_method__),
                data=form,
                timeout=limit,
                allow_redirects=False,  # a redirect would carry the token to somebody else
            ) as response:
                status = response.status
                content = await response.read()
        except TimeoutError as error:
            raise TelegramNetworkError(method=method, message="timeout") from error
        except (ClientError, OSError) as error:
            # the text of some of these errors holds the address, and the address holds the token
            cause = None if bot.token in str(error) else error
            raise TelegramNetworkError(method=method, message=type(error).__name__) from cause
        finally:
            if method.__api_method__ != "getUpdates" or status != 200:
                self._record(method, status, content, (perf_counter() - started_at) * 1000)
        answer = self.check_response(bot, method, status, content.decode("utf-8", "replace"))
        return answer.result  # type: ignore[return-value]

    def check_response(
        self, bot: Bot, method: TelegramMethod[TelegramType], status_code: int, content: str
    ) -> Response[TelegramType]:
        try:
            answer = load(content)
        except ValueError as error:
            raise ClientDecodeError("the answer is not JSON", error, None) from None
        if not isinstance(answer, dict):
            raise ClientDecodeError("the answer is not an object", ValueError(), None)
        if answer.get("ok") is True and 200 <= status_code < 300:
            return Response[Any](ok=True, result=answer.get("result"))
        code = answer.get("error_code")
        if status_code < 400 and is_id(code):
            status_code = code
        # only the parts that the library looks at, in the types it wants: it raises TypeError without a description
        given = answer.get("parameters")
        given = given if isinstance(given, dict) else {}
        parameters = {name: given[name] for name in ("retry_after", "migrate_to_chat_id") if is_id(given.get(name))}
        if status_code == 429 and not parameters:
            parameters["retry_after"] = RETRY_AFTER_UNNAMED_S
        refusal = {"ok": False, "description": str(answer.get("description") or ""), "parameters": parameters}
        # in the name of a method without a model of its own: the library would build that of the real one's result
        unnamed: Any = _Refused()
        return super().check_response(bot, unnamed, status_code, orjson.dumps(refusal).decode())

    def _record(self, method: TelegramMethod[Any], status: int | None, content: bytes, duration_ms: float) -> None:
        fields = {name: _shown(name, value) for name, value in method if value is not None}
        url = self.api.api_url(token="***", method=method.__api_method__)  # noqa: S106
        self._log_call("telegram", "POST", url, dump(fields), status, content or None, duration_ms)


def _shown(name: str, value: Any) -> Any:
    if name in SECRET_FIELDS:
        return "***"
    if isinstance(value, str | int | float | bool | list | dict):
        return value
    if hasattr(value, "model_dump"):
        return value.model_dump(exclude_unset=True, exclude_none=True, mode="json", warnings=False)
    return f"<{type(value).__name__}>"  # a file, a default of the library
