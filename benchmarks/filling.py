"""Tables as years of use leave them: handled events, people and their dialogs."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

import asyncpg
from sqlalchemy import Connection, make_url

from benchmarks.messages import PHONE_NUMBER_ID, whatsapp_request
from benchmarks.table import say
from integrations.whatsapp.splitting import split
from storage import inbox
from storage.clock import to_ms
from storage.database import Database
from storage.inbox import NewEvent

CHUNK = 200_000
FIRST_ADDRESS = 79_160_000_000
CHANNEL = "whatsapp"
ACCOUNT = "310000000000001"
BODY = b'{"text": "' + b"x" * 110 + b'"}'
START_MS = 1_760_000_000_000
EVERY_MS = 3_000  # between two events of the history
_STATE = '{"frames": [{"flow": "survey", "version": 1, "step": "ask_city", "variables": {"name": "Anna"}}]}'

# `n` runs from 1. Contact, conversation and dialog n belong together, so everybody is found by arithmetic.
_ADDRESS = f"cast({FIRST_ADDRESS} + n as varchar(20))"
_PEOPLE = (
    (
        "contacts",
        "id, name, lang, phone, phone_is_proven, variables, created_at",
        f"n, 'Anna', 'ru', '+' || {_ADDRESS}, true, '{{}}', {START_MS}",
    ),
    (
        "contact_addresses",
        "channel, address, contact_id, created_at",
        f"'{CHANNEL}', {_ADDRESS}, n, {START_MS}",
    ),
    (
        "conversations",
        "id, contact_id, channel, account, address, event_key, last_in_at, last_at, had_dialog",
        f"n, n, '{CHANNEL}', '{ACCOUNT}', {_ADDRESS}, 'contact:' || n, {START_MS}, {START_MS}, true",
    ),
    (
        "dialogs",
        "id, conversation_id, contact_id, channel, flow, version, step, status, turn, state, created_at, updated_at",
        f"n, n, n, '{CHANNEL}', 'survey', 1, 'survey.ask_city', 'active', 3, '{_STATE}', {START_MS}, {START_MS} + n",
    ),
)
_EVENT_COLUMNS = "minute, source, external_id, kind, key, position, state, received_at, processed_at, dialog_id, body"


def _event_values(dialogs: int, random_id: str, body: str) -> str:
    at = f"{START_MS} + n * {EVERY_MS}"
    person = f"1 + n % {dialogs}"
    return (
        f"({at}) / 60000, '{CHANNEL}', 'wamid.' || {random_id}, 'message', '{CHANNEL}:' || ({person}), {at}, 1, {at}, "
        f"{at} + 5, {person}, {body}"
    )


def _statements(dialect: str, events: int, dialogs: int) -> Iterator[tuple[str, str]]:
    """(progress, statement) for every chunk of every table."""
    if dialect == "sqlite":
        numbers = (
            "with recursive numbers(n) as (select {first} union all select n + 1 from numbers where n < {last}) "
            "select {values} from numbers"
        )
        values = _event_values(dialogs, "hex(randomblob(12))", f"cast('{BODY.decode()}' as blob)")
    else:
        numbers = "select {values} from generate_series(cast({first} as bigint), {last}) as n"
        values = _event_values(dialogs, "md5(cast(n as text))", f"convert_to('{BODY.decode()}', 'UTF8')")
    for table, columns, of_table, rows in (
        *((*people, dialogs) for people in _PEOPLE),
        ("events", _EVENT_COLUMNS, values, events),
    ):
        for first in range(1, rows + 1, CHUNK):
            last = min(first + CHUNK - 1, rows)
            rows_of_chunk = numbers.format(first=first, last=last, values=of_table)
            yield f"{table} {last:,} of {rows:,}", f"insert into {table} ({columns}) {rows_of_chunk}"


async def fill(database: Database, *, events: int, dialogs: int) -> None:
    """Fill an empty, migrated database; shows progress when it takes a while."""
    begun = said = time.monotonic()
    for progress, statement in _statements(database.dialect, events, dialogs):
        await database.write(partial(_run, statement))
        now = time.monotonic()
        if now - said > 5:
            said = now
            say(f"    {progress}, {now - begun:.0f} s")
    await _tidy(database)
    say(f"    filled with {events:,} events and {dialogs:,} dialogs in {time.monotonic() - begun:.0f} s")


def _run(statement: str, conn: Connection) -> None:
    conn.exec_driver_sql(statement)


async def _tidy(database: Database) -> None:
    """What autovacuum has done long ago in a database of that age; SQLite needs nothing."""
    if database.dialect == "sqlite":
        return
    connection = await asyncpg.connect(plain_url(database.url))
    try:
        await connection.execute("vacuum (analyze)")
        await connection.execute("checkpoint")
    finally:
        await connection.close()


def plain_url(url: str) -> str:
    """A DATABASE_URL as asyncpg itself takes it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


class OldSnapshot:
    """A reader that began long ago and does not end: what it may still see cannot be cleaned away."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sqlite: sqlite3.Connection | None = None
        self._postgres: asyncpg.Connection | None = None

    async def __aenter__(self) -> None:
        if self._database.dialect == "sqlite":
            self._sqlite = sqlite3.connect(make_url(self._database.url).database or "", isolation_level=None)
            self._sqlite.execute("begin")
            self._sqlite.execute("select max(id) from events").fetchall()
            return
        self._postgres = await asyncpg.connect(plain_url(self._database.url))
        await self._postgres.execute("begin isolation level repeatable read")
        await self._postgres.fetchval("select max(id) from events")

    async def __aexit__(self, *_: object) -> None:
        if self._sqlite is not None:
            self._sqlite.close()
        if self._postgres is not None:
            await self._postgres.close()


async def put_messages(database: Database, people: int, messages: int) -> None:
    """Waiting events: so many messages of so many people that are new here, as the intake would have stored them."""
    first = FIRST_ADDRESS + 1_000_000 + random.randrange(10**8)
    now = datetime.now(UTC)
    received_at = to_ms(now)
    rows: list[NewEvent] = []
    for number in range(messages):
        for who in range(first, first + people):
            body = whatsapp_request(who, f"message {number}").partition(b"\r\n\r\n")[2]
            [event] = split(body, frozenset({PHONE_NUMBER_ID}), now)
            at = None if event.occurred_at is None else to_ms(event.occurred_at)
            rows.append(NewEvent(CHANNEL, event.external_id, event.kind, event.key, body, received_at, at))
            if len(rows) == 1_000:
                await database.write(partial(inbox.put, new=rows))
                rows = []
    if rows:
        await database.write(partial(inbox.put, new=rows))
