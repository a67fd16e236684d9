"""The table of errors, by real HTTP: every recorded answer is a decision."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from integrations.base import Later, Never, Unknown
from integrations.telegram import TelegramSettings, make_telegram
from integrations.telegram.client import TelegramClient
from integrations.telegram.errors import Refused, decide

RESPONSES = Path(__file__).parents[2] / "samples" / "telegram" / "responses"
TOKEN = "7000000001:AAtesttesttesttesttesttesttesttest0"
TEXT = {"method": "sendMessage", "fields": {"text": "Принято"}, "is_question": False}


def answer(name: str) -> tuple[int, bytes, str]:
    sample = json.loads((RESPONSES / name).read_bytes())
    body = orjson.dumps(sample["body"]) if "body" in sample else sample["body_text"].encode()
    return sample["http_status"], body, sample.get("content_type", "application/json")


async def sending(stage: Any, status: int, body: bytes, content_type: str = "application/json") -> Exception:
    stage.telegram.answer_next(status, body, content_type=content_type)
    with pytest.raises((Later, Never, Unknown)) as caught:
        await stage.run("send_group", stage.telegram.managers_chat_id, text="Принято")
    assert TOKEN not in repr(caught.value)
    assert TOKEN not in str(caught.value.__cause__)
    return caught.value


@pytest.mark.parametrize(
    ("name", "code", "unreachable", "stops"),
    [
        ("err_400_chat_not_found.json", "not_found", True, False),
        ("err_400_thread_not_found.json", "topic_gone", False, False),
        ("err_400_topic_deleted.json", "topic_gone", False, False),
        ("err_400_file_too_big.json", "invalid", False, False),
        ("err_400_migrated.json", "migrated", False, False),
        ("err_403_blocked.json", "forbidden", True, False),
        ("err_403_cant_initiate.json", "forbidden", True, False),
        ("err_403_deactivated.json", "forbidden", True, False),
        ("err_403_kicked.json", "forbidden", True, False),
        ("err_401.json", "forbidden", False, True),
    ],
)
async def test_refusals_are_final(stage: Any, name: str, code: str, unreachable: bool, stops: bool) -> None:
    error = await sending(stage, *answer(name))
    assert isinstance(error, Never)
    assert (error.code, error.unreachable, error.stops_system) == (code, unreachable, stops)


async def test_a_moved_group_tells_its_new_id(stage: Any) -> None:
    assert str(await sending(stage, *answer("err_400_migrated.json"))) == "-1002400000001"


@pytest.mark.parametrize("name", ["err_500.json", "err_502_html.json"])
async def test_a_broken_answer_leaves_the_outcome_unknown(stage: Any, name: str) -> None:
    assert isinstance(await sending(stage, *answer(name)), Unknown)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b'{"ok":true,"resu'),
        (200, b"[]"),
        (200, b""),
        (200, b"\xff\xff"),
        (200, b'{"ok":true,"result":true}'),
        (500, b'{"ok":false}'),
        (500, b'{"ok":false,"description":null,"parameters":[]}'),
        (404, b"<html>nginx</html>"),
    ],
)
async def test_answers_that_make_no_sense_are_unknown(stage: Any, status: int, body: bytes) -> None:
    assert isinstance(await sending(stage, status, body), Unknown)


async def test_a_flood_pauses_the_chat(stage: Any) -> None:
    error = await sending(stage, *answer("err_429.json"))
    assert isinstance(error, Later)
    assert (error.retry_after_s, error.scope) == (14, "recipient")
    pace, now = stage.us.channel.pace, stage.clock()
    assert pace.delay("-1002400000001:77", now) == 14
    assert pace.delay("5400000001", now) == 0


async def test_a_long_wait_freezes_everything(stage: Any) -> None:
    body = b'{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":31}}'
    error = await sending(stage, 429, body)
    assert isinstance(error, Later)
    assert error.scope == "system"
    assert stage.us.channel.pace.delay("5400000001", stage.clock()) == 31


async def test_a_429_that_names_no_time_waits_too(stage: Any) -> None:
    error = await sending(stage, 429, b'{"ok":false,"error_code":429,"description":"Too Many Requests"}')
    assert isinstance(error, Later)
    assert error.retry_after_s == 5


async def test_a_conflict_of_polling_is_later(stage: Any) -> None:
    error = await sending(stage, *answer("err_409_getupdates.json"))
    assert isinstance(error, Later)
    assert error.scope == "system"


async def test_a_wrong_method_or_bot_stops_the_system(stage: Any) -> None:
    error = await sending(stage, 404, b'{"ok":false,"error_code":404,"description":"Not Found"}')
    assert isinstance(error, Never)
    assert error.stops_system


async def test_too_large_is_a_refusal_although_the_library_calls_it_network(stage: Any) -> None:
    body = b'{"ok":false,"error_code":413,"description":"Request Entity Too Large"}'
    assert isinstance(await sending(stage, 413, body), Never)


async def test_rights_that_are_missing_do_not_make_a_chat_unreachable(stage: Any) -> None:
    body = b'{"ok":false,"error_code":400,"description":"Bad Request: not enough rights to create a topic"}'
    error = await sending(stage, 400, body)
    assert isinstance(error, Never)
    assert (error.code, error.unreachable) == ("forbidden", False)


async def test_an_answer_of_an_unknown_shape_is_still_a_sent_message(stage: Any) -> None:
    body = b'{"ok":true,"result":{"message_id":900,"chat":{"id":-5,"brand_new":1},"date":"soon"}}'
    stage.telegram.answer_next(200, body)
    done = await stage.run("send_group", -5, text="Принято")
    assert (done.external_id, done.result) == ("-5:900", {"message_id": 900})


async def test_nobody_at_home_is_surely_not_done() -> None:
    client = TelegramClient(token=TOKEN, api_url="http://127.0.0.1:1", log_call=lambda *call: None)
    with pytest.raises(Later) as caught:
        await client.send("sendMessage", {"text": "x"}, chat_id=1)
    assert caught.value.scope == "system"
    await client.close()


@pytest.mark.parametrize("how", ["hangs_up", "is_slow"])
async def test_a_connection_that_breaks_leaves_the_outcome_unknown(serving: Any, how: str) -> None:
    async def handle(request: web.Request) -> web.Response:
        await request.read()
        if how == "hangs_up":
            assert request.transport is not None
            request.transport.abort()
        else:
            await asyncio.Event().wait()
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    async with serving(app) as url:
        client = TelegramClient(token=TOKEN, api_url=url, log_call=lambda *call: None, timeout_s=0.1)
        with pytest.raises(Unknown):
            await client.send("sendMessage", {"text": "x"}, chat_id=1)
        await client.close()


async def test_the_calls_are_recorded_without_secrets(stage: Any) -> None:
    await stage.run("send_group", stage.telegram.managers_chat_id, text="Принято")
    [(system, method, url, request, status, body, duration_ms)] = stage.calls
    assert (system, method, status) == ("telegram", "POST", 200)
    assert url == f"{stage.url}/bot***/sendMessage"
    assert json.loads(request)["text"] == "Принято"
    assert json.loads(body)["ok"] is True
    assert duration_ms > 0
    assert TOKEN not in repr(stage.calls)


def test_settings_do_not_show_their_secrets() -> None:
    shown = repr(TelegramSettings(bot_token=TOKEN, webhook_secret="hush"))
    assert TOKEN not in shown
    assert "hush" not in shown


def test_settings_that_cannot_be_are_refused(clock: Any) -> None:
    async def feed(events: Any) -> None:
        raise AssertionError

    def make(settings: TelegramSettings) -> None:
        make_telegram(settings, now=clock, log_call=lambda *call: None, feed=feed)

    with pytest.raises(ValueError, match="WEBHOOK_SECRET"):
        make(TelegramSettings(bot_token=TOKEN, mode="webhook", base_url="https://bot.example.com"))
    with pytest.raises(ValueError, match="A-Z, a-z"):
        make(TelegramSettings(TOKEN, mode="webhook", webhook_secret="not one!", base_url="https://bot.example.com"))
    with pytest.raises(ValueError, match="token"):
        make(TelegramSettings(bot_token="hush hush"))


def test_what_is_no_error_of_telegram_is_not_hidden() -> None:
    with pytest.raises(KeyError):
        decide(KeyError("ours"))
    assert isinstance(decide(ValueError("no such field")), Refused)
