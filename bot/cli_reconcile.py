"""`reconcile`: our ledger against Okdesk and 1C. Exit code 0: no difference, 1: differences, 2: nothing can be said."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from bot.cli_database import NoSuchEvent, with_database
from bot.settings import Settings
from dialogs.flow_fields import parse_duration
from storage.database import Database


def add_commands(commands: Any, settings: Callable[[], Settings], lang: str) -> None:
    parser = commands.add_parser("reconcile", help="compare our ledger with Okdesk and 1C")
    parser.add_argument("--system", choices=("okdesk", "onec"), help="only this one")
    parser.add_argument("--since", default="1d", help="how far back, such as 12h or 7d")
    parser.add_argument("--repair", action="store_true", help="feed what we missed through the normal way in")
    parser.add_argument("--lang", choices=("ru", "en"), default=lang)
    parser.set_defaults(run=lambda arguments: _run(settings(), arguments))


def _run(settings: Settings, arguments: argparse.Namespace) -> int:
    span = parse_duration(arguments.since)
    if span is None:
        raise NoSuchEvent("--since takes a time such as 12h or 7d, at most 365d")
    return with_database(settings, lambda database: _reconcile(database, settings, arguments, span))


async def _reconcile(database: Database, settings: Settings, arguments: argparse.Namespace, span: timedelta) -> int:
    from bot.logs import set_up_logs  # the whole service takes a while to load
    from bot.reconciling.differences import Difference, remark, sums
    from bot.reconciling.reconciliation import Unreachable
    from bot.services import FixitService

    set_up_logs("CRITICAL", settings.log_format, settings.secrets())  # what cannot be compared is told below
    service = FixitService(settings, serves=False, works=False, database=database)
    found: list[Difference] = []
    failed = False
    try:
        await service.look_on()
        reconciliation = service.reconciliation()
        systems = reconciliation.systems()
        if arguments.system is not None and arguments.system not in systems:
            raise NoSuchEvent(f"{arguments.system} is not configured: there is nothing to compare with")
        if not systems:
            raise NoSuchEvent("neither Okdesk nor 1C is configured: there is nothing to compare with")
        for system in [arguments.system] if arguments.system else systems:
            try:
                differences = await reconciliation.differences(system, service.clock.now() - span)
            except Unreachable as error:
                sys.stderr.write(f"{error}\n")
                failed = True
                continue
            mended = await reconciliation.mend(differences) if arguments.repair else [False] * len(differences)
            for difference, was_mended in zip(differences, mended, strict=True):
                note = remark(difference, was_mended=was_mended, lang=arguments.lang)
                sys.stdout.write(f"{difference.told(arguments.lang)}{note}\n")
            found += differences
    finally:
        await service.stop()
    if not failed or found:
        sys.stdout.write(sums(found, arguments.lang) + "\n")
    return 2 if failed else 1 if found else 0
