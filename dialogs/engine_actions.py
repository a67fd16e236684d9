"""Ordering an action of another system: its parameters, its key, and the subject it links the dialog to."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from dialogs.actions import ActionSpec, ValueType
from dialogs.effects import Link, RunAction
from dialogs.engine_scope import dialog_name
from dialogs.engine_turn import STEP_TIMERS, Place, Turn
from dialogs.flow import Do

_LONGEST_KEY = 200  # characters of the filled `once_per`: longer ones are kept as their hash
_INTEGER = re.compile(r"-?[0-9]{1,15}")


def order(turn: Turn, place: Place, step: Do) -> None:
    """Want the action of a `do` step, and wait for its outcome."""
    spec = step.spec
    lang = place.program.flow.lang  # other systems get the flow's own language, not the customer's
    titles, scope = place.program.titles(lang), place.scope
    params: dict[str, Any] = {}
    for name, text, _ in step.params:
        value = text.value(scope) if text.single is not None else text.render(scope, lang=lang, titles=titles)
        parameter = spec.parameters.get(name)
        converted = convert(value, parameter.type) if parameter else value
        if converted is not None:
            params[name] = converted
    for name, parameter in spec.parameters.items():
        if parameter.default is not None and name not in params:
            params[name] = convert(parameter.default, parameter.type)
    place.key = _key(turn, place, step)
    link(turn, spec, params, spec.parameters)
    turn.effects.append(RunAction(step.action, place.key, step.id, params, writes=spec.writes))
    turn.set_timer(STEP_TIMERS[place.level], turn.now + step.slow_after)


def _key(turn: Turn, place: Place, step: Do) -> str:
    wanted = ""
    if step.once_per is not None:
        wanted = step.once_per.render(place.scope, lang=place.program.flow.lang).strip()
    if not wanted:
        wanted = f"{dialog_name(turn.dialog.id)}.{turn.dialog.turn + 1}"
    elif len(wanted) > _LONGEST_KEY:
        wanted = "sha256:" + hashlib.sha256(wanted.encode()).hexdigest()
    return f"{step.action}/{place.program.flow.name}/{step.id}/{wanted}"


def link(turn: Turn, spec: ActionSpec, values: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    """Link the dialog to the issue or order that `values` name, if `known` has that name at all."""
    if spec.subject is None:
        return False
    kind, name = spec.subject
    value = values.get(name) if name in known else None
    if not isinstance(value, str | int) or isinstance(value, bool) or value == "":
        return False
    turn.effects.append(Link(f"{kind}:{value}"))
    return True


def convert(value: object | None, type_: ValueType) -> object | None:
    """A value of a flow as the catalogue wants it; None if it is empty or cannot be read as that type."""
    if value is None or value == "":
        return None
    if type_ == "text":
        return _as_text(value)
    if type_ in ("number", "money"):
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        return int(value) if isinstance(value, str) and _INTEGER.fullmatch(value.strip()) else None
    if type_ == "flag":
        if isinstance(value, bool):
            return value
        return {"true": True, "false": False}.get(value) if isinstance(value, str) else None
    return list(value) if isinstance(value, list | tuple) else None


def _as_text(value: object) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else None
