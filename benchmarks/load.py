"""The load: requests as fast as they are answered, and conversations that go on when their answer came."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from benchmarks.messengers import Messengers
from benchmarks.table import percentile
from benchmarks.wire import Caller, connect

FIRST_PERSON = 79_160_000_000
QUESTIONS = 3
STALL_S = 30.0


class LoadError(Exception):
    """The other side did something wrong: the figures would mean nothing."""


@dataclass(slots=True)
class Measured:
    """What one round brought."""

    seconds: float = 0.0
    load_cpu: float = 0.0  # processor of the load itself, 1.0 = one core: near 1.0 the load was the brake
    delays_s: list[float] = field(default_factory=list)

    @property
    def per_s(self) -> float:
        return len(self.delays_s) / self.seconds

    def ms(self, share: float) -> float:
        return percentile(self.delays_s, share) * 1000


async def hammer(port: int, make: Callable[[], bytes], *, connections: int, seconds: float) -> Measured:
    """Closed loop: each connection sends the next request when the last one is answered with 200."""
    loop = asyncio.get_running_loop()
    measured = Measured()
    over: asyncio.Future[None] = loop.create_future()
    callers: list[Caller] = []
    busy = 0
    stop_at = 0.0

    def fail(reason: str) -> None:
        if not over.done():
            over.set_exception(LoadError(reason))

    def begin(number: int) -> None:
        nonlocal busy
        busy += 1
        begun[number] = time.perf_counter()
        callers[number].send(make())

    def answered(number: int, status: int) -> None:
        nonlocal busy
        now = time.perf_counter()
        busy -= 1
        if status != 200:
            fail(f"a request was answered with {status}")
            return
        if now < stop_at:
            measured.delays_s.append(now - begun[number])
            begin(number)
        elif busy == 0 and not over.done():
            over.set_result(None)

    begun = [0.0] * connections
    for number in range(connections):
        callers.append(await connect(port, partial(answered, number), partial(fail, "a connection was lost")))
    stop_at = time.perf_counter() + seconds
    measured.seconds = seconds
    cpu = time.process_time()
    for number in range(connections):
        begin(number)
    try:
        await asyncio.wait_for(over, seconds + STALL_S)
    finally:
        for caller in callers:
            caller.close()
    measured.load_cpu = (time.process_time() - cpu) / seconds
    return measured


class _Talk:
    """One person and the connection that carries his messages."""

    def __init__(self, who: int) -> None:
        self.who = who
        self.number = 0  # of the question that was asked last
        self.begun = 0.0
        self.caller: Caller | None = None
        self.is_answered = True
        self.has_reply = True

    @property
    def is_idle(self) -> bool:
        return self.is_answered and self.has_reply


class Talks:
    """Many conversations with one bot, for several rounds: each remembers which question comes next."""

    def __init__(
        self, port: int, messengers: Messengers, make: Callable[[int, str], bytes], *, number: int, first: int = 0
    ) -> None:
        self._port = port
        self._messengers = messengers
        self._make = make
        self._talks = {FIRST_PERSON + first + n: _Talk(FIRST_PERSON + first + n) for n in range(number)}
        self._measured = Measured()
        self._is_over = False
        self._closed_loop = True
        self._wake = asyncio.Event()
        self._error: str | None = None
        self._open = False

    async def open(self) -> None:
        for talk in self._talks.values():
            talk.caller = await connect(self._port, partial(self._answered, talk), self._lost)
        self._open = True

    def close(self) -> None:
        self._open = False
        for talk in self._talks.values():
            if talk.caller is not None:
                talk.caller.close()

    async def run(self, seconds: float) -> Measured:
        """Closed loop: everybody writes again as soon as the answer is there."""
        self._begin(closed_loop=True)
        begun, cpu = time.perf_counter(), time.process_time()
        for talk in self._talks.values():
            self._say(talk)
        await self._pause(seconds)
        self._is_over = True
        measured, self._measured = self._measured, Measured()
        measured.seconds = time.perf_counter() - begun
        measured.load_cpu = (time.process_time() - cpu) / measured.seconds
        await self._settle()
        return measured

    async def run_turns(self, number: int) -> None:
        """Closed loop until so many answers came."""
        self._begin(closed_loop=True)
        for talk in self._talks.values():
            self._say(talk)
        last, moved_at = 0, time.perf_counter()
        while len(self._measured.delays_s) < number:
            await self._pause(0.05)
            if len(self._measured.delays_s) > last:
                last, moved_at = len(self._measured.delays_s), time.perf_counter()
            elif time.perf_counter() - moved_at > STALL_S:
                raise LoadError("the conversations stand still")
        self._is_over = True
        await self._settle()

    async def run_steady(self, per_s: float, seconds: float) -> Measured:
        """Open loop: a message of the next person at every beat, whatever became of the ones before."""
        self._begin(closed_loop=False)
        people: Sequence[_Talk] = list(self._talks.values())
        begun = time.perf_counter()
        sent = 0
        while (now := time.perf_counter() - begun) < seconds:
            while sent < now * per_s:
                talk = people[sent % len(people)]
                if not talk.is_idle:
                    raise LoadError("a person's last message is still without an answer: the service is too slow")
                self._say(talk, begun + sent / per_s)
                sent += 1
            await self._pause(max((sent / per_s) - (time.perf_counter() - begun), 0.0))
        await self._settle()
        self._measured.seconds = seconds
        return self._measured

    def _begin(self, *, closed_loop: bool) -> None:
        self._messengers.on_message = self._arrived
        self._measured = Measured()
        self._is_over = False
        self._closed_loop = closed_loop

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        if self._error is not None:
            raise LoadError(self._error)

    async def _settle(self) -> None:
        """Wait for the answers that are on their way: the next round begins with a quiet bot."""
        deadline = time.perf_counter() + STALL_S
        while not all(talk.is_idle for talk in self._talks.values()):
            if time.perf_counter() > deadline:
                silent = sum(not talk.has_reply for talk in self._talks.values())
                raise LoadError(f"{silent} of {len(self._talks)} conversations got no answer in {STALL_S:g} s")
            await self._pause(0.01)

    def _say(self, talk: _Talk, begun: float | None = None) -> None:
        assert talk.caller is not None
        talk.is_answered = talk.has_reply = False
        talk.begun = begun or time.perf_counter()
        talk.caller.send(self._make(talk.who, f"answer to {talk.number}"))

    def _answered(self, talk: _Talk, status: int) -> None:
        if status != 200:
            self._error = f"a webhook was answered with {status}"
        talk.is_answered = True
        self._go_on(talk)

    def _arrived(self, who: int, number: int) -> None:
        talk = self._talks.get(who)
        if talk is None:
            return
        expected = talk.number % QUESTIONS + 1
        if talk.has_reply or number != expected:
            self._error = f"question {number} came instead of {'none' if talk.has_reply else expected}"
        talk.number = number
        talk.has_reply = True
        if not self._is_over:
            self._measured.delays_s.append(time.perf_counter() - talk.begun)
        self._go_on(talk)

    def _go_on(self, talk: _Talk) -> None:
        if self._closed_loop and talk.is_idle and not self._is_over and self._error is None:
            self._say(talk)

    def _lost(self) -> None:
        if self._open:
            self._error = "a connection was lost"
