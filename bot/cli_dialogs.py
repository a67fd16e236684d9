"""`dialogs …`: what happened in a conversation, and what was known at any moment of it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

from bot.cli_database import NoSuchEvent, with_database
from bot.settings import Settings
from storage import journal, moments
from storage.database import Database


def add_commands(commands: Any, settings: Callable[[], Settings]) -> None:
    dialogs = commands.add_parser("dialogs", help="conversations").add_subparsers(
        dest="dialogs", required=True, metavar="COMMAND"
    )
    showing = dialogs.add_parser("show", help="one conversation, or one moment of it")
    showing.add_argument("id", type=int)
    showing.add_argument("--at", type=int, metavar="TURN", help="as it stood after this turn")
    showing.add_argument("--json", action="store_true", help="everything, for a program")
    showing.set_defaults(run=lambda a: with_database(settings(), lambda db: _show(db, a)))


async def _show(database: Database, arguments: argparse.Namespace) -> int:
    if arguments.at is not None:
        moment = await database.read(lambda conn: moments.get_moment(conn, arguments.id, arguments.at))
        if moment is None:
            raise NoSuchEvent(f"dialog {arguments.id} has no turn {arguments.at}")
        _print(moment, _moment_lines(moment), as_json=arguments.json)
        return 0
    dialog = await database.read(lambda conn: journal.get_dialog(conn, arguments.id))
    if dialog is None:
        raise NoSuchEvent(f"there is no dialog {arguments.id}")
    _print(dialog, _dialog_lines(dialog), as_json=arguments.json)
    return 0


def _print(found: dict[str, Any], lines: list[str], *, as_json: bool) -> None:
    text = json.dumps(found, ensure_ascii=False, indent=2, default=str) if as_json else "\n".join(lines)
    sys.stdout.write(text + "\n")


def _dialog_lines(dialog: dict[str, Any]) -> list[str]:
    place = f"{dialog['channel']} {dialog['address'] or ''}".strip()
    lines = [
        f"dialog {dialog['id']}: {dialog['flow']} version {dialog['version']}, {place}, {dialog['status']}"
        f" at {dialog['step']}",
    ]
    lines += [f"  {name} = {_value(value)}" for name, value in dialog["variables"].items()]
    for turn in dialog["turns"]:
        way = turn["to_step"] if turn["from_step"] == turn["to_step"] else f"{turn['from_step']} -> {turn['to_step']}"
        decided = ", ".join(turn["trace"].get("decided", ())) or "-"
        lines.append(f"{turn['turn']:>4}  {turn['at'][:19]}  {turn['event']:<10} {way}  [{decided}]")
        lines += [f"{'':>6}{_effect(effect)}" for effect in turn["effects"]]
    return lines


def _moment_lines(moment: dict[str, Any]) -> list[str]:
    event = moment["event"]
    source = f" ({event['source']} {event['source_kind']})" if "source" in event else ""
    lines = [
        f"dialog {moment['dialog_id']} after turn {moment['turn']} of {moment['last_turn']}, {moment['at'][:19]}",
        f"  event    {event['kind']}{source}, event {event['id']}",
        f"  way      {moment['from_step'] or '(begin)'} -> {moment['to_step']}",
        f"  decided  {', '.join(moment['decided']) or '-'}",
    ]
    for frame in reversed(moment["frames"]):
        lines.append(f"  variables of {frame['flow']}")
        lines += [f"    {name} = {_value(value)}" for name, value in frame["variables"].items()] or ["    none"]
    if moment["contact"]:
        lines.append("  stored of the person")
        lines += [f"    {name} = {_value(value)}" for name, value in moment["contact"].items()]
    lines.append("  effects")
    for effect in moment["effects"]:
        outcome = effect.get("outcome")
        became = ""
        if outcome is not None:
            told = [str(outcome[name]) for name in ("state", "status", "error") if outcome.get(name)]
            became = f"  => {', '.join(told)}"
        lines.append(f"    {_effect(effect)}{became}")
    return lines


def _effect(effect: dict[str, Any]) -> str:
    kind = effect.get("effect", "?")
    told = {name: value for name, value in effect.items() if name not in ("effect", "outcome") and value}
    if kind == "SendMessage":
        return f"says {_value(effect.get('text'))}" + (f" {effect['options']}" if effect.get("options") else "")
    return f"{kind} " + ", ".join(f"{name}={_value(value)}" for name, value in told.items())


def _value(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 160 else text[:159] + "…"
