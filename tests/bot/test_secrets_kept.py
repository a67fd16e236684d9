"""Nothing that the service shows or stores holds a secret of its settings, in whatever way it is written.

The service is a process of its own, so that everything it says is seen from its first line to its last.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import aiohttp
import pytest

from tests.bot.service import basic
from tests.stage import Stage, sqlite_url, staged
from tests.waiting import until

SECRETS = {
    "API_TOKEN": "Zq1-api/tok+en=&9",
    "SECRET_KEY": "Zq2-secret/key+=&8",
    "WHATSAPP_ACCESS_TOKEN": "Zq3-EAA/access+tok=&7",
    "WHATSAPP_VERIFY_TOKEN": "Zq4-verify/word+=&6",
    "WHATSAPP_APP_SECRET": "Zq5-app/secret+=&5",
    "TELEGRAM_BOT_TOKEN": "7000000001:AAZq6TelegramTokenOfThisTest0123456",
    "TELEGRAM_WEBHOOK_SECRET": "Zq7_telegram-secret",
    "OKDESK_API_TOKEN": "Zq8-okdesk/tok+en=&4",
    "OKDESK_WEBHOOK_PASSWORD": "Zq9-пароль/слово+=&3",
    "ONEC_WEBHOOK_TOKEN": "Zq10-onec/tok+en=&2",
    "ONEC_PASSWORD": "Zq11-пароль/1c+=&1",
}
NAMES_OF_THE_STAGE = {
    "WHATSAPP_TOKEN": "WHATSAPP_ACCESS_TOKEN",
    "WHATSAPP_VERIFY": "WHATSAPP_VERIFY_TOKEN",
    "WHATSAPP_SECRET": "WHATSAPP_APP_SECRET",
    "TELEGRAM_TOKEN": "TELEGRAM_BOT_TOKEN",
    "OKDESK_TOKEN": "OKDESK_API_TOKEN",
    "OKDESK_PASSWORD": "OKDESK_WEBHOOK_PASSWORD",
    "ONEC_TOKEN": "ONEC_WEBHOOK_TOKEN",
    "ONEC_PASSWORD": "ONEC_PASSWORD",
}
HOOKS = ("/webhooks/whatsapp", "/webhooks/telegram", "/webhooks/okdesk", "/webhooks/onec", "/webhooks/none",
         "/api/v1/logs")  # fmt: skip
BEARER = {"Authorization": f"Bearer {SECRETS['API_TOKEN']}"}


def written(secret: str) -> set[str]:
    """Every way in which a secret could be written, in lower case."""
    raw = secret.encode()
    ways = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1], raw.hex()}
    for before in range(3):  # within a longer text in base64: the edges depend on what stands beside it
        text = base64.b64encode(b"\0" * before + raw).decode()
        inner = text[-(-before * 4 // 3) : (before + len(raw)) * 4 // 3 - 1]
        ways |= {inner, inner.replace("+", "-").replace("/", "_")}
    return {way.lower() for way in ways}


def found_in(text: str) -> list[str]:
    """Names of the settings whose secret stands in a text."""
    lowered = text.lower()
    return [name for name, secret in SECRETS.items() if any(way in lowered for way in written(secret))]


@pytest.mark.parametrize("name", SECRETS)
def test_the_search_finds_what_it_looks_for(name: str) -> None:
    secret = SECRETS[name]
    for text in (secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret), secret.encode().hex()):
        assert found_in(f"?x={text}&y=1") == [name]
    for user in ("u", "us", "use", "user"):
        assert found_in(basic(user, secret)) == [name]


@contextlib.asynccontextmanager
async def process(folder: Path, environment: dict[str, str], *arguments: str) -> AsyncIterator[Any]:
    """A process of ours that writes everything it says into two files."""
    with (folder / "out.txt").open("ab") as out, (folder / "err.txt").open("ab") as err:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", *arguments, cwd=folder, env=environment, stdout=out, stderr=err
        )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.terminate()
            await child.wait()


def tables(folder: Path) -> Iterator[tuple[str, str]]:
    """Each value of each table, as text."""
    with contextlib.closing(sqlite3.connect(folder / "fixit.db")) as connection:
        names = [row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")]
        assert {"events", "deliveries", "api_calls", "messages", "turns"} <= set(names)
        for name in names:
            for row in connection.execute(f'select * from "{name}"'):
                for value in row:
                    yield name, value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


async def asked(stage: Stage, method: str, path: str, **request: Any) -> str:
    """An answer whole: its status line, its headers and its body."""
    async with stage.http.request(method, f"{stage.url}{path}", **request) as answer:
        return f"{answer.status} {answer.reason} {dict(answer.headers)} {await answer.text()}"


async def show_secrets_in_wrong_places(stage: Stage) -> list[str]:
    """Every secret at every address where it does not belong, and where it does with a body that is broken."""
    answers = []
    for secret in SECRETS.values():
        for path in HOOKS:
            for headers in (
                {"Authorization": f"Bearer {secret}"},
                {"Authorization": basic("okdesk", secret)},
                {"X-Token": secret, "X-Api-Key": secret, "Cookie": f"session={secret}"},
                {"X-Telegram-Bot-Api-Secret-Token": secret},
            ):
                answers.append(await asked(stage, "POST", path, data=b"{broken", headers=headers))
            answers.append(await asked(stage, "GET", path, params={"token": secret, "hub.verify_token": secret}))
        answers.append(await asked(stage, "GET", "/" + quote(secret, safe="")))
    return answers


async def talk(stage: Stage) -> None:
    """Customers talk while systems fail, so that errors of every kind are met."""

    async def said_by_bot(phone: Any, number: int) -> bool:
        return sum(line["from"] == "bot" for line in phone.transcript("Анна")) >= number

    for phone in (stage.whatsapp, stage.telegram):
        await phone.say("Анна", "/start")
        await until(lambda phone=phone: said_by_bot(phone, 1), "the bot does not answer")  # type: ignore[misc]
    await stage.telegram.photo("Анна", "вот")
    await stage.whatsapp.photo("Анна", "вот")
    for system in ("okdesk", "onec", "telegram", "whatsapp"):
        await stage.unplug(system)
    await stage.whatsapp.say("Борис", "/start")
    await called(stage, None)
    await stage.plug_in("whatsapp")
    stage.whatsapp.token_is_dead = True
    await stage.whatsapp.say("Вера", "/start")
    await called(stage, 401)


async def called(stage: Stage, status: int | None) -> None:
    """Wait for a call of ours with that answer."""
    numbers = count()

    async def is_there() -> bool:
        form = {"form": "callback", "phone": "+7 916 123-45-67", "id": f"{status}-{next(numbers)}"}
        await asked(stage, "POST", "/api/v1/forms", json=form, headers=BEARER)  # calls are kept by the next commit
        items = json.loads(await api(stage, "/api/v1/logs?limit=200"))["items"]
        return any(item["status"] == status for item in items)

    await until(is_there, f"no call of ours ended with {status}", within_s=30)


async def api(stage: Stage, path: str) -> Any:
    async with stage.http.get(f"{stage.url}{path}", headers=BEARER) as answer:
        assert answer.status == 200, path
        return await answer.text()


@pytest.mark.parametrize("log_format", ["json", "console"])
async def test_no_secret_is_shown_or_stored_anywhere(
    log_format: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, setting in NAMES_OF_THE_STAGE.items():
        monkeypatch.setattr(f"tests.stage.{name}", SECRETS[setting])
    more = {**SECRETS, "LOG_LEVEL": "DEBUG", "LOG_FORMAT": log_format}
    shown: dict[str, str] = {}
    async with staged(sqlite_url(tmp_path), more, starts=False) as stage:
        stage.offset_s = 0
        environment = dict(stage.environment)

        async def is_up() -> bool:
            with contextlib.suppress(aiohttp.ClientError):
                async with stage.http.get(f"{stage.url}/health") as answer:
                    return answer.status == 200
            return False

        async with process(tmp_path, environment, "doctor") as child:
            assert await child.wait() == 0, (tmp_path / "out.txt").read_text()
        async with process(tmp_path, environment, "serve"):
            await until(is_up, "it does not start", within_s=30)
            await talk(stage)
            answers = await show_secrets_in_wrong_places(stage)
            statuses = {int(answer[:3]) for answer in answers}
            assert {200, 400, 401, 403, 404, 429} <= statuses
            shown |= {f"answer {number}": answer for number, answer in enumerate(answers)}
            for path in ("/docs", "/openapi.json", "/metrics", "/health", "/api/v1/logs?limit=200",
                         "/api/v1/webhooks/events?limit=200", "/api/v1/deliveries?limit=200",
                         "/api/v1/dialogs?limit=200", "/api/v1/webhooks/events/1"):  # fmt: skip
                shown[path] = await api(stage, path)
        async with process(tmp_path, environment, "doctor") as child:
            assert await child.wait() == 1
    shown |= {name: (tmp_path / name).read_text() for name in ("out.txt", "err.txt")}
    assert "Okdesk" in shown["out.txt"]
    assert "webhook_refused" in shown["err.txt"]
    shown |= {f"{name} {number}": value for number, (name, value) in enumerate(tables(tmp_path))}
    leaks = {where: found_in(text) for where, text in shown.items()}
    assert {where: names for where, names in leaks.items() if names} == {}
