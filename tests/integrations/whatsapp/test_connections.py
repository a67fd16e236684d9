"""Connections of our own: what HTTP/1.1 may answer, what may break, and when a connection is not used again."""

from __future__ import annotations

import asyncio

import pytest

from integrations.whatsapp.connections import MAX_BODY_BYTES, AnswerLost, Reply, head_of_post
from tests.integrations.whatsapp.peers import OK, Meeting, Visit, ok, saying
from tests.waiting import until

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
KEPT = {  # the connection serves the next call
    "length": (ok(b"hello"), Reply(200, b"hello", "")),
    "empty": (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", Reply(200, b"", "")),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", Reply(204, b"", "")),
    "chunks": (CHUNKED + b"2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nX-Sum: 1\r\n\r\n", Reply(200, b"hello", "")),
    "no chunk": (CHUNKED + b"0\r\n\r\n", Reply(200, b"", "")),
    "informed first": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nRetry-After: 1\r\nLink: </a>\r\n\r\n" + OK,
        Reply(200, b"{}", ""),
    ),
    "1.0 that stays": (
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
        Reply(200, b"hello", ""),
    ),
    "redirect": (
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/elsewhere\r\nContent-Length: 0\r\n\r\n",
        Reply(302, b"", ""),
    ),
    "retry after": (
        b"HTTP/1.1 429 Too Many\r\nX-Empty:\r\nreTRY-after:  120 \r\nContent-Length: 2\r\n\r\n{}",
        Reply(429, b"{}", "120"),
    ),
    "no reason": (b"HTTP/1.1 500\r\nContent-Length: 2\r\n\r\n{}", Reply(500, b"{}", "")),
}
CLOSED = {  # the next call needs a new connection
    "close": (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", Reply(200, b"hello", "")),
    "close after chunks": (
        CHUNKED.replace(b"\r\n\r\n", b"\r\nConnection: Close\r\n\r\n") + b"5\r\nhello\r\n0\r\n\r\n",
        Reply(200, b"hello", ""),
    ),
    "until the end": (b"HTTP/1.1 200 OK\r\n\r\nhello", Reply(200, b"hello", "")),
    "nothing until the end": (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", Reply(502, b"", "")),
    "1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", Reply(200, b"hello", "")),
    "1.0 until the end": (b"HTTP/1.0 200 OK\r\nRetry-After: 7\r\n\r\nhello", Reply(200, b"hello", "7")),
}


@pytest.mark.parametrize("piece", [0, 1], ids=["whole", "in pieces"])
@pytest.mark.parametrize("name", KEPT)
async def test_an_answer_is_read_and_the_connection_kept(name: str, piece: int, either: Meeting) -> None:
    answer, reply = KEPT[name]
    peer, url = await either.peer(saying(answer, piece=piece))
    post = either.pool(url)
    assert [await post(b"{}") for _ in range(3)] == [reply] * 3
    assert len(peer.visits) == 1


@pytest.mark.parametrize("piece", [0, 1], ids=["whole", "in pieces"])
@pytest.mark.parametrize("name", CLOSED)
async def test_an_answer_is_read_and_the_connection_closed(name: str, piece: int, either: Meeting) -> None:
    answer, reply = CLOSED[name]
    peer, url = await either.peer(saying(answer, piece=piece, then_closes=True))
    post = either.pool(url)
    assert [await post(b"{}") for _ in range(3)] == [reply] * 3
    assert len(peer.visits) == 3


async def test_a_connection_that_is_to_be_closed_is_closed_by_us(either: Meeting) -> None:
    left = asyncio.Event()

    async def talk(visit: Visit) -> None:
        await visit.request()
        visit.writer.write(CLOSED["close"][0])
        await visit.is_left()
        left.set()

    _, url = await either.peer(talk)
    await either.pool(url)(b"{}")
    await asyncio.wait_for(left.wait(), 5)


@pytest.mark.parametrize("has_length", [True, False])
async def test_a_body_may_have_a_mebibyte_and_no_more(has_length: bool, either: Meeting) -> None:
    for size in (MAX_BODY_BYTES, MAX_BODY_BYTES + 1):
        length = b"Content-Length: %d\r\n" % size if has_length else b""
        _, url = await either.peer(saying(b"HTTP/1.1 200 OK\r\n%b\r\n" % length + b"x" * size, then_closes=True))
        post = either.pool(url)
        if size == MAX_BODY_BYTES:
            assert len((await post(b"{}")).body) == size
        else:
            with pytest.raises(AnswerLost) as caught:
                await post(b"{}")
            assert caught.value.status == 200


async def test_long_answers_do_not_add_up(meeting: Meeting) -> None:
    peer, url = await meeting.peer(saying(ok(b"x" * MAX_BODY_BYTES)))
    post = meeting.pool(url)
    for _ in range(3):
        assert len((await post(b"{}")).body) == MAX_BODY_BYTES
    assert len(peer.visits) == 1


async def test_the_request_is_as_http_wants_it(meeting: Meeting) -> None:
    requests: list[tuple[str, bytes]] = []

    async def talk(visit: Visit) -> None:
        while True:
            requests.append(await visit.request())
            visit.writer.write(OK)

    _, url = await meeting.peer(talk)
    body = '{"text":"да"}'.encode()
    await meeting.pool(url)(body)
    await meeting.pool(url)(b"")
    (head, sent), (_, nothing) = requests
    assert (sent, nothing) == (body, b"")
    assert head.split("\r\n") == [
        "POST /v1/messages HTTP/1.1",
        f"Host: {url.removeprefix('http://')}",
        "Authorization: Bearer secret",
        "Accept: */*",
        "Accept-Encoding: identity",
        f"Content-Length: {len(body)}",
        "",
        "",
    ]


@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("https://graph.facebook.com/v23.0/1/messages", "graph.facebook.com", "/v23.0/1/messages"),
        ("http://[::1]:8080/a b/messages", "[::1]:8080", "/a%20b/messages"),
        ("http://example.com:80/prefix/v1", "example.com", "/prefix/v1"),
        ("http://someone:secret@example.com", "example.com", "/"),
    ],
)
def test_the_head_names_path_and_host(url: str, host: str, path: str) -> None:
    assert head_of_post(url, {}).startswith(f"POST {path} HTTP/1.1\r\nHost: {host}\r\n".encode())


