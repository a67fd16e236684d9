"""Only the methods that we call are built, in a process that imports aiogram through us."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from integrations.telegram import lean_aiogram

FOLDER = Path(lean_aiogram.__file__).parent

USE = """
from integrations.telegram import TelegramSettings, lean_aiogram, make_telegram
from datetime import UTC, datetime
make_telegram(
    TelegramSettings("123456:AAEabcdefghijklmnopqrstuvwxyz012345"),
    now=lambda: datetime.now(UTC), log_call=lambda *a: None, feed=None,
)
import aiogram.methods as api
for name in lean_aiogram.METHODS:
    assert getattr(api, name).__pydantic_complete__, name
import aiogram.types
assert not aiogram.types.Message.__pydantic_complete__
sent = api.SendMessage(
    chat_id=1, text="x", reply_parameters={"message_id": 2},
    reply_markup={"inline_keyboard": [[{"text": "a", "callback_data": "b"}]]},
)
assert sent.reply_markup.model_dump(exclude_none=True)["inline_keyboard"][0][0]["text"] == "a"
assert sent.reply_parameters.model_dump(exclude_unset=True) == {"message_id": 2}
keyboard = api.SendMessage(chat_id=1, text="x", reply_markup={"keyboard": [[{"text": "a", "request_contact": True}]]})
assert keyboard.reply_markup.model_dump(exclude_none=True)["keyboard"][0][0]["request_contact"] is True
assert sent.reply_markup.inline_keyboard[0][0].callback_data == "b"
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest, TelegramRetryAfter
from integrations.telegram.session import RecordedSession
session = RecordedSession(api_url="http://127.0.0.1:9", timeout_s=1, log_call=lambda *a: None)
bot = Bot("123456:AAEabcdefghijklmnopqrstuvwxyz012345", session=session)
for content, refusal in (
    ('{"ok":false,"error_code":400,"description":"Bad Request: TOPIC_DELETED"}', TelegramBadRequest),
    ('{"ok":false,"error_code":429,"description":"x","parameters":{"retry_after":3}}', TelegramRetryAfter),
):
    try:
        session.check_response(bot, sent, 400, content)
    except refusal:
        continue
    raise AssertionError(refusal)
print("lean")
"""


def test_every_method_that_we_call_is_built() -> None:
    called = {
        name
        for file in FOLDER.glob("*.py")
        for name in re.findall(r"\bapi\.([A-Z]\w+)", file.read_text(encoding="utf-8"))
    }
    assert called == set(lean_aiogram.METHODS)


def test_a_process_that_imports_aiogram_through_us_can_send() -> None:
    done = subprocess.run(
        [sys.executable, "-c", USE], capture_output=True, text=True, check=False, cwd=FOLDER.parent.parent
    )
    assert done.stdout.strip() == "lean", done.stderr
