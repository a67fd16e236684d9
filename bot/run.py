"""Running the service until a signal ends it."""

from __future__ import annotations

import asyncio
import signal
import sys

import structlog
from aiohttp import web

from bot.flow_store import FlowsBroken
from bot.logs import set_up_logs
from bot.memory import settle_memory
from bot.services import FixitService, NotMigrated
from bot.settings import Settings
from dialogs.findings import format_finding
from integrations.base import Later, Never
from storage import faults, migrate
from storage.database import DatabaseAway, connect

log = structlog.get_logger(__name__)


async def serve(settings: Settings, *, works: bool) -> int:
    """Take requests, and do the work unless told not to. Returns the exit code."""
    return await _run(FixitService(settings, serves=True, works=works))


async def work(settings: Settings) -> int:
    return await _run(FixitService(settings, serves=False, works=True))


async def _run(service: FixitService) -> int:
    settings = service.settings
    set_up_logs(settings.log_level, settings.log_format, settings.secrets())
    if settings.clock_offset_seconds:
        log.warning("clock_is_moved", seconds=settings.clock_offset_seconds)
    if settings.faults:
        log.warning("faults_are_armed", faults=settings.faults)
    stopped = stop_signal()
    try:
        faults.arm(settings.faults)
        await service.start()
    except NotMigrated as error:
        return _say(str(error))
    except FlowsBroken as error:
        for finding in error.findings:
            sys.stderr.write(format_finding(finding, "en") + "\n")
        return _say(f"the flows were not published: {error}")
    except (DatabaseAway, OSError) as error:
        return _say(f"cannot start: {error}")
    except (ValueError, Later, Never) as error:
        return _say(f"cannot start: {error}")
    settle_memory()
    runner = None
    try:
        if service.app is not None:
            runner = await listen(service.app, settings.host, settings.port)
        return await _until(stopped, service)
    except OSError as error:
        return _say(f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}")
    finally:
        if runner is not None:
            await runner.cleanup()
        await service.stop()


async def _until(stopped: asyncio.Event, service: FixitService) -> int:
    """0 after a signal, 1 when a loop of the service died."""
    waiting = asyncio.create_task(stopped.wait())
    failing = asyncio.create_task(service.wait_for_failure())
    done, pending = await asyncio.wait([waiting, failing], return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    if failing in done and failing.exception() is not None:
        log.critical("service_failed", error=repr(failing.exception()))
        return 1
    return 0


async def listen(app: web.Application, host: str, port: int) -> web.AppRunner:
    """Accept connections. A request under way at the end is answered within ten seconds. Raises OSError."""
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=10)
    await runner.setup()
    await web.TCPSite(runner, host, port, backlog=1024).start()
    for address in runner.addresses:
        log.info("listening", address=str(address))
    return runner


def stop_signal() -> asyncio.Event:
    """Set by SIGTERM and SIGINT; a second one ends the process at once."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop(number: signal.Signals) -> None:
        if stopped.is_set():
            raise SystemExit(128 + number)
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    return stopped


async def migrate_database(settings: Settings) -> int:
    set_up_logs(settings.log_level, settings.log_format, settings.secrets())
    database = connect(settings.database_url.get_secret_value())
    await database.open()
    try:
        before = await database.read(migrate.current)
        await database.write(migrate.upgrade, is_long=True)
    except DatabaseAway as error:
        return _say(f"the database is away: {error}")
    finally:
        await database.close()
    after = migrate.newest()
    sys.stdout.write(f"already at {after}\n" if before == after else f"{before or 'empty'} -> {after}\n")
    return 0


def _say(sentence: str) -> int:
    sys.stderr.write(sentence + "\n")
    return 1