async def test_proxies_of_the_environment_are_not_used(meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    _, url = await meeting.peer(saying(OK))
    assert (await meeting.pool(url)(b"{}")).status == 200


# ------------------------------------------------------------------------------------------------------- lost answers

LOST: dict[str, tuple[bytes, int | None]] = {  # what came before the other side closed, and the status known by then
    "nothing": (b"", None),
    "half a head": (b"HTTP/1.1 200 OK\r\nContent-Le", None),
    "half a body": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", 200),
    "half of the chunks": (CHUNKED + b"2\r\nhe\r\n", 200),
    "only 100": (b"HTTP/1.1 100 Continue\r\n\r\n", None),
    "another encoding": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello", 200),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n", None),
    "two lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", None),
    "length and chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\na", None),
    "bad chunk": (CHUNKED + b"zz\r\n", 200),
    "upgrade": (b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\nPRI", None),
}


@pytest.mark.parametrize("name", LOST)
async def test_an_answer_that_breaks_is_lost(name: str, either: Meeting) -> None:
    answer, status = LOST[name]
    peer, url = await either.peer(saying(answer, then_closes=True))
    post = either.pool(url)
    with pytest.raises(AnswerLost) as caught:
        await post(b"{}")
    assert caught.value.status == status
    assert len(peer.visits) == 1  # nothing is tried again
    peer.talk = saying(OK)
    assert await post(b"{}") == Reply(200, b"{}", "")
    assert len(peer.visits) == 2


async def test_an_answer_that_never_begins_is_lost(meeting: Meeting) -> None:
    async def talk(visit: Visit) -> None:
        await visit.request()
        while True:
            visit.writer.write(b"HTTP/1.1 102 Processing\r\n\r\n" * 1000)
            await visit.writer.drain()

    _, url = await meeting.peer(talk)
    with pytest.raises(AnswerLost, match="OverflowError"):
        await meeting.pool(url)(b"{}")


async def test_a_reset_is_lost(meeting: Meeting) -> None:
    async def talk(visit: Visit) -> None:
        await visit.request()
        visit.writer.transport.abort()

    _, url = await meeting.peer(talk)
    with pytest.raises(AnswerLost):
        await meeting.pool(url)(b"{}")


