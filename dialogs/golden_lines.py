"""The lines of golden tests as they may be written: what no run could make sense of is said by the check already."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from dialogs.flow import END_TAGS
from dialogs.flow_fields import Fields, parse_duration
from dialogs.golden_messages import sent_message

STIMULI = ("in", "press", "old_press", "send", "edit", "event", "result", "pass", "manager", "begin")
EXPECTATIONS = ("out", "not_out", "silent", "buttons", "does", "does_not", "at", "vars", "ends")
FIRST = ("in", "event", "begin")  # what a test may begin with
BEGINS = "%Y-%m-%d %H:%M"
_NOON = datetime(2026, 3, 2, tzinfo=UTC)


def read_chat(test: Fields) -> None:
    """Note what is wrong with the clock, the known values and the lines of a test: Y03, Y04."""
    list(test.map("known"))
    begins = test.text("begins")
    if begins is not None and not _is_clock(begins):
        test.wrong("begins")
    for index, (line, path) in enumerate(test.items("chat", must=True, may_be_empty=False)):
        fields = test.reader.fields(line, path, (*STIMULI, *EXPECTATIONS))
        if fields is None:
            continue
        given = [name for name in STIMULI if name in fields.data]
        if len(given) != 1:
            test.reader.note("Y04", path, x="chat")
        elif index == 0 and given[0] not in FIRST:
            fields.wrong(given[0])
        for name, is_right in _RULES.items():
            if name in fields.data and not is_right(fields.data[name]):
                fields.wrong(name)


def _is_clock(text: str) -> bool:
    try:
        datetime.strptime(text, BEGINS)  # noqa: DTZ007 — only whether it can be read; the project has the zone
    except ValueError:
        return False
    return True


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_name(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _is_map(value: object) -> bool:
    return isinstance(value, Mapping)


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(part, str) for part in value)


def _is_old_press(value: object) -> bool:
    return isinstance(value, Mapping) and set(value) == {"step", "option"} and all(map(_is_name, value.values()))


def _is_result(value: object) -> bool:
    if not isinstance(value, Mapping) or set(value) not in ({"step", "ok"}, {"step", "rejected"}):
        return False
    return _is_text(value["step"]) and all(_is_map(end) for name, end in value.items() if name != "step")


def _is_manager(value: object) -> bool:
    if isinstance(value, Mapping):
        return set(value) == {"say"} and _is_text(value["say"])
    return value in ("returned", "closed")


_RULES: Mapping[str, Callable[[object], bool]] = {
    "in": _is_text,
    "press": _is_name,
    "old_press": _is_old_press,
    "send": lambda value: sent_message(value, "", _NOON, "") is not None,
    "edit": _is_text,
    "event": lambda value: isinstance(value, Mapping) and _is_text(value.get("kind")),
    "result": _is_result,
    "pass": lambda value: parse_duration(value) is not None,
    "manager": _is_manager,
    "begin": _is_map,
    "out": _are_texts,
    "not_out": _are_texts,
    "silent": lambda value: value is True,
    "buttons": _are_texts,
    "does": lambda value: _is_text(value) or _is_map(value),
    "does_not": _is_text,
    "at": _is_text,
    "vars": _is_map,
    "ends": lambda value: value in END_TAGS,
}
