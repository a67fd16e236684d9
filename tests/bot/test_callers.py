"""Who fails too often is slowed down; who shows the right secret never is, whatever others do from the same address."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from multidict import CIMultiDict

from bot.callers import FAILURES_PER_MINUTE, Failures, Proxies
from tests.bot.service import EVERYTHING, Alone, Answered, alone
from tests.stage import BEARER, sqlite_url

OURS = ("127.0.0.1", "10.0.0.0/8", "fd00::/8")
WRONG = {"X-Telegram-Bot-Api-Secret-Token": "wrong"}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Alone]:
    async with alone(sqlite_url(tmp_path), **EVERYTHING) as service:
        yield service


@pytest.fixture
async def behind_a_proxy(tmp_path: Path) -> AsyncIterator[Alone]:
    async with alone(sqlite_url(tmp_path), **EVERYTHING, TRUSTED_PROXIES="127.0.0.0/8") as service:
        yield service


async def fails(service: Alone, path: str = "/webhooks/telegram", **headers: str) -> Answered:
    return await service.request("POST", path, b'{"update_id":1}', {**WRONG, **headers})


async def fails_to_the_limit(service: Alone, path: str = "/webhooks/telegram", **headers: str) -> None:
    for _ in range(FAILURES_PER_MINUTE):
        assert (await fails(service, path, **headers)).status == 401


@pytest.mark.parametrize("path", ["/webhooks/whatsapp", "/webhooks/telegram", "/webhooks/okdesk", "/webhooks/onec"])
async def test_failures_over_the_limit_are_429_and_say_when_to_come_again(service: Alone, path: str) -> None:
    await fails_to_the_limit(service, path)
    answer = await fails(service, path)
    assert answer.status == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert answer.json["error"]["code"] == "too_many_failures"


async def test_a_valid_sender_is_taken_from_an_address_that_is_over_the_limit(service: Alone) -> None:
    await fails_to_the_limit(service)
    assert (await fails(service)).status == 429
    for update in (b'{"update_id":1}', b'{"update_id":2}'):
        assert (await service.telegram(update)).status == 200
    assert (await service.get("/api/v1/logs", BEARER)).status == 200
    assert (await fails(service)).status == 429  # and its success has not begun the count anew


async def test_the_operators_address_counts_too(service: Alone) -> None:
    for _ in range(FAILURES_PER_MINUTE):
        assert (await service.get("/api/v1/logs", {"Authorization": "Bearer guess"})).status == 401
    answer = await service.get("/api/v1/logs", {"Authorization": "Bearer guess"})
    assert answer.status == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert (await service.get("/api/v1/logs", BEARER)).status == 200
    assert (await service.get("/health", {})).status == 200


async def test_nobody_is_believed_about_his_address_unless_he_is_a_proxy_of_ours(service: Alone) -> None:
    for number in range(FAILURES_PER_MINUTE):
        assert (await fails(service, **{"X-Forwarded-For": f"203.0.113.{number}"})).status == 401
    assert (await fails(service, **{"X-Forwarded-For": "203.0.113.250"})).status == 429


async def test_behind_a_proxy_each_caller_has_a_count_of_its_own(behind_a_proxy: Alone) -> None:
    guesser = {"X-Forwarded-For": "203.0.113.7"}
    await fails_to_the_limit(behind_a_proxy, **guesser)
    assert (await fails(behind_a_proxy, **guesser)).status == 429
    assert (await fails(behind_a_proxy, **{"X-Forwarded-For": "198.51.100.1, 203.0.113.7"})).status == 429
    assert (await fails(behind_a_proxy, **{"X-Forwarded-For": "203.0.113.8"})).status == 401


async def test_networks_of_1c_are_those_of_the_caller_behind_the_proxy(tmp_path: Path) -> None:
    limits = {"TRUSTED_PROXIES": "127.0.0.1", "ONEC_ALLOWED_NETWORKS": "203.0.113.0/24"}
    token = {"Authorization": f"Bearer {EVERYTHING['ONEC_WEBHOOK_TOKEN']}"}
    async with alone(sqlite_url(tmp_path), **EVERYTHING, **limits) as service:
        for address, status in (("203.0.113.9", 200), ("198.51.100.9", 403), ("203.0.113.9, 198.51.100.9", 403)):
            answer = await service.get("/webhooks/onec", {**token, "X-Forwarded-For": address})
            assert answer.status == status
        assert (await service.get("/webhooks/onec", token)).status == 403


@pytest.mark.parametrize(
    ("remote", "forwarded", "caller"),
    [
        ("203.0.113.1", "198.51.100.1", "203.0.113.1"),  # no proxy of ours said it
        ("10.1.1.1", None, "10.1.1.1"),
        ("10.1.1.1", "198.51.100.1", "198.51.100.1"),
        ("10.1.1.1", "6.6.6.6, 198.51.100.1, 10.9.9.9", "198.51.100.1"),
        ("10.1.1.1", "6.6.6.6, nonsense, 10.9.9.9", "10.9.9.9"),
        ("10.1.1.1", "10.2.2.2", "10.2.2.2"),
        ("::ffff:10.1.1.1", "2001:db8::5", "2001:db8::5"),
        ("fd00::1", " 198.51.100.1 ", "198.51.100.1"),
        (None, "198.51.100.1", None),
    ],
)
def test_the_caller_is_the_last_address_that_is_no_proxy_of_ours(
    remote: str | None, forwarded: str | None, caller: str | None
) -> None:
    headers = CIMultiDict({} if forwarded is None else {"X-Forwarded-For": forwarded})
    assert Proxies(OURS).caller(remote, headers) == caller
    assert Proxies().caller(remote, headers) == remote


def test_a_line_of_the_caller_above_that_of_the_proxy_is_not_believed() -> None:
    headers = CIMultiDict([("X-Forwarded-For", "6.6.6.6"), ("x-forwarded-for", "198.51.100.1")])
    assert Proxies(OURS).caller("10.1.1.1", headers) == "198.51.100.1"


def test_a_minute_later_the_count_begins_anew() -> None:
    at = 1000.0
    failures = Failures(limit=2, now=lambda: at)
    assert [failures.count("203.0.113.1") for _ in range(3)] == [None, None, 60]
    at += 59.5
    assert failures.count("203.0.113.1") == 1
    assert failures.count("203.0.113.2") is None
    at += 0.5
    assert failures.count("203.0.113.1") is None


def test_a_network_of_ipv6_is_one_caller_and_a_mapped_address_is_the_one_it_maps() -> None:
    failures = Failures(limit=1, now=lambda: 0.0)
    assert failures.count("2001:db8::1") is None
    assert failures.count("2001:db8::ffff:2") == 60
    assert failures.count("2001:db8:0:1::1") is None
    assert failures.count("203.0.113.1") is None
    assert failures.count("::ffff:203.0.113.1") == 60


def test_memory_is_bounded_and_the_oldest_are_forgotten_first() -> None:
    failures = Failures(limit=1, max_addresses=100, now=lambda: 0.0)
    for number in range(10_000):
        failures.count(f"10.0.{number // 256}.{number % 256}")
    assert len(failures) == 100
    assert failures.count("10.0.39.15") == 60
    assert failures.count("10.0.0.0") is None
    assert len(failures) == 100
