"""`demo`: the service as a process of its own, stand-ins for every outside system, and the page in front of them.

The service runs as a child, so that "kill the worker" can really kill it. This process has the address that people
open: it serves /demo itself and passes everything else on to the child.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import structlog
from aiohttp import web

from bot.demo.app import make_demo
from bot.demo.stand_ins import ServiceStatus, StandIns
from bot.logs import set_up_logs
from bot.run import listen, stop_signal
from integrations.okdesk.simulator import BOT_ID, SimulatedOkdesk
from integrations.onec.simulator import SimulatedOnec
from integrations.telegram.simulator import SimulatedTelegram
from integrations.whatsapp.simulator import SimulatedWhatsApp

log = structlog.get_logger(__name__)

ROOT = Path(__file__).parent.parent.parent
READY_IN_S = 30.0
MANAGERS_CHAT_ID = -1002400000001

# Secrets of the demo: they protect nothing and are known to everybody.
WHATSAPP_TOKEN = "demo-whatsapp-token"  # noqa: S105
WHATSAPP_SECRET = "demo-whatsapp-app-secret"  # noqa: S105
WHATSAPP_VERIFY = "demo-whatsapp-verify"
WHATSAPP_NUMBER_ID = "310000000000001"
TELEGRAM_TOKEN = "7000000001:AADemoDemoDemoDemoDemoDemoDemoDemo00"  # noqa: S105
TELEGRAM_SECRET = "demo-telegram-secret"  # noqa: S105
OKDESK_TOKEN = "demo-okdesk-token"  # noqa: S105
OKDESK_USER, OKDESK_PASSWORD = "okdesk", "demo-okdesk-password"
ONEC_TOKEN = "demo-onec-token"  # noqa: S105
ONEC_USER, ONEC_PASSWORD = "dialogs", "demo-onec-password"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True)
class StandInServers:
    """The four simulators on ports of their own."""

    whatsapp: SimulatedWhatsApp
    telegram: SimulatedTelegram
    okdesk: SimulatedOkdesk
    onec: SimulatedOnec
    urls: dict[str, str] = field(default_factory=dict)

    def all(self) -> dict[str, Any]:
        return {"whatsapp": self.whatsapp, "telegram": self.telegram, "okdesk": self.okdesk, "onec": self.onec}

    def for_page(self) -> StandIns:
        return StandIns(self.whatsapp, self.telegram, self.okdesk, self.onec)


@asynccontextmanager
async def stand_in_servers(service_url: str, **options: Any) -> AsyncIterator[StandInServers]:
    """Start the simulators; they call `service_url`. `options`: further arguments of the WhatsApp one."""

    def now() -> datetime:
        return datetime.now(UTC)

    servers = StandInServers(
        SimulatedWhatsApp(
            webhook_url=f"{service_url}/webhooks/whatsapp",
            app_secret=WHATSAPP_SECRET,
            verify_token=WHATSAPP_VERIFY,
            access_token=WHATSAPP_TOKEN,
            phone_number_id=WHATSAPP_NUMBER_ID,
            waba_id="210000000000001",
            now=now,
            **options,
        ),
        SimulatedTelegram(token=TELEGRAM_TOKEN, now=now, managers_chat_id=MANAGERS_CHAT_ID),
        SimulatedOkdesk(
            api_token=OKDESK_TOKEN,
            now=now,
            webhook_url=f"{service_url}/webhooks/okdesk",
            webhook_user=OKDESK_USER,
            webhook_password=OKDESK_PASSWORD,
        ),
        SimulatedOnec(
            webhook_url=f"{service_url}/webhooks/onec",
            webhook_token=ONEC_TOKEN,
            user=ONEC_USER,
            password=ONEC_PASSWORD,
            base_id="demo",
            now=now,
        ),
    )
    runners: list[web.AppRunner] = []
    try:
        for name, simulator in servers.all().items():
            port = free_port()
            runners.append(await listen(simulator.app, "127.0.0.1", port))
            servers.urls[name] = f"http://127.0.0.1:{port}"
            await simulator.start()
        yield servers
    finally:
        for simulator in servers.all().values():
            await simulator.close()
        for runner in runners:
            await runner.cleanup()


def service_environment(servers: StandInServers, *, database_url: str, port: int) -> dict[str, str]:
    """The settings of a service that speaks to the stand-ins."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TZ", "SYSTEMROOT") if name in os.environ}
    return {
        **inherited,
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": database_url,
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "LOG_LEVEL": os.environ.get("LOG_LEVEL", "WARNING"),
        "WHATSAPP_API_URL": servers.urls["whatsapp"],
        "WHATSAPP_ACCESS_TOKEN": WHATSAPP_TOKEN,
        "WHATSAPP_PHONE_NUMBER_ID": WHATSAPP_NUMBER_ID,
        "WHATSAPP_VERIFY_TOKEN": WHATSAPP_VERIFY,
        "WHATSAPP_APP_SECRET": WHATSAPP_SECRET,
        "TELEGRAM_API_URL": servers.urls["telegram"],
        "TELEGRAM_BOT_TOKEN": TELEGRAM_TOKEN,
        "TELEGRAM_WEBHOOK_SECRET": TELEGRAM_SECRET,
        "TELEGRAM_MANAGERS_CHAT_ID": str(MANAGERS_CHAT_ID),
        "OKDESK_URL": servers.urls["okdesk"],
        "OKDESK_API_TOKEN": OKDESK_TOKEN,
        "OKDESK_AUTHOR_ID": str(BOT_ID),
        "OKDESK_WEBHOOK_USER": OKDESK_USER,
        "OKDESK_WEBHOOK_PASSWORD": OKDESK_PASSWORD,
        "ONEC_WEBHOOK_TOKEN": ONEC_TOKEN,
        "ONEC_URL": servers.urls["onec"],
        "ONEC_USER": ONEC_USER,
        "ONEC_PASSWORD": ONEC_PASSWORD,
    }


