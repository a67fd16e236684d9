"""`events dead` and `events replay`: dead letters by their trouble, and another chance for them."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial

from bot.cli_database import NoSuchEvent
from bot.clock import Clock
from bot.dead_letters import DeadLetters, Given
from bot.logs import set_up_logs
from bot.rehearsal import Rehearsal, Rehearsed
from bot.services import FixitService
from bot.settings import Settings
from dialogs.cleaning import clean
from storage import inbox
from storage.clock import from_ms
from storage.database import Database
from storage.dead_letters import DeadLetter, Group

LONGEST = 120  # characters of a reason or of somebody's words
PAGE = 200  # ids given on the command line that are handled at once

_WORDS: Mapping[str, tuple[str, str]] = {
    "nothing": ("ничего мёртвого нет", "nothing is dead"),
    "event": ("событие", "event"),
    "delivery": ("отправка", "delivery"),
    "head": (
        "группа      что       откуда и вид                              сколько  последнее            пример  причина",
        "group       what      from and kind                             count    newest               example reason",
    ),
    "unknown": (
        "    у {number} конец неизвестен: повтор только с --force",
        "    the end of {number} is unknown: sent again only with --force",
    ),
    "replayed": ("ждут обработки: {number}", "{number} waiting to be handled"),
    "sent": ("ждут отправки: {number}", "{number} waiting to be sent"),
    "kept": (
        "не повторены: {number}, они, возможно, сделаны; повторить всё равно: --force",
        "{number} not sent again: perhaps they were done; --force sends them all the same",
    ),
    "missing": (
        "{number} не существуют, ещё не обработаны или лишились текста с годами",
        "{number} do not exist, have not been handled yet, or lost their bodies with the years",
    ),
    "no_group": ("нет группы {group} (или уже нет)", "there is no group {group} (any more)"),
    "would": ("будет:", "would be:"),
    "done": ("обработано", "done"),
    "ignored": ("пропущено", "ignored"),
    "dead": ("мёртвое", "dead"),
    "waiting": ("ждёт", "waiting"),
    "none": ("не повторить", "cannot be replayed"),
    "dialog": ("диалог", "dialog"),
    "new_dialog": ("новый диалог", "a new dialog"),
    "begin": ("(начало)", "(begin)"),
    "customer": ("клиенту", "to the customer"),
    "managers": ("менеджерам", "to the managers"),
    "system": ("поручает", "orders"),
    "timer": ("таймер", "timer"),
    "brings": ("событие", "event"),
    "sums": ("всего {total}: {sums}. Ничего не сделано.", "{total} in all: {sums}. Nothing was done."),
    "would_send": ("будет отправлено", "would be sent"),
    "would_keep": ("останется: возможно, сделано (--force)", "would be kept: perhaps it was done (--force)"),
}


class _Words:
    def __init__(self, lang: str) -> None:
        self._column = 0 if lang == "ru" else 1

    def __call__(self, name: str, **values: object) -> str:
        return _WORDS[name][self._column].format(**values)


async def show_groups(database: Database, arguments: argparse.Namespace) -> int:
    words = _Words(arguments.lang)
    groups = await DeadLetters(database, clock=Clock()).groups()
    if not groups:
        sys.stdout.write(words("nothing") + "\n")
        return 0
    sys.stdout.write(words("head") + "\n")
    for group in groups:
        newest = f"{from_ms(group.newest):%Y-%m-%d %H:%M:%S}"
        where = f"{group.source} {group.kind}"[:40]
        sys.stdout.write(
            f"{group.id}  {words(group.what):<8}  {where:<40} {group.count:>8}  {newest}  {group.example_id:>7}"
            f"  {_line(group.reason)}\n"
        )
        if group.ends_unknown:
            sys.stdout.write(words("unknown", number=group.ends_unknown) + "\n")
    return 0


async def replay(database: Database, settings: Settings, arguments: argparse.Namespace) -> int:
    """0: everything that was asked for; 1: not all of it."""
    words = _Words(arguments.lang)
    letters = DeadLetters(database, clock=Clock(settings.clock_offset_seconds))
    group: Group | None = None
    if arguments.group is not None:
        group = await letters.group(arguments.group)
        if group is None:
            raise NoSuchEvent(words("no_group", group=_line(arguments.group)))
    if arguments.dry_run:
        if group is not None and group.what == "delivery":
            return await _rehearse_deliveries(letters.of_group(group), words, force=arguments.force)
        return await _rehearse(database, settings, _ids(arguments, letters, group), words)
    if arguments.id:
        return await _replay_ids(database, arguments.id, words)
    given = Given()
    async for some in letters.dead_events() if group is None else letters.of_group(group):
        given += await letters.replay(some, force=arguments.force)
        _progress(given.replayed)
    _progress(None)
    is_sent = group is not None and group.what == "delivery"
    sys.stdout.write(words("sent" if is_sent else "replayed", number=given.replayed) + "\n")
    if given.kept:
        sys.stderr.write(words("kept", number=given.kept) + "\n")
    return 1 if given.kept else 0


async def _replay_ids(database: Database, ids: Sequence[int], words: _Words) -> int:
    wanted = list(dict.fromkeys(ids))
    replayed = 0
    for start in range(0, len(wanted), PAGE):
        some = wanted[start : start + PAGE]
        replayed += await database.write(partial(inbox.replay, ids=some))
    sys.stdout.write(words("replayed", number=replayed) + "\n")
    if replayed < len(wanted):
        sys.stderr.write(words("missing", number=len(wanted) - replayed) + "\n")
        return 1
    return 0


# ------------------------------------------------------------------------------------------------------- dry runs


async def _ids(arguments: argparse.Namespace, letters: DeadLetters, group: Group | None) -> AsyncIterator[list[int]]:
    if arguments.id:
        yield list(dict.fromkeys(arguments.id))
        return
    async for some in letters.dead_events() if group is None else letters.of_group(group):
        yield [letter.id for letter in some]


async def _rehearse(database: Database, settings: Settings, ids: AsyncIterator[list[int]], words: _Words) -> int:
    """1 if an event was named that cannot be replayed."""
    set_up_logs("CRITICAL", settings.log_format, settings.secrets())  # what a turn says goes into the report
    service = FixitService(settings, serves=False, works=False, database=database)
    sums: Counter[str] = Counter()
    try:
        await service.look_on()
        rehearsal: Rehearsal = service.rehearsal()
        async for some in ids:
            for start in range(0, len(some), PAGE):
                for told in await rehearsal.play(some[start : start + PAGE]):
                    sums[told.state or "none"] += 1
                    sys.stdout.write("\n".join(_lines(told, words)) + "\n")
    finally:
        await service.stop()
    _write_sums(sums, words)
    return 1 if sums["none"] else 0


async def _rehearse_deliveries(pages: AsyncIterator[list[DeadLetter]], words: _Words, *, force: bool) -> int:
    sums: Counter[str] = Counter()
    async for some in pages:
        for letter in some:
            became = "would_keep" if letter.is_end_unknown and not force else "would_send"
            sums[became] += 1
            sys.stdout.write(
                f"{letter.id:>8}  {letter.source} {letter.kind}  {words(became)}  {_line(letter.reason)}\n"
            )
    _write_sums(sums, words)
    return 0


def _write_sums(sums: Counter[str], words: _Words) -> None:
    told = ", ".join(f"{words(name)} {number}" for name, number in sorted(sums.items())) or "0"
    sys.stdout.write(words("sums", total=sums.total(), sums=told) + "\n")


def _lines(told: Rehearsed, words: _Words) -> list[str]:
    state = words(told.state or "none")
    sentence = f"  {_line(told.sentence)}" if told.sentence else ""
    lines = [f"{told.event_id:>8}  {told.source} {told.kind}  {words('would')} {state}{sentence}"]
    for move in told.moves:
        dialog = words("new_dialog") if move.dialog_id is None else f"{words('dialog')} {move.dialog_id}"
        lines.append(f"{'':>10}{dialog}: {move.from_step or words('begin')} -> {move.to_step}")
    if told.dialog_id is not None and not told.moves:
        lines.append(f"{'':>10}{words('dialog')} {told.dialog_id}")
    for order in told.orders:
        said = f": {_line(order.text)}" if order.text else ""
        lines.append(f"{'':>10}{words(order.to)} {order.system} {order.action}{said}")
    lines += [f"{'':>10}{words('timer')} {name}, {due_at:%Y-%m-%d %H:%M:%S} UTC" for name, due_at in told.timers]
    lines += [f"{'':>10}{words('brings')} {kind}" for kind in told.events]
    return lines


def _line(text: str) -> str:
    """One line, without what could move the cursor."""
    line = " ".join("".join(char if char.isprintable() else " " for char in clean(text)).split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def _progress(done: int | None) -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K" + ("" if done is None else f"{done} …"))
        sys.stderr.flush()
