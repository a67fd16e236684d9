"""Row 2: whole turns, webhook in to message out, beside bots on aiogram and pywa that keep their state in memory.

Ours has the state, the journal and the outgoing message on disk before anything is sent; the others have nothing.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.load import LoadError, Measured, Talks
from benchmarks.messages import telegram_request, whatsapp_request
from benchmarks.messengers import Messengers
from benchmarks.processes import Child, candidate
from benchmarks.service_settings import service_environment, sqlite_url
from benchmarks.slow_fsync import DELAY_MS, NoSlowDisk, slow_fsync
from benchmarks.stalls import FsyncStalls
from benchmarks.table import Line, at_least, at_most, failed, median_ratio, percentile, say, skipped

ROW = "turns"
GOALS = {(64, "aiogram"): 3.0, (64, "pywa"): 5.0, (8, "aiogram"): 1.5}
STEADY_PER_S = 200
STEADY_PEOPLE = 600  # each writes every three seconds
P50_MS, P99_MS = 15, 40
RAM_DISK = Path("/dev/shm")  # noqa: S108


@dataclass(slots=True)
class _Bot:
    name: str
    child: Child
    talks: Talks
    rounds: list[Measured] = field(default_factory=list)
    cpu_shares: list[float] = field(default_factory=list)

    async def round(self, seconds: float) -> None:
        before = self.child.cpu_s()
        measured = await self.talks.run(seconds)
        after = self.child.cpu_s()
        self.rounds.append(measured)
        if before is not None and after is not None:
            self.cpu_shares.append((after - before) / measured.seconds)

    def figures(self) -> str:
        cpu = f", {median(self.cpu_shares):.0%} CPU" if self.cpu_shares else ""
        return (
            f"{self.name} {median(r.per_s for r in self.rounds):,.0f}/s "
            f"p50 {self.ms(0.5):.1f} p99 {self.ms(0.99):.1f} ms{cpu}"
        )

    def ms(self, share: float) -> float:
        return median(r.ms(share) for r in self.rounds)

    def per_s(self) -> list[float]:
        return [r.per_s for r in self.rounds]


async def measure(folder: Path, *, quick: bool) -> list[Line]:
    messengers = Messengers()
    await messengers.start()
    lines: list[Line] = []
    try:
        async with AsyncExitStack() as stack:
            environment = service_environment(sqlite_url(folder / "turns.db"), messengers.url)
            children = {
                "service": await stack.enter_async_context(
                    candidate("service", folder=folder, environment=environment)
                ),
                "aiogram": await stack.enter_async_context(candidate("aiogram_bot", messengers.url, folder=folder)),
                "pywa": await stack.enter_async_context(candidate("pywa_bot", messengers.url, folder=folder)),
            }
            for number in (64, 8):
                lines += await _side_by_side(children, messengers, number, quick=quick)
        lines += await _steady(folder, messengers, quick=quick)
    finally:
        await messengers.stop()
    return lines


async def _side_by_side(children: dict[str, Child], messengers: Messengers, number: int, *, quick: bool) -> list[Line]:
    bots = {}
    for name, child in children.items():
        make = telegram_request if name == "aiogram" else whatsapp_request
        talks = Talks(child.port, messengers, make, number=number, first=number * 1000)
        bots[name] = _Bot(name, child, talks)
    try:
        for bot in bots.values():
            await bot.talks.open()
            await bot.talks.run(0.5 if quick else 1.5)
        for count in range(3 if quick else 5):
            say(f"  {number} conversations, round {count + 1}")
            for bot in bots.values():
                await bot.round(1.5 if quick else 3.0)
    finally:
        for bot in bots.values():
            bot.talks.close()
    ours = bots["service"]
    load = median(r.load_cpu for r in ours.rounds)
    lines = [Line(f"{ROW}: {number} at once", f"{ours.figures()} (load {load:.0%} CPU)")]
    for name in ("aiogram", "pywa"):
        peer = bots[name]
        row = f"{ROW}: {number} at once, to {name}"
        ratio = median_ratio(ours.per_s(), peer.per_s())
        goal = GOALS.get((number, name))
        if goal is None:
            lines.append(Line(row, peer.figures(), f"{ratio:.2f}"))
        else:
            lines.append(at_least(row, peer.figures(), ratio, goal))
        figures = f"{ours.ms(0.99):.1f} ms, {name} {peer.ms(0.99):.1f} ms"
        lines.append(at_most(f"{row}, p99", figures, ours.ms(0.99) / peer.ms(0.99), 1.0))
    return lines


async def _steady(folder: Path, messengers: Messengers, *, quick: bool) -> list[Line]:
    """An open loop: what a customer waits at a usual load, on a slow but steady disk and on the real one."""
    lines = []
    row = f"{ROW}: steady {STEADY_PER_S}/s"
    seconds = 5.0 if quick else 15.0
    slow_row = f"{row}, RAM disk, fsync +{DELAY_MS} ms"
    try:
        preload = slow_fsync(folder)
        in_memory = Path(tempfile.mkdtemp(prefix="fixit-bench-", dir=RAM_DISK))
    except FileNotFoundError:
        lines.append(skipped(slow_row, f"no {RAM_DISK}"))
    except NoSlowDisk as error:
        lines.append(skipped(slow_row, str(error)))
    else:
        try:
            measured, _ = await _one_steady(in_memory, messengers, preload, seconds)
            figures = _delays(measured)
            lines.append(at_most(f"{slow_row}, p50", figures, measured.ms(0.5), P50_MS, unit=" ms"))
            lines.append(at_most(f"{slow_row}, p99", figures, measured.ms(0.99), P99_MS, unit=" ms"))
        except LoadError as error:
            lines.append(failed(slow_row, str(error)))
        finally:
            shutil.rmtree(in_memory, ignore_errors=True)
    try:
        measured, stalls = await _one_steady(folder, messengers, {}, seconds)
    except LoadError as error:
        return [*lines, failed(f"{row}, real disk", str(error))]
    shares = ((0.5, "p50"), (0.99, "p99"), (1.0, "max"))
    fsync = " ".join(f"{name} {percentile(stalls, share):.1f}" for share, name in shares)
    return [*lines, Line(f"{row}, real disk", f"{_delays(measured)}; fsync beside it {fsync} ms")]


async def _one_steady(
    folder: Path, messengers: Messengers, preload: dict[str, str], seconds: float
) -> tuple[Measured, list[float]]:
    say(f"  steady {STEADY_PER_S} turns/s in {folder}")
    environment = {**service_environment(sqlite_url(folder / "steady.db"), messengers.url), **preload}
    async with candidate("service", folder=folder, environment=environment) as child:
        talks = Talks(child.port, messengers, whatsapp_request, number=STEADY_PEOPLE)
        await talks.open()
        try:
            await talks.run_steady(STEADY_PER_S, STEADY_PEOPLE / STEADY_PER_S + 1)
            with FsyncStalls(folder) as stalls:
                measured = await talks.run_steady(STEADY_PER_S, seconds)
        finally:
            talks.close()
    return measured, stalls.delays_ms


def _delays(measured: Measured) -> str:
    shares = ((0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (1.0, "max"))
    return " ".join(f"{name} {measured.ms(share):.1f}" for share, name in shares) + " ms"