class ServiceProcess:
    """Our service as a child process that is started again whenever it ends."""

    def __init__(self, folder: Path, environment: dict[str, str], port: int) -> None:
        self.folder = folder
        self.environment = environment
        self.url = f"http://127.0.0.1:{port}"
        self.restarts = 0
        self.is_alive = False
        self.last_health: dict[str, Any] = {}
        self.waiting: dict[str, int] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self) -> None:
        """Returns when the service is ready. Raises RuntimeError if it does not come up."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._stopping = False
        await self._spawn()
        self._watch = asyncio.create_task(self._keep_alive())

    async def _spawn(self) -> None:
        # Its folder has no .env: the demo must not read the settings of a real installation.
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "serve", cwd=self.folder, env=self.environment
        )
        async with aiohttp.ClientSession() as http:
            for _ in range(int(READY_IN_S / 0.1)):
                if self._process.returncode is not None:
                    raise RuntimeError(f"the service ended with code {self._process.returncode}")
                with suppress(aiohttp.ClientError, TimeoutError):
                    async with http.get(f"{self.url}/health", timeout=aiohttp.ClientTimeout(total=1)) as answer:
                        self.last_health = await answer.json()
                        self.is_alive = True
                        return
                await asyncio.sleep(0.1)
        raise RuntimeError("the service did not become ready")

    async def _keep_alive(self) -> None:
        while not self._stopping:
            assert self._process is not None
            await self._process.wait()
            self.is_alive = False
            if self._stopping:
                return
            self.restarts += 1
            log.warning("service_restarted", restarts=self.restarts)
            try:
                await self._spawn()
            except RuntimeError as error:
                log.error("service_does_not_start", error=str(error))
                await asyncio.sleep(1.0)

    async def watch_health(self) -> None:
        """Keep `last_health` and `waiting` fresh, for the page."""
        limit = aiohttp.ClientTimeout(total=1)
        async with aiohttp.ClientSession() as http:
            while True:
                with suppress(aiohttp.ClientError, TimeoutError, ValueError, KeyError):
                    async with http.get(f"{self.url}/health", timeout=limit) as answer:
                        self.last_health = await answer.json()
                    waiting = f"{self.url}/api/v1/deliveries?state=waiting&limit=200"
                    async with http.get(waiting, timeout=limit) as answer:
                        items = (await answer.json())["items"]
                    self.waiting = dict(Counter(item["system"] for item in items))
                await asyncio.sleep(0.5)

    def kill(self) -> None:
        """kill -9, in the middle of whatever it does."""
        if self._process is not None and self._process.returncode is None:
            self.is_alive = False
            self._process.kill()

    async def stop(self) -> None:
        """SIGTERM, and wait until it has ended cleanly."""
        self._stopping = True
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), 30)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        if self._watch is not None:
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None
        self.is_alive = False


class Controls:
    """What the page may do to the service."""

    def __init__(self, service: ServiceProcess, servers: StandInServers, database: Path) -> None:
        self._service = service
        self._servers = servers
        self._database = database

    async def kill_worker(self) -> None:
        self._service.kill()

    async def reset(self) -> None:
        await self._service.stop()
        forget(self._database)
        for simulator in self._servers.all().values():
            simulator.reset()
        await self._service.start()

    def status(self) -> ServiceStatus:
        health = self._service.last_health
        return {
            "worker_alive": self._service.is_alive,
            "restarts": self._service.restarts,
            "oldest_waiting_s": float(health.get("oldest_waiting_s", 0.0)),
            "waiting": self._service.waiting,
        }


def set_aside(database: Path, previous: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        found = database.with_name(database.name + suffix)
        if found.exists():
            found.rename(previous.with_name(previous.name + suffix))


def forget(database: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)


_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "host", "content-length",
                  "content-encoding"})  # fmt: skip


def pass_on(service: ServiceProcess, http: aiohttp.ClientSession) -> Any:
    """Everything that is not /demo belongs to the service."""

    async def handle(request: web.Request) -> web.StreamResponse:
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _HOP]
        try:
            async with http.request(
                request.method,
                f"{service.url}{request.raw_path}",
                headers=headers,
                data=await request.read(),
                allow_redirects=False,
            ) as answer:
                body = await answer.read()
                kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in _HOP]
                return web.Response(status=answer.status, body=body, headers=kept)
        except aiohttp.ClientError:
            return web.json_response(
                {"error": {"code": "restarting", "message": "the service is starting again", "details": {}}},
                status=503,
                headers={"Retry-After": "1"},
            )

    return handle


@asynccontextmanager
async def running_demo(*, port: int, folder: Path, fresh: bool) -> AsyncIterator[str]:
    """The whole demo; yields its address."""
    database, previous = folder / "demo.db", folder / "previous.db"
    # The stand-ins begin empty, so the service must too: its dialogs would speak of issues that nobody has.
    # What the last visitor did is set aside, unless it is to be forgotten.
    forget(previous)
    if not fresh:
        set_aside(database, previous)
    forget(database)
    service_port = free_port()
    async with stand_in_servers(f"http://127.0.0.1:{service_port}", retry_base_s=0.3) as servers:
        environment = service_environment(servers, database_url=f"sqlite+aiosqlite:///{database}", port=service_port)
        service = ServiceProcess(folder, environment, service_port)
        try:
            await service.start()
            watching = asyncio.create_task(service.watch_health())
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30), auto_decompress=True) as http:
                app = web.Application(client_max_size=8 * 1024 * 1024)
                app.add_subapp("/demo", make_demo(servers.for_page(), Controls(service, servers, database)))
                app.router.add_get("/", _to_demo)
                app.router.add_route("*", "/{path:.*}", pass_on(service, http))
                runner = await listen(app, "127.0.0.1", port)
                try:
                    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
                finally:
                    watching.cancel()
                    await asyncio.gather(watching, return_exceptions=True)
                    await runner.cleanup()
        finally:
            await service.stop()


async def _to_demo(_request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("/demo")


async def demo(*, port: int, fresh: bool) -> int:
    set_up_logs(os.environ.get("LOG_LEVEL", "WARNING"), "console" if sys.stderr.isatty() else "json", ())
    stopped = stop_signal()
    try:
        async with running_demo(port=port, folder=Path.cwd() / "var" / "demo", fresh=fresh) as url:
            sys.stdout.write(
                f"\n  fixit-exchange demo\n\n"
                f"    {url}/demo        chat as a customer, answer as a manager\n"
                f"    {url}/docs        every address, to try out\n"
                f"    {url}/health      how the service is doing\n\n"
                f"  Ctrl-C stops it.\n\n"
            )
            sys.stdout.flush()
            await stopped.wait()
    except OSError as error:
        sys.stderr.write(f"cannot listen on 127.0.0.1:{port}: {error.strerror or error}; try --port\n")
        return 1
    except RuntimeError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0
