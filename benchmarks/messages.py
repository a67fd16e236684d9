"""What the outside sends in: signed WhatsApp webhooks and Telegram updates with one message each."""

from __future__ import annotations

import hmac
import itertools
import os
import time
from typing import Any

import orjson

PHONE_NUMBER_ID = "310000000000001"
WABA_ID = "210000000000001"
APP_SECRET = "benchmark-app-secret"
ACCESS_TOKEN = "benchmark-access-token"
VERIFY_TOKEN = "benchmark-verify-token"
BOT_TOKEN = "7000000001:AABenchmarkBenchmarkBenchmarkBench0"
WHATSAPP_PATH = "/webhooks/whatsapp"
TELEGRAM_PATH = "/webhooks/telegram"

_RUN = os.urandom(6).hex()  # ids of two runs never meet
_NUMBERS = itertools.count(1)


def whatsapp_request(who: int, text: str, *, pad_to: int = 0) -> bytes:
    """A whole HTTP request with a signed update of its own id; its body is at least `pad_to` bytes long."""
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "74950000111", "phone_number_id": PHONE_NUMBER_ID},
        "contacts": [{"profile": {"name": "Bench"}, "wa_id": str(who), "user_id": f"RU.{who}"}],
        "messages": [
            {
                "from": str(who),
                "from_user_id": f"RU.{who}",
                "id": f"wamid.{_RUN}{next(_NUMBERS):016d}",
                "timestamp": str(int(time.time())),
                "type": "text",
                "text": {"body": text},
            }
        ],
    }
    update = {
        "object": "whatsapp_business_account",
        "entry": [{"id": WABA_ID, "changes": [{"value": value, "field": "messages"}]}],
    }
    body = orjson.dumps(update)
    if len(body) < pad_to:
        body = body.replace(text.encode(), f"{text} {'x' * (pad_to - len(body) - 1)}".encode())
    signature = hmac.digest(APP_SECRET.encode(), body, "sha256").hex()
    return _request(WHATSAPP_PATH, body, f"X-Hub-Signature-256: sha256={signature}\r\n")


def telegram_request(who: int, text: str) -> bytes:
    number = next(_NUMBERS)
    message: dict[str, Any] = {
        "message_id": number,
        "from": {"id": who, "is_bot": False, "first_name": "Bench", "language_code": "en"},
        "chat": {"id": who, "first_name": "Bench", "type": "private"},
        "date": int(time.time()),
        "text": text,
    }
    return _request(TELEGRAM_PATH, orjson.dumps({"update_id": number, "message": message}))


def _request(path: str, body: bytes, headers: str = "") -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: benchmark\r\nAccept: */*\r\n{headers}"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
