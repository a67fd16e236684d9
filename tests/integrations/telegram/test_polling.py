"""Polling: an update is forgotten by Telegram only after it is ours."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from integrations.base import IncomingEvent, Later, StoredEvent, Unknown
from integrations.telegram.client import TelegramClient
from integrations.telegram.polling import LONGEST_PAUSE_S, Poller


def client_of(stage: Any, token: str = "7000000001:AAtesttesttesttesttesttesttesttest0") -> TelegramClient:
    return TelegramClient(token=token, api_url=stage.url, log_call=lambda *call: None, timeout_s=5)


async def seen(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


def texts(events: list[IncomingEvent]) -> list[str]:
    return [json.loads(event.body)["message"]["text"] for event in events]


class Pauses:
    """Instead of sleeping; after `limit` pauses the loop is cancelled."""

    def __init__(self, limit: int) -> None:
        self.seconds: list[float] = []
        self._limit = limit

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        if len(self.seconds) >= self._limit:
            raise asyncio.CancelledError


async def test_the_offset_moves_only_after_the_commit(stage: Any) -> None:
    client = client_of(stage)
    poller = Poller(client, stage.feed, wait_s=0)
    await stage.telegram.say("Анна", "раз")
    await stage.telegram.say("Анна", "два")
    stage.feed_fails = [RuntimeError("disk full")]
    with pytest.raises(RuntimeError):
        await poller.step()
    await poller.step()  # the same updates again
    assert texts(stage.stored) == ["раз", "два"]
    assert stage.telegram.pending_updates == 2  # not confirmed yet
    await poller.step()
    assert (stage.telegram.pending_updates, len(stage.stored)) == (0, 2)
    await client.close()


async def test_what_was_stored_but_not_confirmed_comes_again_after_a_restart(stage: Any) -> None:
    await stage.telegram.say("Анна", "раз")
    for _ in range(2):
        client = client_of(stage)
        await Poller(client, stage.feed, wait_s=0).step()
        await client.close()
    first, again = stage.stored
    assert (first.external_id, first.body, first.key) == (again.external_id, again.body, again.key)


async def test_numbers_that_begin_again_lower_are_not_missed(stage: Any) -> None:
    client = client_of(stage)
    poller = Poller(client, stage.feed, wait_s=0)
    await stage.telegram.say("Анна", "до недели тишины")
    await poller.step()
    await poller.step()  # nothing new: everything is confirmed, the offset is dropped
    stage.telegram.jump_update_ids(1000)
    await stage.telegram.say("Анна", "после")
    await poller.step()
    assert texts(stage.stored) == ["до недели тишины", "после"]
    await client.close()


async def test_polling_removes_a_webhook_and_drops_nothing(stage: Any) -> None:
    client = client_of(stage)
    await client.set_webhook(url="http://127.0.0.1:9/x", secret="s", allowed=("message",), max_connections=1)
    await stage.telegram.say("Анна", "ждёт")
    await Poller(client, stage.feed, wait_s=0).step()
    assert texts(stage.stored) == ["ждёт"]
    [deleted] = [fields for method, fields in stage.telegram.calls if method == "deleteWebhook"]
    assert deleted.get("drop_pending_updates", "false") == "false"
    await client.close()


async def test_the_types_of_updates_are_always_named(stage: Any) -> None:
    client = client_of(stage)
    await Poller(client, stage.feed, wait_s=0).step()
    [fields] = [fields for method, fields in stage.telegram.calls if method == "getUpdates"]
    assert json.loads(fields["allowed_updates"]) == [
        "message",
        "edited_message",
        "callback_query",
        "my_chat_member",
        "message_reaction",
    ]
    await client.close()


async def test_a_webhook_set_meanwhile_is_removed_again(stage: Any) -> None:
    client = client_of(stage)
    poller = Poller(client, stage.feed, wait_s=0)
    await poller.step()
    await client.set_webhook(url="http://127.0.0.1:9/x", secret="s", allowed=("message",), max_connections=1)
    with pytest.raises(Later, match="webhook"):
        await poller.step()
    await poller.step()
    assert stage.telegram.webhook_url is None
    await client.close()


async def test_two_processes_with_one_token_are_told_apart(stage: Any) -> None:
    client, other = client_of(stage), client_of(stage)
    waiting = asyncio.create_task(other.get_updates(offset=None, allowed=("message",), wait_s=20))
    await seen(lambda: bool(stage.telegram.calls))
    await client.get_updates(offset=None, allowed=("message",), wait_s=0)
    with pytest.raises(Later, match="terminated by other getUpdates") as caught:
        await waiting
    assert caught.value.scope == "system"
    await client.close()
    await other.close()


async def test_a_long_poll_returns_as_soon_as_somebody_writes(stage: Any) -> None:
    client = client_of(stage)
    polling = asyncio.create_task(Poller(client, stage.feed, wait_s=20).step())
    await seen(lambda: any(method == "getUpdates" for method, _ in stage.telegram.calls))
    await stage.telegram.say("Анна", "я тут")
    async with asyncio.timeout(5):
        await polling
    assert texts(stage.stored) == ["я тут"]
    await client.close()


async def test_errors_are_waited_out_longer_and_longer(stage: Any) -> None:
    client, pauses = client_of(stage), Pauses(7)
    stage.telegram.trouble = "down"
    with pytest.raises(asyncio.CancelledError):
        await Poller(client, stage.feed, wait_s=0, pause=pauses).run()
    assert pauses.seconds == [1, 2, 4, 8, *[LONGEST_PAUSE_S] * 3]
    await client.close()


async def test_the_loop_outlives_a_database_that_is_away(stage: Any) -> None:
    client, pauses = client_of(stage), Pauses(4)
    await stage.telegram.say("Анна", "не потерять")
    stage.feed_fails = [RuntimeError("locked"), RuntimeError("locked")]
    stage.telegram.answer_next(200, b'{"ok":true,"result":true}', method="deleteWebhook")

    async def feed(events: Any) -> None:
        await stage.feed(events)
        stage.telegram.trouble = "down"

    with pytest.raises(asyncio.CancelledError):
        await Poller(client, feed, wait_s=0, pause=pauses).run()
    assert texts(stage.stored) == ["не потерять"]
    assert pauses.seconds == [1, 2, 1, 2]
    await client.close()


@pytest.mark.parametrize(
    ("answer", "kinds"),
    [
        (b'{"ok":true,"result":[{"update_id":5,"message":{"text":"\\ud83d"}}]}', ["message"]),
        (b'{"ok":true,"result":[{"update_id":5,"poll":{"x":1e400}},7,{"update_id":6}]}', None),
        (b'{"ok":true,"result":[{"update_id":5,"message":{"message_id":1}}]}', ["message"]),
    ],
)
async def test_one_odd_update_does_not_spoil_the_batch(stage: Any, answer: bytes, kinds: list[str] | None) -> None:
    client = client_of(stage)
    poller = Poller(client, stage.feed, wait_s=0)
    stage.telegram.answer_next(200, answer, method="getUpdates")
    await poller.step()
    assert [event.kind for event in stage.stored] == (kinds or ["poll", "unreadable", "empty"])
    assert json.loads(stage.stored[0].body)["update_id"] == 5
    await client.close()


async def test_updates_without_numbers_are_kept_and_do_not_spin(stage: Any) -> None:
    client = client_of(stage)
    stage.telegram.answer_next(200, b'{"ok":true,"result":[{"message":{}}]}', method="getUpdates")
    with pytest.raises(Unknown):
        await Poller(client, stage.feed, wait_s=0).step()
    assert [event.state for event in stage.stored] == ["dead"]
    await client.close()


async def test_polled_updates_are_read_like_posted_ones(stage: Any) -> None:
    await stage.telegram.say("Анна", "привет")
    client = client_of(stage)
    await Poller(client, stage.feed, wait_s=0).step()
    [event] = stage.stored
    stored = StoredEvent(1, "telegram", event.kind, event.external_id, event.body, stage.clock())
    [fact] = stage.us.read(stored)
    assert fact.person.addresses == (str(stage.telegram.user_id("Анна")),)
    assert event.key == f"telegram:{stage.telegram.user_id('Анна')}"
    await client.close()


async def test_the_integration_polls_until_it_is_cancelled(stage: Any) -> None:
    polling = asyncio.create_task(stage.us.poll())
    for number in range(3):
        await stage.telegram.say("Анна", str(number))
        await stage.telegram.delivered()
    polling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await polling
    assert texts(stage.stored) == ["0", "1", "2"]
