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
assert sent.reply_markup.inline_keyboard[0][0].callback_data == "b"
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
