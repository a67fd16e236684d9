"""`flows replay`: what a draft would have done in the conversations that were really led."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, make_url

from bot.logs import set_up_logs
from bot.replay import DraftBroken, Report, load_draft, replay_flow
from bot.services import FixitService
from bot.settings import Settings, load_settings
from bot.turns.group_said import moved_key
from dialogs.cleaning import clean
from dialogs.findings import format_finding
from dialogs.flow_fields import parse_duration
from dialogs.project import compile_project
from dialogs.replay_recording import CLASSES, Class, Difference, Verdict
from storage import flows as stored_flows
from storage import migrate
from storage.database import DatabaseAway
from storage.unit import subject_state

LONGEST = 160  # characters of somebody's words in the report

_TITLES: Mapping[Class, tuple[str, str]] = {
    "same": ("так же", "same way"),
    "text": ("другой текст", "other text"),
    "shorter": ("короче", "shorter"),
    "way": ("другим путём", "other way"),
    "stuck": ("застряли", "stuck"),
    "unplayable": ("не проверить", "not replayable"),
}
_EVENTS = {
    "message": ("сообщение", "message"),
    "press": ("кнопка", "button"),
    "action": ("конец действия", "end of an action"),
    "timer": ("таймер", "timer"),
    "manager": ("менеджер", "manager"),
    "restart": ("начало заново", "restart"),
}
_REASONS = {
    # other text
    "text": ("было: {live} · стало: {draft}", "was: {live} · is: {draft}"),
    "buttons": ("кнопки: убрано {live}, добавлено {draft}", "buttons: removed {live}, added {draft}"),
    "look": ("порядок кнопок, картинка или шаблон", "order of buttons, picture or template"),
    "order": ("другие данные наружу: было {live}, стало {draft}", "other data go out: was {live}, is {draft}"),
    # shorter
    "left_over": (
        "черновик этого уже не спросит: он сразу идёт в {draft}",
        "the draft does not ask for this: it goes straight to {draft}",
    ),
    "ended": ("черновик к этому времени уже закончил", "the draft has ended by then"),
    # other way
    "step": ("было: {live}; черновик: {draft}", "was: {live}; the draft: {draft}"),
    "path": ("было: {live}; черновик: {draft}", "was: {live}; the draft: {draft}"),
    "tag": ("конец был «{live}», у черновика «{draft}»", "it ended «{live}», the draft ends «{draft}»"),
    "not_taken": ("черновик этого события не ждёт", "the draft does not wait for this event"),
    "no_recording": (
        "черновик вызывает {draft}, а записи о том, чем это кончится, нет",
        "no recording of {draft}, which the draft orders",
    ),
    # stuck
    "no_start": ("черновик этим не начинается", "the draft does not begin by this"),
    "option_gone": ("такой кнопки больше нет — {draft}", "there is no such button any more: {draft}"),
    "refused": ("черновик не принял ответ: {draft}", "the draft refuses the answer: {draft}"),
    "gave_up": ("черновик сдался: слишком много неверных ответов", "the draft gives up: too many wrong answers"),
    "old_button": ("черновик принял кнопку за старую", "the draft takes the button for an old one"),
    "not_accepted": ("черновик этого здесь не ждёт ({draft})", "the draft does not wait for this here ({draft})"),
    "error": ("ошибка движка: {draft}", "an error of the engine: {draft}"),
    # not replayable
    "no_beginning": ("в журнале нет начала", "the journal lacks the beginning"),
    "event_gone": ("исходное событие удалено", "the original event is gone"),
    "unreadable": ("исходное событие больше не читается", "the original event cannot be read any more"),
    "not_configured": ("эта система больше не подключена", "this system is not configured any more"),
    "our_error": ("ошибка в нашей программе, подробности выше", "an error of our program, see above"),
    "moved": ("разговор переводили на другую версию", "the talk was moved to another version on its way"),
    "version_gone": ("версии потока того времени нет", "the version of that time is gone"),
    "not_retold": (
        "и тогдашняя версия идёт не так, как записано: запись неполна",
        "even the version of that time goes otherwise than recorded: the recording lacks something",
    ),
}
_WORDS = {
    "head": (
        "Поток {flow}: разговоров {total} с {since} (записаны версиями: {versions})",
        "Flow {flow}: {total} conversations since {since} (recorded with versions: {versions})",
    ),
    "none": ("Поток {flow}: разговоров с {since} нет", "Flow {flow}: no conversations since {since}"),
    "as_live": ("действующая версия так же: {number}", "the live version does the same: {number}"),
    "dialog": ("диалог", "dialog"),
    "step": ("шаг", "step"),
    "shown": ("показаны {shown} из {count}", "{shown} of {count} shown"),
    "nothing": ("ничего", "nothing"),
    "end": ("конец", "the end"),
    "begin": ("начало", "the beginning"),
}


class OtherSchema(Exception):
    """The database is not the one that this code knows."""


def replay(arguments: argparse.Namespace) -> int:
    """0: nothing is stuck (but where the live version is too); 1: something is; 2: nothing could be judged."""
    settings = load_settings()
    span = parse_duration(arguments.since)
    if span is None or arguments.limit < 1:
        return _sorry("--since takes a time such as 12h or 7d, --limit a number from 1")
    if not Path(arguments.path).is_file():
        return _sorry(f"no such file: {arguments.path}")
    url = make_url(settings.database_url.get_secret_value())
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        return _sorry(f"there is no database {url.database}")
    return asyncio.run(_run(arguments, settings, span))


async def _run(arguments: argparse.Namespace, settings: Settings, span: timedelta) -> int:
    path = Path(arguments.path)
    set_up_logs("CRITICAL", settings.log_format, settings.secrets())  # what cannot be used is in the report
    try:
        report = await report_on(path, settings, span=span, limit=arguments.limit, progress=_progress)
    except OtherSchema:
        return _sorry("the database has another schema: run `python -m bot migrate` first")
    except DraftBroken as error:
        for found in error.findings:
            placed = replace(found, file=str(path.parent / found.file))
            sys.stderr.write(format_finding(placed, arguments.lang) + "\n")
        return 2 if error.findings else _sorry(f"{arguments.path} holds no flow")
    except OSError as error:
        return _sorry(f"cannot read {path.parent}: {error.strerror}")
    except DatabaseAway as error:
        return _sorry(f"the database is away: {error}")
    _progress(None)
    sys.stdout.write(shown(report, arguments.lang))
    return 1 if report.is_stuck else 0


async def report_on(
    path: Path, settings: Settings, *, span: timedelta, limit: int, progress: Callable[[int], None] = lambda _: None
) -> Report:
    """Play what happened within `span` until now. Raises DraftBroken, OtherSchema, OSError, DatabaseAway."""
    service = FixitService(settings, serves=False, works=False)  # its integrations read what they once brought
    await service.database.open()
    try:
        if not await service.database.read(migrate.fits):
            raise OtherSchema
        await service.make_integrations()
        await _know_groups(service)
        draft = await service.database.read(
            lambda conn: load_draft(conn, path, catalogue=service.catalogue, timezone=settings.timezone)
        )
        now = service.clock.now()
        return await replay_flow(
            service.database,
            draft,
            service.integrations,
            catalogue=service.catalogue,
            timezone=settings.timezone,
            since=now - span,
            now=now,
            limit=limit,
            progress=progress,
        )
    finally:
        await service.stop()


async def _know_groups(service: FixitService) -> None:
    """Managers' words are told from customers' by the group they were written in, under any id that it had."""
    telegram = service.integrations.get("telegram")
    groups: Any = getattr(telegram.channel if telegram else None, "groups", None)
    if groups is None:
        return

    def known(conn: Connection) -> set[int]:
        project, _ = compile_project(
            stored_flows.newest_project(conn) or None, file="project.yaml", timezone=service.settings.timezone
        )
        chats = service.groups.all() | {g.chat_id for g in project.groups.values() if g.chat_id is not None}
        moved = [subject_state(conn, moved_key(chat)) for chat in chats]
        return chats | {int(state["new"]) for state in moved if state is not None}

    groups |= await service.database.read(known)


def _sorry(sentence: str) -> int:
    sys.stderr.write(f"{sentence}\n")
    return 2


def _progress(done: int | None) -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K" + ("" if done is None else f"{done} …"))
        sys.stderr.flush()


# ------------------------------------------------------------------------------------------------------- the report


def shown(report: Report, lang: str) -> str:
    """The summary, then examples, the most serious first."""
    word = int(not lang.startswith("ru"))
    since = f"{report.since:%d.%m.%Y %H:%M} UTC"
    if not report.total:
        return _WORDS["none"][word].format(flow=report.flow, since=since) + "\n"
    versions = ", ".join(f"{version} ({number})" for version, number in sorted(report.versions.items()))
    head = _WORDS["head"][word].format(flow=report.flow, total=report.total, since=since, versions=versions)
    lines = [head, ""]
    for kind in CLASSES:
        count = report.counts[kind]
        if count or kind != "unplayable":
            share = f"{100 * count / report.total:.1f}"
            share = share.replace(".", ",") if word == 0 else share
            as_live = report.as_live[kind] if kind != "unplayable" else 0
            note = f"   {_WORDS['as_live'][word].format(number=as_live)}" if as_live else ""
            lines.append(f"  {_TITLES[kind][word]:<18}{count:>7}  {share:>5} %{note}")
    for kind in reversed(CLASSES):
        examples = report.examples.get(kind, [])
        if not examples:
            continue
        count = report.counts[kind]
        title = _TITLES[kind][word].capitalize()
        if count > len(examples):
            title += f" ({_WORDS['shown'][word].format(shown=len(examples), count=count)})"
        lines += ["", title]
        lines += _places(report, kind, word)
        for verdict in examples:
            lines += _example(verdict, word)
    return "\n".join(lines) + "\n"


def _places(report: Report, kind: Class, word: int) -> list[str]:
    """How many at which step, where the examples alone do not tell."""
    if report.counts[kind] == len(report.examples[kind]):
        return []
    places: Counter[str] = Counter()
    for (of, reason, step), number in report.reasons.items():
        if of == kind:
            places[_REASONS[reason][word] if kind == "unplayable" else step or _WORDS["begin"][word]] += number
    return ["  " + ", ".join(f"{place}: {number}" for place, number in places.most_common()), ""]


def _example(verdict: Verdict, word: int) -> list[str]:
    found = verdict.difference
    assert found is not None
    parts = [f"{_WORDS['dialog'][word]} {verdict.dialog_id}"]
    if verdict.kind == "unplayable":
        detail = f" ({found.step})" if found.step else ""
        return [f"  {parts[0]} · {_REASONS[found.reason][word]}{detail}"]
    parts.append(f"{_WORDS['step'][word]} {found.step}" if found.step else _WORDS["begin"][word])
    event = _EVENTS.get(found.event, (found.event, found.event))[word]
    parts.append(event if found.words is None else f"{event} «{_short(found.words)}»")
    return [f"  {' · '.join(parts)}", f"    {_because(found, word)}"]


def _because(found: Difference, word: int) -> str:
    empty = _WORDS["nothing"][word]
    live, draft = (_quoted(one, found.reason, word) or empty for one in (found.live, found.draft))
    return _REASONS[found.reason][word].format(live=live, draft=draft)


def _quoted(text: str, reason: str, word: int) -> str:
    if reason in ("step", "path", "left_over"):
        return text.replace("closed", _WORDS["end"][word])
    short = _short(text)
    return f"«{short}»" if short and reason in ("text", "refused") else short


def _short(text: str) -> str:
    """One line, without what could move the cursor."""
    line = " ".join("".join(char if char.isprintable() else " " for char in clean(text)).split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


__all__ = ["OtherSchema", "replay", "report_on", "shown"]
