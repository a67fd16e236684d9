"""`backup` and `restored`: a copy of the database, and going on with an older one."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, make_url

from bot.cli_database import NoSuchEvent, with_database
from bot.clock import Clock
from bot.settings import Settings
from storage.clock import to_ms
from storage.copying import CopyFailed, copy_sqlite
from storage.database import Database
from storage.restored import take_over

_WORDS = {
    "exists": ("{file} exists: name a new file", "{file} уже есть: назовите новый файл"),
    "no_folder": ("there is no folder {folder}", "нет папки {folder}"),
    "no_file": ("there is no database {file}", "нет базы {file}"),
    "made": ("{file}: {bytes:,} bytes, checked", "{file}: байт {bytes:,}, проверено"),
    "failed": ("no copy was made: {error}", "копия не сделана: {error}"),
    "by_hand": (
        "pg_dump was not found here. Run it where it is installed:\n  {command}",
        "pg_dump здесь не найден. Выполните там, где он есть:\n  {command}",
    ),
    "restored": (
        "{deliveries} sends are settled before anything is sent again, {events} waiting events are doubtful."
        " Start the service now. What came in after the copy was made is lost: it was answered and does not come again",
        "Отправок, которые сначала будут выяснены: {deliveries}; сомнительных ожидающих событий: {events}."
        " Теперь запустите службу. Пришедшее после снятия копии потеряно: на него ответили, и оно не придёт снова",
    ),
}


def add_commands(commands: Any, settings: Callable[[], Settings], lang: str) -> None:
    say = partial(_say, lang=lang)
    backup = commands.add_parser("backup", help="a checked copy of the database while the service runs")
    backup.add_argument("file", type=Path)
    backup.set_defaults(run=lambda a: _backup(settings(), a, say))
    restored = commands.add_parser("restored", help="after an older copy was put back, before the service starts")
    restored.set_defaults(run=lambda _: _restored(settings(), say))


def _say(name: str, /, *, lang: str, **values: object) -> str:
    return _WORDS[name][lang == "ru"].format(**values)


def _backup(settings: Settings, arguments: argparse.Namespace, say: Callable[..., str]) -> int:
    file: Path = arguments.file
    if file.exists():
        raise NoSuchEvent(say("exists", file=file))
    if not file.parent.is_dir():
        raise NoSuchEvent(say("no_folder", folder=file.parent))
    url = make_url(settings.database_url.get_secret_value())
    if url.get_backend_name() != "sqlite":
        return _dump(url, file, say)
    source = Path(url.database or "")
    if not source.is_file():
        raise NoSuchEvent(say("no_file", file=source))
    try:
        copy_sqlite(source, file, now=to_ms(Clock(settings.clock_offset_seconds).now()))
    except CopyFailed as error:
        sys.stderr.write(say("failed", error=error) + "\n")
        return 1
    sys.stdout.write(say("made", file=file, bytes=file.stat().st_size) + "\n")
    return 0


def _dump(url: URL, file: Path, say: Callable[..., str]) -> int:
    plain = url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    program = _pg_dump()
    if program is None:
        sys.stdout.write(say("by_hand", command=f"pg_dump -Fc --file={file} {plain}") + "\n")
        return 1
    unfinished = file.with_name(f"{file.name}.partial")
    os.close(os.open(unfinished, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600))
    # The password is no argument: anybody on the machine can read those.
    environment = {**os.environ, **({"PGPASSWORD": str(url.password)} if url.password else {})}
    ended = subprocess.run(  # noqa: S603 - the arguments are ours
        [program, "-Fc", f"--file={unfinished}", plain], env=environment, capture_output=True, text=True, check=False
    )
    if ended.returncode != 0:
        unfinished.unlink(missing_ok=True)
        sys.stderr.write(say("failed", error=ended.stderr.strip() or f"pg_dump ended with {ended.returncode}") + "\n")
        return 1
    unfinished.replace(file)
    sys.stdout.write(say("made", file=file, bytes=file.stat().st_size) + "\n")
    return 0


def _pg_dump() -> str | None:
    named = os.environ.get("FIXIT_PG_BIN")
    places = [Path(named)] if named else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return shutil.which("pg_dump") or next((str(p / "pg_dump") for p in places if (p / "pg_dump").exists()), None)


def _restored(settings: Settings, say: Callable[..., str]) -> int:
    now = to_ms(Clock(settings.clock_offset_seconds).now())

    async def work(database: Database) -> int:
        found = await database.write(lambda conn: take_over(conn, now=now), is_long=True)
        sys.stdout.write(say("restored", deliveries=found.deliveries, events=found.events) + "\n")
        return 0

    return with_database(settings, work)
