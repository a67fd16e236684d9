"""The composition root: the only place where the parts of the service are joined."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

import aiohttp
import httpx
import orjson
import structlog
from aiohttp import web
from sqlalchemy import Connection

from bot import flow_store
from bot.api.access import Access
from bot.api.dead_letters import DeadLetterAddresses
from bot.api.docs import Docs
from bot.api.flows import FlowNumbers
from bot.api.forms import Forms
from bot.api.health import Health
from bot.api.operators import Operators
from bot.callers import Failures, Proxies
from bot.calls import Calls
from bot.catalogue import catalogue
from bot.clock import Clock
from bot.dead_letters import DeadLetters
from bot.erased import Erased
from bot.flow_store import FlowsBroken, FlowStore
from bot.http import WebhookHandler, add_webhooks, make_application
from bot.intake import Intake
from bot.managers.routes import Groups
from bot.managers.topics import Topics
from bot.metrics import Metrics
from bot.read_marks import ReadMarks
from bot.reconciling.nightly import NightlyReconciliation
from bot.reconciling.reconciliation import Reconciliation
from bot.rehearsal import Rehearsal
from bot.retention import Retention
from bot.sender import Sender, System
from bot.settings import Settings
from bot.statistics import Statistics
from bot.timers import Timers
from bot.turns.base import Service
from bot.turns.group_said import moved_key
from bot.worker import Worker
from dialogs.events import File
from dialogs.findings import format_finding
from integrations.base import Action, Channel, IncomingEvent, Integration, Never
from integrations.okdesk import OkdeskSettings, make_okdesk
from integrations.onec import OnecSettings, make_onec
from integrations.telegram import TelegramSettings, make_telegram
from integrations.whatsapp import WhatsAppSettings, make_whatsapp
from storage import flows as stored_flows
from storage import migrate, outbox, restored
from storage.clock import from_ms, to_ms
from storage.database import Database, DatabaseAway, connect
from storage.inbox import Stored
from storage.leases import Lease, Presence
from storage.unit import subject_state
from storage.wakeups import Wakeups

log = structlog.get_logger(__name__)

MAX_FILE_BYTES = 20 * 1024 * 1024
MAX_BACKGROUND = 64


class NotMigrated(Exception):
    """The database has an older schema, or a newer one, than this code."""


class FixitService:
    """The whole service of one process. `start` begins, `stop` ends it with nothing half done."""

    def __init__(
        self, settings: Settings, *, serves: bool = True, works: bool = True, database: Database | None = None
    ) -> None:
        """`database`: one that is open already, for a command beside a running service."""
        self.settings = settings
        self.serves = serves
        self.works = works
        self.clock = Clock(settings.clock_offset_seconds)
        self.metrics = Metrics()
        # With a part by chance: a process that comes back in a container has the name and number of the one before it.
        self.owner = f"{socket.gethostname()[:20]}:{os.getpid()}:{os.urandom(4).hex()}"
        self.calls = Calls(self.clock, settings.secrets())
        self.database: Database = database or connect(settings.database_url.get_secret_value())
        self.catalogue = catalogue()
        self.flows = FlowStore(self.catalogue, settings.timezone)
        self.integrations: dict[str, Integration] = {}
        self.groups = Groups(settings.telegram_managers_chat_id, has_telegram=settings.telegram_bot_token is not None)
        self.intake = Intake(
            self.database, on_new=self._wake_worker, on_stored=self._count_stored, same=self._say_the_same
        )
        self.read_marks = ReadMarks()
        self.doubtful_up_to = 0  # events of a restored copy
        self.worker: Worker | None = None
        self.sender: Sender | None = None
        self.timers: Timers | None = None
        self.app: web.Application | None = None
        self._presence: Presence | None = None
        self._loops: list[asyncio.Task[None]] = []
        self._polls: list[asyncio.Task[None]] = []
        self._to_the_last: list[asyncio.Task[None]] = []  # ended when nothing is being sent any more
        self._background: set[asyncio.Task[None]] = set()
        self._http: aiohttp.ClientSession | None = None
        self._clients: list[httpx.AsyncClient] = []

    # --------------------------------------------------------------------------------------------------- starting

    async def start(self) -> None:
        """Open everything and begin to work. Raises NotMigrated, FlowsBroken, DatabaseAway, ValueError."""
        await self.database.open()
        try:
            await self._prepare_database()
            await self.make_integrations()
            await self._listen_to_groups()
            systems = self._systems()
            self.sender = Sender(
                self.database,
                systems,
                clock=self.clock,
                metrics=self.metrics,
                calls=self.calls,
                owner=self.owner,
                on_events=self._wake_worker,
            )
            self.worker = Worker(
                self.database,
                self._service(),
                self.flows,
                clock=self.clock,
                metrics=self.metrics,
                sender=self.sender,
            )
            self.timers = Timers(self.database, clock=self.clock, on_new=self._wake_worker)
            if self.serves:
                self.app = self._application(systems)
            if self.works:
                await self.start_work()
            await self._start_integrations()
        except BaseException:
            await self.stop()
            raise
        log.info("started", serves=self.serves, works=self.works, systems=sorted(self.integrations))

    async def start_work(self) -> None:
        assert self.worker is not None
        if self.database.dialect == "sqlite":
            self.intake.rider = self.worker
        else:
            self._presence = Presence(self.database, self.owner)
            await self._presence.begin()
            self._to_the_last.append(asyncio.create_task(self._guard("presence", self._presence.run())))
        assert self.sender is not None
        assert self.timers is not None
        for name, loop in (("worker", self.worker.run()), ("sender", self.sender.run()), ("timers", self.timers.run())):
            self._loops.append(asyncio.create_task(self._guard(name, loop), name=name))
        self._polls.append(asyncio.create_task(self._guard("read_marks", self.read_marks.run()), name="read_marks"))
        statistics = Statistics(self.database, clock=self.clock)
        self._polls.append(asyncio.create_task(self._guard("statistics", statistics.run()), name="statistics"))
        self._start_nightly()
        self.start_retention()
        erased = Erased(self.database, self.sender, clock=self.clock)
        await erased.begin()
        self._polls.append(asyncio.create_task(self._guard("erased", erased.run()), name="erased"))
        if self.database.dialect == "postgresql" and self.database.has_sessions:
            wakeups = Wakeups(self.database.url, on_event=self._wake_worker)
            self._polls.append(asyncio.create_task(self._guard("wakeups", wakeups.run()), name="wakeups"))

    def _start_nightly(self) -> None:
        reconciliation = self.reconciliation()
        if not reconciliation.systems():
            return
        nightly = NightlyReconciliation(
            self.database,
            reconciliation,
            clock=self.clock,
            zone=self.settings.zone,
            on_events=self._wake_worker,
        )
        self._polls.append(
            asyncio.create_task(
                self._guard("reconciliation", self._alone("reconciliation", nightly.run)), name="reconciliation"
            )
        )

    def _alone(self, name: str, work: Callable[[], Awaitable[None]]) -> Awaitable[None]:
        """One process of all does it, however many there are. In SQLite there is one."""
        if self.database.dialect == "sqlite":
            return work()
        return Lease(self.database, name, self.owner).hold_while(work)

    def start_retention(self) -> None:
        """In one process, however many there are."""
        retention = Retention(self.database, days=self.settings.pii_retention_days, clock=self.clock)
        removing = self._alone("retention", retention.run)
        self._polls.append(asyncio.create_task(self._guard("retention", removing), name="retention"))

    async def _guard(self, name: str, loop: Awaitable[None]) -> None:
        """A loop that dies takes the process with it: a supervisor starts it again, and nothing is lost."""
        try:
            await loop
        except asyncio.CancelledError:
            raise
        except Exception:
            log.critical("loop_died", loop=name, exc_info=True)
            raise

    async def wait_for_failure(self) -> None:
        """Return when one of the loops ended by itself; raises what ended it."""
        tasks = [*self._loops, *self._polls, *self._to_the_last]
        if not tasks:
            await asyncio.Event().wait()
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def _prepare_database(self) -> None:
        if self.database.dialect == "sqlite":
            await self.database.write(migrate.upgrade, is_long=True)
        current = await self.database.read(migrate.current)
        if not await self.database.read(migrate.fits):
            what = (
                "it is too old for this database: start the newer version again"
                if current is not None and current > migrate.newest()
                else "run `python -m bot migrate` once, then start again"
            )
            raise NotMigrated(
                f"the database has schema {current or 'none'}, this version needs {migrate.newest()}: {what}"
            )
        if self.works and self.database.dialect == "sqlite":
            await self._take_over_copy()
            # The only process of this database: what it was sending when it died, nobody is sending now.
            lost = await self.database.write(lambda conn: outbox.abandon(conn, now=to_ms(self.clock.now())))
            if lost:
                log.warning("sends_interrupted", number=lost)
        self.doubtful_up_to = await self.database.read(restored.doubtful_up_to)
        await self._publish_flows()

    async def _take_over_copy(self) -> None:
        """A copy that `backup` made says so itself; after any other restore a person says it (`restored`)."""
        copied_at = await self.database.read(restored.copied_at)
        if copied_at is None:
            return
        now = to_ms(self.clock.now())
        found = await self.database.write(lambda conn: restored.take_over(conn, now=now), is_long=True)
        log.warning(
            "restored_from_copy",
            copied_at=from_ms(copied_at).isoformat(),
            to_be_settled=found.deliveries,
            doubtful_events=found.events,
        )

    async def _publish_flows(self) -> None:
        files = flow_store.read_folder(self.settings.flows_dir or flow_store.BUILT_IN)

        def publish(conn: Connection) -> list[flow_store.Published]:
            return flow_store.publish(
                conn,
                files,
                catalogue=self.catalogue,
                timezone=self.settings.timezone,
                now=to_ms(self.clock.now()),
                note="published at start",
                keeps_rollback=True,
            )

        try:
            for published in await self.database.write(publish, is_long=True):
                if published.is_new:
                    log.info("flow_published", flow=published.flow, version=published.version)
        except FlowsBroken as error:
            for finding in error.findings:
                log.error("flow_finding", finding=format_finding(finding, "en"))
            live = await self.database.read(stored_flows.live_versions)
            if not live:
                raise
            # A restart must not stop the talks that go on: the versions that are live stay so.
            log.error("flows_not_published", live=live)
        await self._know_groups()

    async def _know_groups(self) -> None:
        """The groups that name a chat of their own in the project file."""
        project = await self.database.read(lambda conn: self.flows.at(conn).project)
        self.groups.chats = {name: group.chat_id for name, group in project.groups.items() if group.chat_id is not None}

    async def look_on(self) -> None:
        """Know what a running service knows, and begin nothing: for commands that look at what it has before it."""
        await self.make_integrations()
        await self._know_groups()
        await self._listen_to_groups()

    def rehearsal(self) -> Rehearsal:
        flows = FlowStore(self.catalogue, self.settings.timezone)
        return Rehearsal(self.database, self._service(), flows, clock=self.clock)

    def reconciliation(self) -> Reconciliation:
        return Reconciliation(self.database, self.integrations, clock=self.clock, on_events=self._wake_all)

    async def _listen_to_groups(self) -> None:
        """The channel reads all managers' groups, under the ids they have now."""
        for chat_id in self.groups.all():
            known = await self.database.read(partial(subject_state, key=moved_key(chat_id)))
            if known is not None:
                self.groups.moved(chat_id, int(known["new"]))
        for channel in self.channels().values():
            heard: set[int] | None = getattr(channel, "groups", None)
            if heard is not None:
                heard |= self.groups.all()
                self.groups.heard = heard

    async def make_integrations(self) -> None:
        settings = self.settings
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=128, keepalive_timeout=60),
            timeout=aiohttp.ClientTimeout(total=20, connect=5),
            json_serialize=lambda value: orjson.dumps(value).decode(),
        )
        made: list[Integration] = []
        if settings.whatsapp_access_token is not None:
            made.append(
                make_whatsapp(
                    WhatsAppSettings(
                        access_token=settings.whatsapp_access_token.get_secret_value(),
                        phone_number_id=settings.whatsapp_phone_number_id or "",
                        verify_token=_secret(settings.whatsapp_verify_token),
                        app_secrets=_several(_secret(settings.whatsapp_app_secret)),
                        api_url=settings.whatsapp_api_url,
                        api_version=settings.whatsapp_api_version,
                    ),
                    http=self._http,
                    now=self.clock.now,
                    log_call=self.calls.log,
                )
            )
        if settings.telegram_bot_token is not None:
            made.append(
                make_telegram(
                    TelegramSettings(
                        bot_token=settings.telegram_bot_token.get_secret_value(),
                        api_url=settings.telegram_api_url,
                        mode=settings.telegram_mode,
                        webhook_secret=_optional(settings.telegram_webhook_secret),
                        base_url=settings.public_url,
                        managers_chat_id=settings.telegram_managers_chat_id,
                    ),
                    now=self.clock.now,
                    log_call=self.calls.log,
                    feed=self._feed("telegram"),
                    fetch_file=self._fetch_of_channel,
                )
            )
        if settings.okdesk_url or settings.okdesk_webhook_user:
            made.append(
                make_okdesk(
                    OkdeskSettings(
                        url=settings.okdesk_url,
                        api_token=_optional(settings.okdesk_api_token),
                        author_id=settings.okdesk_author_id,
                        webhook_user=settings.okdesk_webhook_user,
                        webhook_password=_optional(settings.okdesk_webhook_password),
                        timezone=settings.timezone,
                    ),
                    http=self._client(),
                    now=self.clock.now,
                    log_call=self.calls.log,
                    files=self._fetch_dict,
                )
            )
        if settings.onec_webhook_token or settings.onec_url:
            made.append(
                make_onec(
                    OnecSettings(
                        webhook_token=_optional(settings.onec_webhook_token),
                        allowed_networks=settings.onec_allowed_networks,
                        base_ids=settings.onec_base_ids,
                        url=settings.onec_url,
                        user=settings.onec_user,
                        password=_optional(settings.onec_password),
                        timezone=settings.timezone,
                    ),
                    http=self._client() if settings.onec_url else None,
                    now=self.clock.now,
                    log_call=self.calls.log,
                )
            )
        self.integrations.update({integration.name: integration for integration in made})
        whatsapp = self.integrations.get("whatsapp")
        take_files_from: Any = getattr(whatsapp.channel if whatsapp else None, "take_files_from", None)
        if take_files_from is not None:
            take_files_from(self._fetch_for_whatsapp)

    def _client(self) -> httpx.AsyncClient:
        client = httpx.AsyncClient(timeout=30.0, follow_redirects=False)
        self._clients.append(client)
        return client

    def _systems(self) -> dict[str, System]:
        systems: dict[str, System] = {}
        for name, integration in self.integrations.items():
            actions: dict[str, Action] = dict(integration.actions)
            if not actions:
                continue
            if name == "telegram":
                actions["to_topic"] = Topics(self.database, integration.actions).action()
            systems[name] = System(
                name,
                actions,
                integration.in_flight,
                integration.pace_delay,
                integration.pace_sent,
                keeps_order=name != "whatsapp",
            )
        return systems

    def _service(self) -> Service:
        carried = {
            action: name
            for name, integration in self.integrations.items()
            for action in integration.actions
            if action in self.catalogue
        }
        return Service(
            integrations=self.integrations,
            channels=self.channels(),
            groups=self.groups,
            zone=self.settings.zone,
            systems_of_actions=carried,
            background=self._in_background,
            mark=self.read_marks.mark,
            delivered=self._delivered,
            late=timedelta(minutes=self.settings.late_after_minutes),
            doubtful_up_to=self.doubtful_up_to,
        )

    def channels(self) -> dict[str, Channel]:
        return {name: i.channel for name, i in self.integrations.items() if i.channel is not None}

    def _application(self, systems: Mapping[str, System]) -> web.Application:
        assert self.app is None
        app = make_application()
        proxies, failures = Proxies(self.settings.trusted_proxies), Failures()
        handlers = [
            (
                webhook,
                WebhookHandler(
                    integration,
                    webhook,
                    intake=self.intake,
                    clock=self.clock,
                    metrics=self.metrics,
                    proxies=proxies,
                    failures=failures,
                    acknowledge=self._acknowledge,
                ).handle,
            )
            for integration in self.integrations.values()
            for webhook in integration.webhooks
        ]
        add_webhooks(app, handlers)
        access = Access(_optional(self.settings.api_token), proxies=proxies, failures=failures)
        rehearsal = self.rehearsal()
        Operators(self.database, access, rehearsal=rehearsal, on_replay=self._wake_worker).add_routes(app)
        dead_letters = DeadLetters(self.database, clock=self.clock)
        DeadLetterAddresses(dead_letters, rehearsal, access, on_replay=self._wake_all).add_routes(app)
        Forms(self.intake, access, clock=self.clock).add_routes(app)
        FlowNumbers(self.database, access).add_routes(app)
        Health(
            self.database,
            clock=self.clock,
            metrics=self.metrics,
            systems=systems,
            works=self.works or self.database.dialect != "sqlite",
        ).add_routes(app)
        Docs().add_routes(app)
        return app

    async def _start_integrations(self) -> None:
        for integration in self.integrations.values():
            if integration.start is not None and self.serves:
                await integration.start()
            if integration.poll is not None and self.works:
                polling = self._alone(f"poll:{integration.name}", integration.poll)  # two take each other's updates
                self._polls.append(asyncio.create_task(self._guard(integration.name, polling), name=integration.name))

    # ---------------------------------------------------------------------------------------------- between parts

    def _wake_worker(self) -> None:
        if self.worker is not None:
            self.worker.wake()

    def _wake_all(self) -> None:
        self._wake_worker()
        if self.sender is not None:
            self.sender.wake()

    def _say_the_same(self, source: str, first: bytes, second: bytes) -> bool:
        """Whether two bodies under one id are the same news."""
        integration = self.integrations.get(source)
        if integration is not None and integration.same is not None:
            return integration.same(first, second)
        try:
            return bool(orjson.loads(first) == orjson.loads(second))
        except orjson.JSONDecodeError:
            return False

    def _feed(self, source: str) -> Callable[[Sequence[IncomingEvent]], Awaitable[None]]:
        """How a polled system brings its events: the call returns after the commit."""

        async def feed(events: Sequence[IncomingEvent]) -> None:
            stored = await self.intake.put(source, events, received_at=self.clock.now())
            self._acknowledge(self.integrations[source], events, stored)

        return feed

    def _count_stored(self, source: str, number: int) -> None:
        self.metrics.received.labels(source).inc(number)

    def _acknowledge(self, integration: Integration, events: Sequence[IncomingEvent], stored: Sequence[Stored]) -> None:
        """Answer at once what must not wait for its turn (a button press in Telegram)."""
        acknowledge = integration.acknowledge
        if acknowledge is None:
            return
        for event, result in zip(events, stored, strict=True):
            if result.is_new:
                self._in_background(partial(acknowledge, event))

    def _in_background(self, job: Callable[[], Awaitable[None]]) -> None:
        """Run something that may be lost; under load it is."""
        if len(self._background) >= MAX_BACKGROUND:
            return

        async def run() -> None:
            try:
                await job()
            except Exception as error:  # noqa: BLE001 - best effort by definition
                log.info("background_job_failed", error=type(error).__name__)

        task = asyncio.create_task(run())
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _delivered(self, channel: str, recipient: str) -> None:
        if self.sender is not None:
            self.sender.opened(channel, recipient)

    async def _fetch_dict(self, file: Mapping[str, Any]) -> bytes:
        """The bytes of a file of some channel, wherever it is needed. Raises Later or Never."""
        known: Any = {key: file.get(key) for key in ("id", "kind", "name", "mime", "size")}
        return await self._fetch_of_channel(str(file.get("channel") or ""), File(**known), MAX_FILE_BYTES)

    async def _fetch_of_channel(self, name: str, file: File, limit_bytes: int) -> bytes:
        """Raises Later or Never."""
        channel = self.channels().get(name)
        if channel is None:
            raise Never("the file belongs to a channel that is not connected", code="unavailable")
        return await channel.download(file, limit_bytes)

    async def _fetch_for_whatsapp(self, file: File, limit_bytes: int) -> bytes:
        """Files that managers send lie in Telegram."""
        return await self._fetch_of_channel("telegram", file, limit_bytes)

    # --------------------------------------------------------------------------------------------------- stopping

    async def stop(self) -> None:
        """Stop taking work, finish what is under way, close everything. May be called at any stage."""
        for task in self._polls:
            task.cancel()
        await _ended(self._polls)
        self.intake.rider = None
        await self.intake.drain()
        if self.timers is not None:
            await self.timers.stop()
        if self.worker is not None:
            await self.worker.stop()
        # First the loops whose last transaction may still take rows to send, then the sender's own.
        await _ended([task for task in self._loops if task.get_name() != "sender"], timeout=15)
        if self.sender is not None:
            await self.sender.stop()
        await _ended(self._loops, timeout=15)
        if self.sender is not None:
            await self.sender.stop()  # what its last look took is put back
        for task in self._to_the_last:
            task.cancel()
        await _ended(self._to_the_last)
        if self._presence is not None:
            await self._presence.end()
        for task in list(self._background):
            task.cancel()
        await _ended(list(self._background))
        for integration in self.integrations.values():
            if integration.stop is not None:
                with suppress(Exception):
                    await integration.stop()
        for client in self._clients:
            await client.aclose()
        if self._http is not None:
            await self._http.close()
        await self.database.close()
        log.info("stopped")


async def _ended(tasks: Sequence[asyncio.Task[None]], timeout: float = 5.0) -> None:
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=timeout)
    for task in late:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _secret(value: Any) -> str:
    return "" if value is None else str(value.get_secret_value())


def _optional(value: Any) -> str | None:
    return _secret(value) or None


def _several(secrets: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in secrets.split(",") if part.strip())


__all__ = ["DatabaseAway", "FixitService", "NotMigrated", "catalogue"]
