"""`doctor`: what is configured, what is reachable, and why not. Shows no secret."""

from __future__ import annotations

import asyncio
import sys
import time
from email.utils import parsedate_to_datetime

import httpx

from bot.logs import set_up_logs
from bot.services import FixitService
from bot.settings import Settings
from integrations.base import Later, Never, Unknown
from storage import migrate
from storage.database import DatabaseAway

TITLES = {"whatsapp": "WhatsApp", "telegram": "Telegram", "okdesk": "Okdesk", "onec": "1C"}
CHECK_TIMEOUT_S = 15.0
CLOCK_TOLERANCE_S = 30.0


async def doctor(settings: Settings) -> int:
    """Print the table. Returns 1 if something that is configured does not work."""
    set_up_logs("ERROR", settings.log_format, settings.secrets())
    service = FixitService(settings, serves=False, works=False)
    rows: list[tuple[str, str, str]] = []
    await service.database.open()
    try:
        rows.append(await _database(service))
        await service.make_integrations()
        for name, title in TITLES.items():
            integration = service.integrations.get(name)
            if integration is None:
                rows.append((title, "off", "not configured"))
            elif integration.check is None:
                rows.append((title, "ok", "only their calls to us are configured"))
            else:
                rows.append((title, *await _check(integration.check)))
        rows.append(await _clock(settings))
        rows.append(_managers(settings))
        rows.append(
            ("API", "ok", "bearer token is set")
            if settings.api_token
            else ("API", "ok", "API_TOKEN is not set: answers only on this machine")
        )
    finally:
        await service.stop()
    width = max(len(title) for title, _, _ in rows)
    for title, state, note in rows:
        sys.stdout.write(f"{title:<{width}}  {state:<6}  {note}\n")
    return 1 if any(state == "failed" for _, state, _ in rows) else 0


async def _database(service: FixitService) -> tuple[str, str, str]:
    name = "SQLite" if service.database.dialect == "sqlite" else "PostgreSQL"
    try:
        current = await service.database.read(migrate.current)
        fits = await service.database.read(migrate.fits)
    except DatabaseAway as error:
        return "Database", "failed", f"{name}: {error}"
    if fits:
        return "Database", "ok", f"{name}, schema {current}"
    if service.database.dialect == "sqlite":
        return "Database", "ok", f"{name}, schema {current or 'none yet'}; `serve` brings it to {migrate.newest()}"
    return "Database", "failed", f"{name}, schema {current or 'none'}: run `python -m bot migrate`"


async def _check(check: object) -> tuple[str, str]:
    assert callable(check)
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return "ok", str(await check())
    except TimeoutError:
        return "failed", f"no answer in {CHECK_TIMEOUT_S:.0f} seconds"
    except (Later, Never, Unknown, httpx.HTTPError, OSError, ValueError) as error:
        return "failed", str(error) or type(error).__name__


async def _clock(settings: Settings) -> tuple[str, str, str]:
    """Our clock against the Date of a server that we use anyway: signatures and windows depend on it."""
    if settings.clock_offset_seconds:
        return "Clock", "ok", f"moved by CLOCK_OFFSET_SECONDS = {settings.clock_offset_seconds}"
    address = (
        settings.okdesk_url
        or settings.onec_url
        or (settings.whatsapp_api_url if settings.whatsapp_access_token else None)
    )
    if address is None:
        return "Clock", "ok", "nothing to compare it with"
    try:
        async with httpx.AsyncClient(timeout=5.0) as client:
            answer = await client.head(address)
        theirs = parsedate_to_datetime(answer.headers["Date"]).timestamp()
    except (httpx.HTTPError, KeyError, ValueError):
        return "Clock", "ok", "could not be compared"
    difference = time.time() - theirs
    if abs(difference) > CLOCK_TOLERANCE_S:
        return "Clock", "failed", f"differs by {difference:.0f} s from {httpx.URL(address).host}"
    return "Clock", "ok", f"agrees with {httpx.URL(address).host}"


def _managers(settings: Settings) -> tuple[str, str, str]:
    if settings.telegram_managers_chat_id is None:
        return "Managers", "off", "TELEGRAM_MANAGERS_CHAT_ID is not set: nobody is told of leads"
    return "Managers", "ok", "alerts go to the group in TELEGRAM_MANAGERS_CHAT_ID"
