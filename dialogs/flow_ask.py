"""Reading `ask`, the kind of step with the most fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from dialogs.effects import QuickReply
from dialogs.flow import ANSWERS, FILLS, Ask, Choice, ChoicesFrom, Retry, Silence, Variable
from dialogs.flow_fields import Fields, Reader
from dialogs.flow_parts import Wordings, place_of_two, read_media, read_retry, read_silence, read_template
from dialogs.reading import Path


class AskReader:
    """Reads the fields of an `ask`; `retry` and `silence` are the defaults of the flow."""

    def __init__(
        self,
        reader: Reader,
        variables: Mapping[str, Variable],
        wordings: Wordings,
        retry: Retry | None,
        silence: Silence | None,
    ) -> None:
        self._reader = reader
        self._variables = variables
        self._wordings = wordings
        self._retry = retry
        self._silence = silence

    def read(self, fields: Fields, common: dict[str, Any], find_next: Callable[[bool], str | None]) -> Ask | None:
        step_id = str(common["id"])
        text = self._wordings.read(fields, "ask", f"{step_id}.ask", must=True)
        options = self._options(fields, step_id)
        options_from = self._options_from(fields)
        expect = self._expect(fields, has_options=bool(options) or options_from is not None)
        into = self._into(fields)
        stores = self._stores(fields, expect, into, is_from_list=options_from is not None)
        is_choice = "choice" in expect
        if (
            (is_choice and not fields.has("options") and not fields.has("options_from"))
            or (fields.has("options") and fields.has("options_from"))
            or (options_from is not None and not fields.has("into"))
        ):
            self._reader.note("F13", (*fields.path, "id"))
        needs_next = (
            any(kind != "choice" for kind in expect)
            or options_from is not None
            or any(not (option.next or option.edit or option.is_back) for option in options)
        )
        step: dict[str, Any] = {
            "next": find_next(needs_next),
            "expect": expect,
            "stores": stores,
            "into": into,
            "options": options,
            "options_from": options_from,
            "valid": fields.expression("valid"),
            "invalid": self._wordings.read(fields, "invalid", f"{step_id}.invalid"),
            "retry": read_retry(fields) if fields.has("retry") else self._retry,
            "silence": read_silence(fields, self._wordings, step_id) if fields.has("silence") else self._silence,
            "quick": self._quick(fields),
            "button": self._wordings.read(fields, "button", f"{step_id}.button"),
            "edited": fields.slug("edited"),
            "media": read_media(fields),
            "template": read_template(fields),
        }
        return Ask(**common, **step, text=text) if text else None

    def _options(self, fields: Fields, step_id: str) -> tuple[Choice, ...]:
        options: dict[str, Choice] = {}
        for value, path in fields.items("options", may_be_empty=False):
            option = self._reader.fields(value, path, ("id", "title", "about", "next", "edit", "go"))
            if option is None:
                continue
            option_id = option.slug("id", must=True)
            key = f"{step_id}.{option_id}"
            title = self._wordings.read(option, "title", f"{key}.title", must=True)
            about = self._wordings.read(option, "about", f"{key}.about")
            target, edit, go = option.slug("next"), option.slug("edit"), option.text("go", of=("back",))
            if sum(option.has(name) for name in ("next", "edit", "go")) > 1:
                self._reader.note("F24", place_of_two(option, ("next", "edit", "go")), x=option_id or "")
            if option_id is None or title is None:
                continue
            if option_id in options:
                self._reader.note("F02", (*path, "id"), x=option_id)
            options[option_id] = Choice(option_id, title, about, path, target, edit, go is not None)
        return tuple(options.values())

    def _options_from(self, fields: Fields) -> ChoicesFrom | None:
        inner = fields.inner("options_from", ("list", "id", "title", "about", "limit"))
        if inner is None:
            return None
        variable = inner.slug("list", must=True)
        option_id = inner.expression("id", must=True)
        title, about = inner.filled_text("title", must=True), inner.filled_text("about")
        limit = inner.integer("limit", minimum=1, maximum=10)
        if variable is not None:
            declared = self._declared(variable, inner.at("list"))
            if declared is not None and declared.type != "list":
                self._reader.note("F13", inner.at("list"))
        if variable is None or option_id is None or title is None:
            return None
        return ChoicesFrom(variable, option_id, title, about, 10 if limit is None else limit, inner.path)

    def _expect(self, fields: Fields, *, has_options: bool) -> tuple[str, ...]:
        value = fields.data.get("expect")
        kinds: list[str] = ["choice"] if has_options else []
        if fields.has("expect"):
            for kind in value if isinstance(value, list) and value else [value]:
                if not isinstance(kind, str) or kind not in ANSWERS:
                    fields.wrong("expect")
                elif kind not in kinds:
                    kinds.append(kind)
        elif not (has_options or fields.has("options") or fields.has("options_from")):
            fields.text("expect", must=True)
        return tuple(kinds)

    def _into(self, fields: Fields) -> str | dict[str, str] | None:
        if not isinstance(fields.data.get("into"), dict):
            return fields.slug("into")
        into: dict[str, str] = {}
        for kind, variable, path in fields.text_map("into"):
            if kind in ANSWERS:
                into[kind] = variable
            else:
                self._reader.note("Y03", path, x=kind)
        return into

    def _stores(
        self, fields: Fields, expect: tuple[str, ...], into: str | dict[str, str] | None, *, is_from_list: bool
    ) -> dict[str, str]:
        """Which kind of answer goes into which variable: only where the type of the variable takes it."""
        if into is None:
            return {}
        stores: dict[str, str] = {}
        wanted = dict.fromkeys(expect, into) if isinstance(into, str) else into
        misfits: dict[str, Path] = {}
        for kind, name in wanted.items():
            path = fields.at("into") if isinstance(into, str) else (*fields.at("into"), kind)
            if name not in self._variables:
                misfits.setdefault(f"N05 {name}", path)
            elif takes_answer(self._variables[name].type, kind, is_from_list=is_from_list):
                stores[kind] = name
            elif not isinstance(into, str) or len(expect) == 1:
                misfits.setdefault(f"N07 {name}", path)
        if isinstance(into, str) and not stores and into in self._variables and expect:
            misfits[f"N07 {into}"] = fields.at("into")
        for misfit, path in misfits.items():
            code, _, name = misfit.partition(" ")
            self._reader.note(code, path, x=name)
        return stores

    def _quick(self, fields: Fields) -> tuple[QuickReply, ...]:
        quick: list[QuickReply] = []
        for value, path in fields.items("quick"):
            if value in ("share_contact", "share_location"):
                quick.append(cast("QuickReply", value))
            else:
                self._reader.note("Y04", path, x="quick")
        return tuple(quick)

    def _declared(self, name: str, path: Path) -> Variable | None:
        variable = self._variables.get(name)
        if variable is None:
            self._reader.note("N05", path, x=name)
        return variable


def takes_answer(type_: str, kind: str, *, is_from_list: bool) -> bool:
    if kind == "choice" and is_from_list:
        return type_ in ("choice", "text", "number")
    return kind in FILLS[type_]
