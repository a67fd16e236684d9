"""What a line of a golden test expects, held against what it brought."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dialogs.effects import OpenHandoff, RunAction
from dialogs.golden_chat import Chat, Mismatch


def check(chat: Chat, line: Mapping[str, Any]) -> None:
    """Raises Mismatch for the first expectation that was not met."""
    texts = [_plain(message.text) for message in chat.messages]
    if "out" in line:
        _check_out(_list(line["out"], "out"), texts)
    for part in _list(line.get("not_out", []), "not_out"):
        if any(_plain(part) in text for text in texts):
            raise Mismatch(f"not_out: {part}", _shown(texts), "not_out")
    if line.get("silent") and texts:
        raise Mismatch("silent", _shown(texts), "silent")
    if "buttons" in line:
        wanted = _list(line["buttons"], "buttons")
        offered = [option.id for option in chat.last_message.options] if chat.last_message else []
        if wanted != offered:
            raise Mismatch(f"buttons: {', '.join(wanted)}", ", ".join(offered) or "–", "buttons")
    if "does" in line:
        _check_does(chat, line["does"])
    if "does_not" in line and any(_name(action) == line["does_not"] for action in chat.actions):
        raise Mismatch(f"does_not: {line['does_not']}", str(line["does_not"]), "does_not")
    if "at" in line and line["at"] not in (chat.at(), chat.dialog.top.step):
        raise Mismatch(f"at: {line['at']}", chat.at(), "at")
    if "vars" in line:
        _check_variables(chat, line["vars"])
    if "ends" in line and chat.ended.get(chat.dialog.id) != line["ends"]:
        raise Mismatch(f"ends: {line['ends']}", chat.ended.get(chat.dialog.id) or f"at: {chat.at()}", "ends")


def _check_out(parts: list[str], texts: list[str]) -> None:
    """The parts one after another; one message may hold several."""
    message, offset = 0, 0
    for part in parts:
        wanted = _plain(part)
        while message < len(texts):
            found = texts[message].find(wanted, offset)
            if found >= 0:
                offset = found + len(wanted)
                break
            message, offset = message + 1, 0
        else:
            raise Mismatch(f"out: {part}", _shown(texts), "out")


def _check_does(chat: Chat, wanted: object) -> None:
    expected: Mapping[str, Any] = wanted if isinstance(wanted, Mapping) else {str(wanted): None}
    done = ", ".join(_name(action) for action in chat.actions) or "–"
    for name, params in expected.items():
        candidates = [action for action in chat.actions if _name(action) == name]
        if not candidates:
            raise Mismatch(f"does: {name}", done, "does")
        if isinstance(params, Mapping) and not any(_has_params(action, params) for action in candidates):
            shown = "; ".join(str(_params(action)) for action in candidates)
            raise Mismatch(f"does: {name} {dict(params)}", shown, "does")


def _has_params(action: RunAction | OpenHandoff, wanted: Mapping[str, Any]) -> bool:
    params = _params(action)
    return all(_alike(params.get(name), value) for name, value in wanted.items())


def _params(action: RunAction | OpenHandoff) -> dict[str, Any]:
    return dict(action.params) if isinstance(action, RunAction) else {"queue": action.queue}


def _alike(one: object, other: object) -> bool:
    if one is None or other is None:
        return one is other
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other or str(one).lower() == str(other).lower()
    if isinstance(one, str | int) and isinstance(other, str | int):
        return _plain(str(one)) == _plain(str(other))
    return one == other


def _check_variables(chat: Chat, wanted: object) -> None:
    if not isinstance(wanted, Mapping):
        raise Mismatch("vars: {…}", str(wanted), "vars")
    for name, value in wanted.items():
        got = chat.value_of(str(name))
        if got != value or isinstance(got, bool) is not isinstance(value, bool):
            raise Mismatch(f"vars: {name} = {value}", str(got), "vars")


def _name(action: RunAction | OpenHandoff) -> str:
    return action.action if isinstance(action, RunAction) else "handoff"


def _list(value: object, field: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
        raise Mismatch(f"{field}: […]", str(value), field)
    return value


def _shown(texts: list[str]) -> str:
    return " | ".join(texts) or "–"


def _plain(text: str) -> str:
    """Blanks are compared alike."""
    return text.replace("\u00a0", " ").replace("\u202f", " ")
