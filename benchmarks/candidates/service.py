"""Our service as `serve` runs it, settings from the environment. `PORT [--no-work] [--retention] [--profile FILE]`

Two things differ from `serve`: Meta's pace limits are off (80 messages a second would be all there is to measure),
and with SQLite the work can be switched off to measure the intake alone. `--retention`: old data is removed
all the same.
"""

from __future__ import annotations

import sys

from benchmarks.candidates.running import run, serve_until_stopped
from benchmarks.profiling import LoopProfile
from bot.logs import set_up_logs
from bot.memory import settle_memory
from bot.services import FixitService
from bot.settings import load_settings


async def main() -> None:
    port, *options = sys.argv[1:]
    settings = load_settings()
    set_up_logs(settings.log_level, settings.log_format, settings.secrets())
    profile = LoopProfile(options[options.index("--profile") + 1]) if "--profile" in options else None
    service = FixitService(settings, works="--no-work" not in options)
    await service.start()
    if "--retention" in options:
        service.start_retention()
    settle_memory()
    assert service.app is not None
    assert service.sender is not None
    for system in service.sender.systems.values():
        system.pace_delay = system.pace_sent = None
    settle_memory()
    if profile is not None:
        profile.start()
    try:
        await serve_until_stopped(service.app, int(port))
    finally:
        await service.stop()
        if profile is not None:
            profile.write()


if __name__ == "__main__":
    run(main)
