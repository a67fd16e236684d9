"""Row 5: resident memory of the service after many turns: little, and the same in the middle as at the end."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from benchmarks.load import Talks
from benchmarks.messages import whatsapp_request
from benchmarks.messengers import Messengers
from benchmarks.processes import candidate
from benchmarks.service_settings import service_environment, sqlite_url
from benchmarks.table import Line, at_most, say, skipped

ROW = "memory"
SAMPLES_AT = (20_000, 60_000, 100_000)
SAMPLES_AT_QUICK = (2_000, 6_000, 10_000)
PEOPLE = 128
MOST_MIB = 150.0
MOST_GROWTH_MIB = 5.0  # from the second sample to the third; caches are full by the second


async def measure(folder: Path, *, quick: bool) -> list[Line]:
    messengers = Messengers()
    await messengers.start()
    samples: list[float] = []
    marks = SAMPLES_AT_QUICK if quick else SAMPLES_AT
    environment = service_environment(sqlite_url(folder / "memory.db"), messengers.url)
    try:
        async with candidate("service", folder=folder, environment=environment) as child:
            if child.resident_mib() is None:
                return [skipped(ROW, "no /proc")]
            talks = Talks(child.port, messengers, whatsapp_request, number=PEOPLE)
            await talks.open()
            try:
                for before, mark in pairwise((0, *marks)):
                    await talks.run_turns(mark - before)
                    samples.append(child.resident_mib() or 0.0)
                    say(f"  {samples[-1]:.0f} MiB after {mark:,} turns")
            finally:
                talks.close()
    finally:
        await messengers.stop()
    figures = ", ".join(f"{mib:.0f} MiB after {mark // 1000}k" for mark, mib in zip(marks, samples, strict=True))
    return [
        at_most(f"{ROW}: after {marks[-1]:,} turns", figures, samples[-1], MOST_MIB, unit=" MiB"),
        at_most(f"{ROW}: growth at the end", "", samples[-1] - samples[-2], MOST_GROWTH_MIB, unit=" MiB"),
    ]
