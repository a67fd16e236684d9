"""Inbox and outbox against lists in memory: any order of doings, and both tell the same story (SQLite)."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sqlalchemy import Connection, text

from storage import inbox, outbox
from storage.inbox import Claim, Claimed, NewEvent, Settled
from storage.outbox import Ended, NewDelivery, Taken
from storage.sqlite import sqlite_engine
from storage.tables import DeliveryState, EventState, metadata

START = 1_790_000_000_000
KEYS = st.sampled_from(["anna", "boris", "vera"])


@dataclass
class Known:
    """An event as the list has it."""

    id: int
    key: str
    body: bytes
    position: int
    state: EventState = EventState.WAITING
    due_at: int | None = None


@dataclass
class Wish:
    key: str
    recipient: str
    state: DeliveryState = DeliveryState.WAITING
    next_try_at: int = START
    attempts: int = 0
    number: int = field(default=0)


@dataclass
class Starting:
    """Begins rows at once as long as there is room, one of each recipient."""

    room: int
    owner: str = "me"

    def chooses(self, conn: Connection, new: Sequence[NewDelivery]) -> list[bool]:
        busy = outbox.busy(conn, "wire", {row.recipient for row in new})
        chosen = []
        for row in new:
            goes = row.recipient not in busy and self.room > 0
            busy.add(row.recipient)
            self.room -= goes
            chosen.append(goes)
        return chosen


class Stores(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.engine = sqlite_engine(str(Path(self.folder.name) / "model.db"))
        with self.engine.begin() as conn:
            metadata.create_all(conn)
        self.now = START
        self.events: dict[str, Known] = {}
        self.wishes: list[Wish] = []
        self.taken: dict[str, Taken] = {}
        self.claim = Claim(keys=10, per_key=3)

    def write(self, work: Any) -> Any:
        with self.engine.begin() as conn:
            return work(conn)

    # ---------------------------------------------------------------------------------------------------- inbox

    @rule(name=st.integers(0, 15), key=KEYS, body=st.sampled_from([b"1", b"2"]), delay=st.integers(0, 5))
    def an_event_comes(self, name: int, key: str, body: bytes, delay: int) -> None:
        known = self.events.get(str(name))
        new = NewEvent("test", str(name), "m", known.key if known else key, body, self.now - delay)
        [stored] = self.write(lambda conn: inbox.put(conn, [new]))
        assert stored.is_new == (known is None)
        if known is None:
            self.events[str(name)] = Known(stored.id, key, body, self.now - delay)
        else:
            assert (stored.id, stored.is_conflict) == (known.id, known.body != body)

    def expected(self) -> list[str]:
        """What a claim must give: the first three of each key, up to the first that must wait."""
        names: list[str] = []
        for key in {known.key for known in self.events.values()}:
            mine = sorted(
                (e.position, e.id, name)
                for name, e in self.events.items()
                if e.key == key and e.state is EventState.WAITING
            )[:3]
            for _, _, name in mine:
                due_at = self.events[name].due_at
                if due_at is not None and due_at > self.now:
                    break
                names.append(name)
        return names

    @rule(
        ends=st.lists(st.sampled_from(["done", "ignored", "dead", "postponed", "held", "left"]), min_size=9, max_size=9)
    )
    def a_worker_takes_what_is_due(self, ends: list[str]) -> None:
        def work(conn: Connection) -> list[Claimed]:
            claimed = self.claim.take(conn, now=self.now)
            for event, how in zip(claimed, ends, strict=False):
                known = self.events[event.external_id]
                if how in ("done", "ignored", "dead"):
                    state = EventState[how.upper()]
                    inbox.settle(conn, [Settled(event.id, state)], now=self.now)
                    known.state = state
                elif how == "postponed":
                    inbox.postpone(conn, event.id, until=self.now + 10)
                    known.due_at = self.now + 10
                elif how == "held":
                    inbox.hold(conn, event.id, until=self.now + 20)
                    known.state, known.due_at = EventState.HELD, self.now + 20
            return claimed

        expected = self.expected()
        claimed = self.write(work)
        assert sorted(event.external_id for event in claimed) == sorted(expected)
        for key in {event.key for event in claimed}:
            mine = [event.external_id for event in claimed if event.key == key]
            assert mine == [name for name in expected if name in mine]

    @rule(name=st.integers(0, 15))
    def an_operator_replays(self, name: int) -> None:
        known = self.events.get(str(name))
        if known is None:
            return
        replayed = self.write(lambda conn: inbox.replay(conn, [known.id]))
        over = known.state in (EventState.DONE, EventState.IGNORED, EventState.DEAD)
        assert replayed == int(over)
        if over:
            known.state, known.due_at = EventState.WAITING, None

    @rule(key=KEYS)
    def a_question_is_left(self, key: str) -> None:
        held = [e for e in self.events.values() if e.key == key and e.state is EventState.HELD]
        assert self.write(lambda conn: inbox.release(conn, [key])) == len(held)
        for known in held:
            known.state, known.due_at = EventState.WAITING, None

    # --------------------------------------------------------------------------------------------------- outbox

    @rule(recipient=KEYS)
    def something_is_wanted(self, recipient: str) -> None:
        wish = Wish(f"w{len(self.wishes)}", recipient, next_try_at=self.now, number=len(self.wishes))
        self.write(lambda conn: outbox.add(conn, [NewDelivery(wish.key, "wire", "send", recipient, {}, self.now)]))
        self.wishes.append(wish)

    @rule(recipients=st.lists(KEYS, min_size=1, max_size=3), room=st.integers(0, 3))
    def something_is_wanted_while_a_sender_is_there(self, recipients: list[str], room: int) -> None:
        open_ = {
            wish.recipient
            for wish in self.wishes
            if wish.state in (DeliveryState.WAITING, DeliveryState.SENDING, DeliveryState.UNKNOWN)
        }
        first = len(self.wishes)
        new = [
            NewDelivery(f"w{first + n}", "wire", "send", name, {"n": n}, self.now) for n, name in enumerate(recipients)
        ]
        expected = []
        for row in new:
            wish = Wish(row.key, row.recipient, next_try_at=self.now, number=len(self.wishes))
            if row.recipient not in open_ and len(expected) < room:
                wish.state, wish.attempts = DeliveryState.SENDING, 1
                expected.append(row.key)
            open_.add(row.recipient)
            self.wishes.append(wish)
        begun = self.write(lambda conn: outbox.add(conn, new, starter=Starting(room)))
        assert [row.key for row in begun] == expected
        self.taken |= {row.key: row for row in begun}

    @rule(room=st.integers(0, 4), slow=st.none() | KEYS)
    def a_sender_takes(self, room: int, slow: str | None) -> None:
        open_ = (DeliveryState.WAITING, DeliveryState.SENDING, DeliveryState.UNKNOWN)
        heads: dict[str, Wish] = {}
        for wish in self.wishes:
            if wish.state in open_:
                heads.setdefault(wish.recipient, wish)
        due = [w for w in heads.values() if w.state is DeliveryState.WAITING and w.next_try_at <= self.now]
        due.sort(key=lambda wish: (wish.next_try_at, wish.number))
        taken = self.write(
            lambda conn: outbox.take(
                conn, now=self.now, owner="me", room={"wire": room},
                delay_ms=lambda row, now: 7 if row.recipient == slow else 0,
            )
        )  # fmt: skip
        may_go = [wish for wish in due if wish.recipient != slow]
        assert len(taken) == min(room, len(may_go))
        assert {row.key for row in taken} <= {wish.key for wish in may_go}
        for row in taken:
            wish = next(w for w in self.wishes if w.key == row.key)
            wish.state, wish.attempts = DeliveryState.SENDING, wish.attempts + 1
            assert row.attempt == wish.attempts
            self.taken[row.key] = row
        if room and slow in heads and heads[slow] in due:
            with self.engine.begin() as conn:  # whether it was looked at depends on the room: the row says it
                query = text("select next_try_at from deliveries where key = :key")
                heads[slow].next_try_at = conn.execute(query, {"key": heads[slow].key}).scalar_one()

    @rule(
        choice=st.integers(0, 5),
        state=st.sampled_from(
            [DeliveryState.DONE, DeliveryState.DEAD, DeliveryState.WAITING, DeliveryState.UNKNOWN, DeliveryState.PARKED]
        ),
        refund=st.booleans(),
    )
    def a_send_ends(self, choice: int, state: DeliveryState, refund: bool) -> None:
        sending = [wish for wish in self.wishes if wish.state in (DeliveryState.SENDING, DeliveryState.UNKNOWN)]
        if not sending:
            return
        wish = sending[choice % len(sending)]
        back = int(refund and state is DeliveryState.WAITING and wish.attempts > 0)
        ended = Ended(self.taken[wish.key], state, self.now + 3, refund=back)
        self.write(lambda conn: outbox.end(conn, [ended], now=self.now))
        wish.state, wish.next_try_at, wish.attempts = state, self.now + 3, wish.attempts - back

    @rule()
    def the_process_dies(self) -> None:
        sending = [wish for wish in self.wishes if wish.state is DeliveryState.SENDING]
        assert self.write(lambda conn: outbox.abandon(conn, now=self.now)) == len(sending)
        for wish in sending:
            wish.state = DeliveryState.UNKNOWN

    @rule(milliseconds=st.integers(1, 25))
    def time_passes(self, milliseconds: int) -> None:
        self.now += milliseconds
        over = [
            known
            for known in self.events.values()
            if known.state is EventState.HELD and known.due_at is not None and known.due_at <= self.now
        ]
        assert self.write(lambda conn: inbox.release_due(conn, now=self.now)) == len(over)
        for known in over:
            known.state, known.due_at = EventState.WAITING, None

    @invariant()
    def both_tell_the_same(self) -> None:
        with self.engine.begin() as conn:
            events = conn.execute(text("select external_id, state, key from events")).fetchall()
            rows = conn.execute(text("select key, state, attempts from deliveries")).fetchall()
        assert {row.external_id: (row.state, row.key) for row in events} == {
            name: (known.state, known.key) for name, known in self.events.items()
        }
        assert {row.key: (row.state, row.attempts) for row in rows} == {
            wish.key: (wish.state, wish.attempts) for wish in self.wishes
        }

    def teardown(self) -> None:
        self.engine.dispose()
        self.folder.cleanup()


Stores.TestCase.settings = settings(
    max_examples=60, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
TestStores = Stores.TestCase
