"""The command line. Errors of use are one plain sentence on standard error and exit code 2."""

from __future__ import annotations

import argparse
import asyncio
import locale
import os
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NoReturn

from bot import cli_backup, cli_dialogs, cli_events, cli_flows, cli_person, cli_reconcile
from bot.cli_database import NoSuchEvent
from bot.settings import Settings, SettingsError, load_settings
from bot.version import VERSION


class UsageError(Exception):
    """One sentence for the person at the terminal."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        sys.stderr.write(f"{self.prog}: {message}\n")
        raise SystemExit(2)


def main(argv: Sequence[str] | None = None) -> None:
    arguments = _parser().parse_args(argv)
    try:
        code = arguments.run(arguments)
    except (UsageError, SettingsError, cli_flows.Unreadable, NoSuchEvent) as error:
        sys.stderr.write(f"{error}\n")
        code = 2
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        sys.stderr.close()
        code = 0
    raise SystemExit(code)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="fixit", description="Dialogs between customers' messengers and the back office.")
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)

    demo = commands.add_parser("demo", help="the service plus stand-ins for every outside system")
    demo.add_argument("--port", type=int, default=8000)
    demo.add_argument("--fresh", action="store_true", help="forget the data of the last demo")
    demo.set_defaults(run=_demo)

    serve = commands.add_parser("serve", help="HTTP server; does the work too unless --no-work")
    serve.add_argument("--host")
    serve.add_argument("--port", type=int)
    serve.add_argument("--no-work", action="store_true", help="only take requests; `work` handles them")
    serve.set_defaults(run=_serve)

    work = commands.add_parser("work", help="worker only; any number of them, on PostgreSQL")
    work.set_defaults(run=_work)
    commands.add_parser("migrate", help="bring the database to the newest schema").set_defaults(run=_migrate)
    commands.add_parser("doctor", help="what is configured, and whether it works").set_defaults(run=_doctor)
    cli_flows.add_commands(commands, _lang())
    cli_events.add_commands(commands, _settings, _lang())
    cli_dialogs.add_commands(commands, _settings)
    cli_reconcile.add_commands(commands, _settings, _lang())
    cli_person.add_commands(commands, _settings, _lang())
    cli_backup.add_commands(commands, _settings, _lang())
    return parser


def _lang() -> str:
    try:
        name = locale.setlocale(locale.LC_MESSAGES, "") if hasattr(locale, "LC_MESSAGES") else ""
    except locale.Error:  # it names one that is not installed
        name = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "ru" if name.lower().startswith("ru") else "en"


def _settings(**overrides: Any) -> Settings:
    return load_settings(**overrides)


def _serve(arguments: argparse.Namespace) -> int:
    from bot.run import serve

    overrides = {name: getattr(arguments, name) for name in ("host", "port") if getattr(arguments, name) is not None}
    settings = _settings(**overrides)
    if arguments.no_work and settings.database_url.get_secret_value().startswith("sqlite"):
        raise UsageError("serve --no-work needs PostgreSQL: with SQLite one process does everything")
    return _run(lambda: serve(settings, works=not arguments.no_work))


def _work(_arguments: argparse.Namespace) -> int:
    from bot.run import work

    settings = _settings()
    if settings.database_url.get_secret_value().startswith("sqlite"):
        raise UsageError("work needs PostgreSQL: with SQLite `serve` does everything in one process")
    return _run(lambda: work(settings))


def _demo(arguments: argparse.Namespace) -> int:
    from bot.demo.run import demo

    if not 0 <= arguments.port <= 65535:
        raise UsageError("--port must be a number from 0 to 65535")
    return _run(lambda: demo(port=arguments.port, fresh=arguments.fresh))


def _migrate(_arguments: argparse.Namespace) -> int:
    from bot.run import migrate_database

    settings = _settings()
    return _run(lambda: migrate_database(settings))


def _doctor(_arguments: argparse.Namespace) -> int:
    from bot.doctor import doctor

    settings = _settings()
    return _run(lambda: doctor(settings))


def _run(main_: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Run on uvloop where it is there."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main_())
    return uvloop.run(main_())
