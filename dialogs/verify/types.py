"""What a path means where it stands, and of which type it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from dialogs.expressions import Expression, MappingScope
from dialogs.flow import Variable
from dialogs.reading import Path
from dialogs.verify.uses import Fields, Names

_ALWAYS = {("dialog", "id"), ("dialog", "flow"), ("contact", "id"), ("channel",)}
_BASES: Mapping[str, str] = {
    **dict.fromkeys(("number", "money", "rating"), "number"),
    **dict.fromkeys(("list", "files", "file_list"), "list"),
    "flag": "flag",
    "map": "map",
}
NOWHERE = MappingScope({}, "2026-03-02")
"""For expressions that ask nothing of their scope."""


class Meaning(NamedTuple):
    """`type`: that of a variable, or of a field of an event or result; None: it cannot be known."""

    type: str | None = None
    wrong: tuple[str, str, str] | None = None  # code, x, y of what is wrong with the path


def meaning_of(path: Path, names: Names, variables: Mapping[str, Variable]) -> Meaning:
    root = str(path[0])
    if path in _ALWAYS:
        return Meaning("text")
    variable = variables.get(root)
    if variable is not None:
        if len(path) == 1:
            return Meaning(variable.type)
        is_item = base_of(variable.type) == "list" and isinstance(path[1], int)
        return Meaning() if is_item else _unknown(path)
    if root == "item" and names.item:
        return Meaning()
    fields = {"event": names.event, "result": names.result}.get(root)
    return _unknown(path) if fields is None or len(path) == 1 else _field(path, fields, names)


def _field(path: Path, fields: Fields, names: Names) -> Meaning:
    if fields.fields is None:
        return Meaning()
    type_ = fields.fields.get(str(path[1]))
    if type_ == "map" and len(path) > 2 and isinstance(path[2], str):
        inner = names.finished
        return Meaning() if inner is None else _field(path[1:], inner, names)
    if len(path) > 2 and type_ is not None and base_of(type_) == "list" and isinstance(path[2], int):
        return Meaning()
    if type_ is None or len(path) > 2:
        return _unknown(path) if fields.code == "N01" else Meaning(wrong=(fields.code, fields.owner, dotted(path[1:])))
    return Meaning(type_)


def _unknown(path: Path) -> Meaning:
    return Meaning(wrong=("N01", dotted(path), ""))


def type_of(expression: Expression, names: Names, variables: Mapping[str, Variable]) -> str | None:
    """The type of the value, as far as it can be known: "text", "number", "flag", "list", or that of a variable."""
    if expression.bare_path is not None:
        return meaning_of(expression.bare_path, names, variables).type
    if expression.is_broken:
        return None
    if expression.is_condition:
        return "flag"
    value = expression.evaluate(NOWHERE)  # functions say of which type they are without any value
    if isinstance(value, str):
        return "text"
    return "number" if isinstance(value, int) else "list" if isinstance(value, list) else None


def base_of(type_: str) -> str:
    """Of which kind the stored value is: text, number, flag, list, map."""
    return _BASES.get(type_, "text")


def dotted(path: Path) -> str:
    """("orders", 0, "id") → `orders[0].id`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