async def test_a_kept_connection_that_closes_without_a_byte_is_not_tried_again(either: Meeting) -> None:
    requests: list[bytes] = []

    async def talk(visit: Visit) -> None:
        requests.append((await visit.request())[1])
        visit.writer.write(OK)
        requests.append((await visit.request())[1])

    peer, url = await either.peer(talk)
    post = either.pool(url)
    assert (await post(b"1")).status == 200
    with pytest.raises(AnswerLost) as caught:
        await post(b"2")
    assert caught.value.status is None  # not that of the answer before
    assert (requests, len(peer.visits)) == ([b"1", b"2"], 1)


async def test_an_answer_that_does_not_come_in_time_is_lost_and_nobody_gets_it(either: Meeting) -> None:
    left = asyncio.Event()

    async def talk(visit: Visit) -> None:
        _, body = await visit.request()
        if body == b"slow":
            visit.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
            await visit.is_left()
            left.set()
        visit.writer.write(OK)

    _, url = await either.peer(talk)
    post = either.pool(url, answer_s=0.05)
    with pytest.raises(AnswerLost, match="TimeoutError") as caught:
        await post(b"slow")
    assert caught.value.status == 200
    assert await post(b"quick") == Reply(200, b"{}", "")
    await asyncio.wait_for(left.wait(), 5)


# --------------------------------------------------------------------------------------- connections nobody may reuse


@pytest.mark.parametrize("more", [b"H", OK, b"garbage", OK * 3, b"HTTP/1.1 100 Continue\r\n\r\n"])
async def test_a_second_answer_closes_the_connection(more: bytes, either: Meeting) -> None:
    peer, url = await either.peer(saying(ok(b"first") + more))
    post = either.pool(url)
    assert [await post(b"{}") for _ in range(2)] == [Reply(200, b"first", "")] * 2
    assert len(peer.visits) == 2


@pytest.mark.parametrize("more", [b"\r\n", OK, b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n", None])
async def test_a_connection_with_bytes_or_an_end_that_nobody_asked_for_is_not_used(
    more: bytes | None, either: Meeting
) -> None:
    left, told = asyncio.Event(), asyncio.Event()

    async def talk(visit: Visit) -> None:
        await visit.request()
        visit.writer.write(OK)
        await told.wait()
        if more is None:
            visit.writer.close()
        else:
            visit.writer.write(more)
            await visit.is_left()
        left.set()

    peer, url = await either.peer(talk)
    post = either.pool(url)
    await post(b"1")
    told.set()
    await asyncio.wait_for(left.wait(), 5)
    pool = either.pools[0]
    await until(lambda: not pool._open, "the end never came")
    assert pool._idle == []
    assert await post(b"2") == Reply(200, b"{}", "")
    assert len(peer.visits) == 2


async def test_a_connection_that_is_being_closed_is_not_used(either: Meeting) -> None:
    peer, url = await either.peer(saying(OK))
    post = either.pool(url)
    await post(b"{}")
    (idle,) = either.pools[0]._idle
    idle.abort()
    assert await post(b"{}") == Reply(200, b"{}", "")
    assert len(peer.visits) == 2


async def test_idle_connections_are_closed_after_a_while(either: Meeting) -> None:
    left = asyncio.Event()

    async def talk(visit: Visit) -> None:
        await visit.request()
        visit.writer.write(OK)
        await visit.is_left()
        left.set()

    peer, url = await either.peer(talk)
    post = either.pool(url, idle_s=0.02)
    await post(b"{}")
    await asyncio.wait_for(left.wait(), 5)
    await post(b"{}")
    assert len(peer.visits) == 2


async def test_a_busy_connection_is_not_idle_however_old_it_is(meeting: Meeting) -> None:
    busy, idle_left = asyncio.Event(), asyncio.Event()

    async def talk(visit: Visit) -> None:
        while True:
            _, body = await visit.request()
            if body == b"busy":
                busy.set()
                await idle_left.wait()
            visit.writer.write(OK)
            if body == b"idle":
                await visit.is_left()
                idle_left.set()

    peer, url = await meeting.peer(talk)
    post = meeting.pool(url, idle_s=0.1, answer_s=5)
    old = asyncio.ensure_future(post(b"busy"))
    await busy.wait()
    await post(b"idle")
    assert (await old).status == 200
    assert len(peer.visits) == 2
