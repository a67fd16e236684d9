"""How the simulated 1C sends its events: a queue like an exchange plan, and every packing of contract §2 and §5."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlencode

import aiohttp
import structlog

log = structlog.get_logger(__name__)

BATCH = 100
TIMEOUT_S = 20.0

_STATE_WORDS = {
    "paid": "Оплачен полностью",
    "partial": "Частично оплачен",
    "unpaid": "Не оплачен",
    "overpaid": "Оплачен",
    "refunded": "Возврат",
    "cancelled": "Отменен",
}


@dataclass(frozen=True, slots=True)
class Packing:
    """How events become bytes; each field is one habit of 1C programmers."""

    encoding: str = "utf-8"
    bom: bool = False
    gzip: bool = False
    form_field: bool = False
    flat: bool = False  # Russian keys at the top level, numbers as words, dates as people write them
    single: bool = False  # one object instead of {"events": […]}
    content_type: str | None = "application/json; charset=utf-8"
    auth: Literal["bearer", "x-token", "basic", "none"] = "bearer"


USUAL = Packing()


def pack(events: Sequence[Mapping[str, Any]], packing: Packing) -> bytes:
    shaped = [flat_event(event) if packing.flat else event for event in events]
    content: Any = shaped[0] if packing.single else {"v": 1, "events": shaped}
    text = json.dumps(content, ensure_ascii=False)
    if packing.form_field:
        return urlencode({"data": text}).encode("ascii")
    body = ("\ufeff" if packing.bom else "").encode(packing.encoding) + text.encode(packing.encoding)
    return gzip.compress(body) if packing.gzip else body


def pack_headers(packing: Packing, token: str) -> dict[str, str]:
    headers = {"Content-Encoding": "gzip"} if packing.gzip else {}
    if packing.form_field:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    elif packing.content_type is not None:
        headers["Content-Type"] = packing.content_type
    if packing.auth == "bearer":
        headers["Authorization"] = f"Bearer {token}"
    elif packing.auth == "x-token":
        headers["X-Token"] = token
    elif packing.auth == "basic":
        login = base64.b64encode(f"Обмен:{token}".encode()).decode("ascii")
        headers["Authorization"] = f"Basic {login}"
    return headers


def flat_event(event: Mapping[str, Any]) -> dict[str, Any]:
    """A payment as old hand-written code sends it (§5)."""
    document, order, amount = event["document"], event["order"], event["amount"]
    return {
        "id": event["id"],
        "kind": "ОплатаЗаказа",
        "base_id": event["source"]["base_id"],
        "GUID": document["guid"].upper(),
        "НомерДокумента": f"{document['number']} ",
        "ДатаДокумента": russian_date(document["date"]),
        "Проведен": "Да" if document["posted"] else "Нет",
        "НомерЗаказа": order["number"],
        "НомерНаСайте": order["external_id"],
        "Контрагент": event["counterparty"]["name"],
        "ИНН": int(event["counterparty"]["inn"]),
        "Телефон": event["counterparty"]["phone"] or "",
        "СуммаДокумента": russian_amount(amount["total"]),
        "СуммаОплаты": russian_amount(amount["paid"]),
        "Валюта": "руб.",
        "СтатусОплаты": _STATE_WORDS[event["payment"]["state"]],
        "НазначениеПлатежа": event["payment"].get("purpose", ""),
    }


def russian_amount(roubles: float) -> str:
    """Строка(Число): groups parted by U+00A0, a comma before the kopecks."""
    return f"{roubles:,.2f}".replace(",", "\u00a0").replace(".", ",")


def russian_date(iso: str) -> str:
    """Строка(Дата): the hour is not padded."""
    year, month, day = iso[:10].split("-")
    return f"{day}.{month}.{year} {int(iso[11:13])}{iso[13:]}"


@dataclass(slots=True)
class Sender:
    """Events wait until the answer takes them off, in order. Failures are repeated with the same bytes of an event."""

    webhook_url: str | None
    token: str
    retry_base_s: float
    is_doubling: Callable[[], bool]
    changed: Callable[[], None]
    queue: list[dict[str, Any]] = field(default_factory=list)
    stuck: list[tuple[dict[str, Any], str]] = field(default_factory=list)  # refused: a programmer has to look
    packing: Packing = USUAL
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _empty: asyncio.Event = field(default_factory=asyncio.Event)
    _task: asyncio.Task[None] | None = None
    _session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S))
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
        self._task = self._session = None

    def put(self, *events: dict[str, Any]) -> None:
        self.queue.extend(events)
        self._empty.clear()
        self._wake.set()

    async def delivered(self) -> None:
        """Wait until nothing waits any more."""
        if self.queue:
            await self._empty.wait()

    async def send(
        self, events: Sequence[Mapping[str, Any]], packing: Packing | None = None
    ) -> tuple[int, dict[str, Any], float | None]:
        """(status, answer, seconds of Retry-After). Raises aiohttp.ClientError or TimeoutError."""
        used = packing or self.packing
        if self._session is None or self.webhook_url is None:
            raise RuntimeError("the simulated 1C is not started or has nobody to call")
        headers = pack_headers(used, self.token)
        # 1C's client follows no redirects by itself.
        async with self._session.post(
            self.webhook_url, data=pack(events, used), headers=headers, allow_redirects=False
        ) as response:
            answer = await response.json(content_type=None) if response.content_length != 0 else {}
            retry_after = response.headers.get("Retry-After", "")
            return response.status, answer, float(retry_after) if retry_after.isdecimal() else None

    async def _run(self) -> None:
        attempt = 0
        while True:
            if not self.queue or self.webhook_url is None:
                self._empty.set()
                self._wake.clear()
                attempt = 0
                await self._wake.wait()
                continue
            batch = self.queue[: 1 if self.packing.single else BATCH]
            delay_s = await self._attempt(batch)
            if delay_s is None:
                attempt = 0
            else:
                # The real library waits 1-2-4-8 s; `retry_base_s` stands for its second.
                await asyncio.sleep(max(delay_s, min(2**attempt, 16) * self.retry_base_s))
                attempt += 1

    async def _attempt(self, batch: list[dict[str, Any]]) -> float | None:
        """None when the batch is settled, else how long the other side asks to wait."""
        try:
            status, answer, retry_after_s = await self.send(batch)
            if self.is_doubling():
                await self.send(batch)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            log.info("simulated_onec_unanswered", error=type(error).__name__)
            return 0.0
        if status in (408, 429) or status >= 500:
            return (retry_after_s or 0.0) * self.retry_base_s
        results = {line.get("id"): line for line in answer.get("results") or ()}
        for event in batch:
            result = results.get(event["id"], {}).get("result") if status == 200 else f"HTTP {status}"
            if result in (None, "error", "conflict") or status != 200:
                self.stuck.append((event, str(result)))
        del self.queue[: len(batch)]
        self.changed()
        return None
