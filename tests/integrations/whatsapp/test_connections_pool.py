"""Connections of our own: callers that leave or wait, what was surely not sent, and the end."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from integrations.whatsapp.connections import AnswerLost, NotSent, Reply
from tests.integrations.whatsapp.peers import OK, Meeting, Visit, ok, saying
from tests.waiting import until


async def test_the_answer_to_a_caller_that_left_is_nobodys(either: Meeting) -> None:
    left, asked = asyncio.Event(), asyncio.Event()

    async def talk(visit: Visit) -> None:
        while True:
            _, body = await visit.request()
            if body == b"first":
                asked.set()
                await visit.is_left()
                left.set()
                visit.writer.write(OK.replace(b"{}", b"no"))
            visit.writer.write(OK)

    peer, url = await either.peer(talk)
    post = either.pool(url, limit=1)
    await post(b"warm")
    first = asyncio.create_task(post(b"first"))
    second = asyncio.create_task(post(b"second"))
    await asked.wait()
    first.cancel()
    assert await second == Reply(200, b"{}", "")
    assert first.cancelled()
    await asyncio.wait_for(left.wait(), 5)
    assert len(peer.visits) == 2


async def test_a_caller_that_leaves_when_its_answer_is_there_takes_no_connection_along(meeting: Meeting) -> None:
    peer, url = await meeting.peer(saying(OK))
    post = meeting.pool(url)
    leaving = asyncio.ensure_future(post(b"{}"))
    while not meeting.pools[0]._idle:  # the answer came, the caller has not run yet
        assert not leaving.done()
        await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert await post(b"{}") == Reply(200, b"{}", "")
    assert len(peer.visits) == 1


@pytest.mark.parametrize("turns", range(4))
async def test_a_caller_may_leave_while_its_answer_arrives(
    turns: int, meeting: Meeting, caplog: pytest.LogCaptureFixture
) -> None:
    answered = False

    async def talk(visit: Visit) -> None:
        nonlocal answered
        while True:
            await visit.request()
            visit.writer.write(OK)
            answered = True

    _, url = await meeting.peer(talk)
    post = meeting.pool(url)
    leaving = asyncio.ensure_future(post(b"{}"))
    while not answered:
        await asyncio.sleep(0)
    for _ in range(turns):
        await asyncio.sleep(0)
    leaving.cancel()
    with suppress(asyncio.CancelledError):
        await leaving
    assert await post(b"{}") == Reply(200, b"{}", "")
    assert caplog.records == []  # asyncio logs what goes wrong in a protocol


async def test_a_caller_that_leaves_while_connecting_leaves_nothing_behind(meeting: Meeting) -> None:
    peer, url = await meeting.peer(saying(OK))
    post = meeting.pool(url, limit=1)
    for turns in range(12):  # at each of the steps that it takes to connect
        leaving = asyncio.ensure_future(post(b"{}"))
        for _ in range(turns):
            await asyncio.sleep(0)
        leaving.cancel()
        with suppress(asyncio.CancelledError):
            await leaving
    assert await asyncio.wait_for(post(b"{}"), 5) == Reply(200, b"{}", "")
    await until(lambda: len(peer.tasks) == 1, "those that were opened in vain stay open")


# ------------------------------------------------------------------------------------------------------ limits, order


async def test_callers_wait_for_a_connection_in_their_order(meeting: Meeting) -> None:
    requests: list[bytes] = []
    may_answer = asyncio.Semaphore(0)

    async def talk(visit: Visit) -> None:
        while True:
            requests.append((await visit.request())[1])
            await may_answer.acquire()
            visit.writer.write(OK)

    peer, url = await meeting.peer(talk)
    post = meeting.pool(url, limit=2)
    calls = [asyncio.ensure_future(post(b"%d" % number)) for number in range(8)]
    await until(lambda: len(requests) == 2, "two may go at once")
    calls[3].cancel()  # in the row: those behind it move up
    for served in range(2, 7):
        may_answer.release()
        await until(lambda: len(requests) > served, "nobody moved up")  # noqa: B023 - called before the next round
    for _ in range(2):
        may_answer.release()
    await asyncio.gather(*calls, return_exceptions=True)
    assert sorted(requests[:2]) == [b"0", b"1"]
    assert requests[2:] == [b"2", b"4", b"5", b"6", b"7"]
    assert len(peer.visits) == 2


async def test_no_free_connection_in_time_is_not_sent(meeting: Meeting) -> None:
    requests: list[bytes] = []
    may_answer = asyncio.Event()

    async def talk(visit: Visit) -> None:
        while True:
            requests.append((await visit.request())[1])
            await may_answer.wait()
            visit.writer.write(OK)

    _, url = await meeting.peer(talk)
    post = meeting.pool(url, limit=1, wait_s=0.05)
    first = asyncio.ensure_future(post(b"first"))
    await until(lambda: requests, "the first was not sent")
    with pytest.raises(NotSent, match="TimeoutError"):
        await post(b"second")
    may_answer.set()
    assert (await first).status == 200
    assert (await post(b"third")).status == 200
    assert requests == [b"first", b"third"]


async def test_a_place_is_free_again_after_every_kind_of_end(meeting: Meeting) -> None:
    peer, url = await meeting.peer(saying(b"", then_closes=True))
    post = meeting.pool(url, limit=1, wait_s=5)
    for _ in range(3):
        with pytest.raises(AnswerLost):
            await post(b"{}")
    assert peer.server is not None
    peer.server.close()
    for _ in range(3):
        with pytest.raises(NotSent, match="ConnectionRefusedError"):
            await post(b"{}")


async def test_sixty_four_at_once_get_each_their_own_answer(either: Meeting) -> None:
    async def talk(visit: Visit) -> None:
        while True:
            _, body = await visit.request()
            for _ in range(int(body) % 3):  # answers overtake one another
                await asyncio.sleep(0)
            visit.writer.write(ok(body))

    peer, url = await either.peer(talk)
    post = either.pool(url, limit=16)
    replies = await asyncio.gather(*(post(b"%d" % number) for number in range(640)))
    assert [int(reply.body) for reply in replies] == list(range(640))
    assert len(peer.visits) <= 16


# ---------------------------------------------------------------------------------------------------------- not sent


async def test_an_impossible_name_is_not_sent(meeting: Meeting) -> None:
    with pytest.raises(NotSent, match="UnicodeError"):
        await meeting.pool(f"http://{'x' * 64}.invalid")(b"{}")


async def test_a_name_that_nobody_has_is_not_sent(meeting: Meeting) -> None:
    with pytest.raises(NotSent, match=r"gaierror|TimeoutError"):
        await meeting.pool("http://nobody.invalid")(b"{}")


async def test_a_connection_that_is_not_made_in_time_is_not_sent(meeting: Meeting) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        callers = [socket.socket() for _ in range(4)]  # more than the system keeps for `accept`
        try:
            for caller in callers:
                caller.setblocking(False)
                caller.connect_ex(full.getsockname())
            post = meeting.pool(f"http://127.0.0.1:{full.getsockname()[1]}", connect_s=0.05, wait_s=None)
            with pytest.raises(NotSent, match="TimeoutError"):
                await asyncio.wait_for(post(b"{}"), 5)
        finally:
            for caller in callers:
                caller.close()


async def test_tls_that_does_not_come_about_is_not_sent(meeting: Meeting) -> None:
    async def silent(visit: Visit) -> None:
        await asyncio.Event().wait()

    async def closing(visit: Visit) -> None:
        await visit.reader.read(1)

    async def plain(visit: Visit) -> None:
        visit.writer.write(OK)
        await visit.reader.read(1)

    for talk, reason in ((silent, "TimeoutError"), (closing, "Error"), (plain, "SSLError")):
        _, url = await meeting.peer(talk)
        url = url.replace("http://127.0.0.1", "https://localhost")
        with pytest.raises(NotSent, match=reason):
            await meeting.pool(url, connect_s=0.2)(b"{}")


@pytest.mark.parametrize("is_trusted", [True, False])
async def test_a_certificate_of_somebody_else_is_not_sent(
    is_trusted: bool, certificate: Path, server_tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    meeting = Meeting(server_tls)
    requests: list[Any] = []

    async def talk(visit: Visit) -> None:
        requests.append(await visit.request())

    _, url = await meeting.peer(talk)
    url = url.replace("localhost", "127.0.0.1") if is_trusted else url  # trusted, but not for this name
    with pytest.raises(NotSent, match="SSLCertVerificationError"):
        await meeting.pool(url)(b"{}")
    await meeting.stop()
    assert requests == []


# ------------------------------------------------------------------------------------------------------------- closing


async def test_closing_ends_what_is_under_way_and_takes_nothing_more(either: Meeting) -> None:
    asked = asyncio.Event()

    async def talk(visit: Visit) -> None:
        while True:
            _, body = await visit.request()
            if body == b"busy":
                asked.set()
                await asyncio.Event().wait()
            visit.writer.write(OK)

    peer, url = await either.peer(talk)
    post = either.pool(url, limit=2)
    await asyncio.gather(post(b"1"), post(b"2"))
    busy = asyncio.ensure_future(post(b"busy"))
    await asked.wait()
    (pool,) = either.pools
    await pool.close()
    assert not pool._open
    with pytest.raises(AnswerLost):
        await busy
    with pytest.raises(NotSent):
        await post(b"late")
    await pool.close()
    assert len(peer.visits) == 2


async def test_closing_while_connecting_sends_nothing(either: Meeting) -> None:
    requests: list[Any] = []

    async def talk(visit: Visit) -> None:
        requests.append(await visit.request())

    peer, url = await either.peer(talk)
    post = either.pool(url)
    call = asyncio.ensure_future(post(b"{}"))
    await asyncio.sleep(0)
    await either.pools[0].close()
    with pytest.raises(NotSent):
        await call
    # With TLS it may be over before the server hears of it.
    await until(lambda: not peer.tasks and (peer.visits or peer.tls), "the connection stays open")
    assert requests == []
