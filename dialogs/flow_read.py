"""Reading a flow file: the document becomes a `Flow`, or findings that say everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from zoneinfo import ZoneInfo

from dialogs.actions import Catalogue
from dialogs.business_events import EVENTS
from dialogs.cleaning import normal
from dialogs.expressions import RESERVED
from dialogs.findings import Finding
from dialogs.flow import (
    CHANNELS,
    FILLS,
    Assignment,
    Flow,
    GoldenTest,
    Interrupt,
    Retry,
    Silence,
    Start,
    Variable,
)
from dialogs.flow_fields import SLUG, Fields, Reader
from dialogs.flow_parts import Wordings, is_one_action, place_of_two, read_retry, read_silence
from dialogs.flow_steps import StepReader
from dialogs.golden_lines import read_chat
from dialogs.hours import QuietHours, minute_of_day
from dialogs.reading import Document

_FIELDS = (
    *("format", "flow", "title", "lang", "note", "contact", "channels", "callable", "takes", "returns", "start"),
    *("vars", "defaults", "interrupts", "steps", "publish", "tests"),
)
_OCCASIONS = ("command", "text", "event", "first_message", "any_message")
_ACTS = ("go", "next", "call")


def read_flow(
    document: Document, *, version: int, catalogue: Catalogue, zone: ZoneInfo
) -> tuple[Flow | None, list[Finding]]:
    """Read one flow. There is no flow if anything of its structure is wrong (Y codes); then only that is said."""
    reader = Reader(document)
    flow = _FlowReader(reader, version, catalogue, zone).read()
    structure = [found for found in reader.findings if found.code.startswith("Y")]
    if structure or flow is None:
        return None, structure or reader.findings
    return flow, reader.findings


class _FlowReader:
    def __init__(self, reader: Reader, version: int, catalogue: Catalogue, zone: ZoneInfo) -> None:
        self._reader = reader
        self._version = version
        self._catalogue = catalogue
        self._zone = zone
        self._wordings = Wordings(reader)

    def read(self) -> Flow | None:
        data = self._reader.document.data
        if "format" in data and data["format"] != 1:
            # Another format may have other fields: nothing else can be said of it.
            self._reader.note("Y06", ("format",), x=str(data["format"]))
            return None
        top = self._reader.fields(data, (), _FIELDS)
        if top is None:
            return None
        top.integer("format", must=True)
        name = top.slug("flow", must=True)
        title = self._wordings.read(top, "title", "title", must=True)
        lang = top.text("lang") or "ru"
        if len(lang) != 2 or not lang.isascii() or not lang.isalpha() or not lang.islower():
            top.wrong("lang")
        top.text("note")
        has_customer = top.text("contact", of=("customer", "none")) != "none"
        channels = self._channels(top, has_customer=has_customer)
        variables = self._variables(top)
        retry, silence, quiet_hours = self._defaults(top)
        steps = StepReader(
            self._reader,
            variables=variables,
            catalogue=self._catalogue,
            retry=retry,
            silence=silence,
            wordings=self._wordings,
        )
        interrupts = self._interrupts(top)
        start = self._start(top, variables)
        takes, returns = self._declared(top, "takes", variables), self._declared(top, "returns", variables)
        read_steps = steps.read(top)
        moves, moved = self._publish(top)
        tests = self._tests(top)
        if name is None or title is None or not read_steps:
            return None
        return Flow(
            name=name,
            version=self._version,
            title=title.own.text,
            lang=lang,
            has_customer=has_customer,
            channels=channels,
            is_callable=top.flag("callable"),
            takes=takes,
            returns=returns,
            start=start,
            variables=variables,
            retry=retry,
            silence=silence,
            quiet_hours=quiet_hours,
            interrupts=interrupts,
            steps=read_steps,
            moves=moves,
            moved=moved,
            tests=tests,
            wordings=self._wordings.all,
            document=self._reader.document,
        )

    def _channels(self, top: Fields, *, has_customer: bool) -> tuple[str, ...]:
        channels: list[str] = []
        for channel in top.texts("channels", must=has_customer):
            if channel in CHANNELS and channel not in channels:
                channels.append(channel)
            else:
                top.wrong("channels")
        if top.has("channels") and not channels and top.data["channels"] == []:
            top.wrong("channels")
        return tuple(channels)

    def _declared(self, top: Fields, name: str, variables: Mapping[str, Variable]) -> tuple[str, ...]:
        names: list[str] = []
        for index, value in enumerate(top.texts(name)):
            if value not in variables:
                self._reader.note("N05", (name, index), x=value)
            elif value not in names:
                names.append(value)
        return tuple(names)

    def _variables(self, top: Fields) -> dict[str, Variable]:
        variables: dict[str, Variable] = {}
        for name, fields in top.named("vars", ("type", "title", "scope", "pii", "max", "min", "of")):
            if name in RESERVED:
                self._reader.note("N11", fields.path, x=name)
            type_ = fields.text("type", must=True, of=FILLS) or "text"
            longest = {"text": 4000, "file_list": 10}.get(type_)
            smallest = None if type_ in ("number", "money") else 1
            variables[name] = Variable(
                name,
                type_,
                fields.path,
                title=fields.text("title"),
                is_contact=fields.text("scope", of=("dialog", "contact")) == "contact",
                pii=fields.flag("pii"),
                max=fields.integer("max", minimum=smallest, maximum=longest),
                min=fields.integer("min"),
                of=fields.integer("of", minimum=2, maximum=10),
            )
        return variables

    def _defaults(self, top: Fields) -> tuple[Retry | None, Silence | None, QuietHours | None]:
        defaults = top.inner("defaults", ("retry", "silence", "quiet_hours"))
        if defaults is None:
            return None, None, None
        quiet = None
        hours = defaults.inner("quiet_hours", ("from", "to"))
        if hours is not None:
            start = minute_of_day(hours.text("from", must=True) or "")
            end = minute_of_day(hours.text("to", must=True) or "")
            if start is None or end is None or start == end or max(start, end) == 24 * 60:
                if hours.has("from") and hours.has("to"):
                    defaults.wrong("quiet_hours")
            else:
                quiet = QuietHours(start, end, self._zone)
        return read_retry(defaults), read_silence(defaults, self._wordings, "defaults"), quiet

    def _interrupts(self, top: Fields) -> tuple[Interrupt, ...]:
        known = ("id", "text", "phrase", "command", "event", "if", "go", "next", "call", "with", "then")
        interrupts: dict[str, Interrupt] = {}
        for value, path in top.items("interrupts"):
            fields = self._reader.fields(value, path, known)
            if fields is None:
                continue
            name = fields.slug("id", must=True)
            texts, phrases = _normal(fields.texts("text")), _normal(fields.texts("phrase"))
            command, event = fields.slug("command"), fields.text("event")
            go, target, called = fields.text("go", of=("back", "restart")), fields.slug("next"), fields.slug("call")
            condition, params = fields.expression("if"), fields.expressions("with")
            if event is not None and event not in EVENTS:
                self._reader.note("I05", fields.at("event"), x=event)
            has_occasion = any(fields.has(occasion) for occasion in ("text", "phrase", "command", "event"))
            if not is_one_action(fields, _ACTS) or not has_occasion:
                two = place_of_two(fields, _ACTS)
                self._reader.note("F24", (*path, "id") if two == path else two, x=name or "")
            if name is None:
                continue
            if name in interrupts:
                self._reader.note("F02", (*path, "id"), x=name)
            interrupts[name] = Interrupt(
                id=name,
                path=path,
                texts=texts,
                phrases=phrases,
                command=command,
                event=event,
                condition=condition,
                act="call" if called else "next" if target else "back" if go == "back" else "restart",
                target=called or target,
                params=params,
            )
        return tuple(interrupts.values())

    def _start(self, top: Fields, variables: Mapping[str, Variable]) -> tuple[Start, ...]:
        entries: list[Start] = []
        for value, path in top.items("start"):
            fields = self._reader.fields(value, path, (*_OCCASIONS, "if", "take"))
            if fields is None:
                continue
            given = [occasion for occasion in _OCCASIONS if fields.has(occasion)]
            take: tuple[Assignment, ...] = fields.expressions("take")
            for name, _, where in take:
                if name not in variables:
                    self._reader.note("N05", where, x=name)
            command, event = fields.slug("command"), fields.text("event")
            texts = _normal(fields.texts("text"))
            condition = fields.expression("if")
            fields.only_true("first_message"), fields.only_true("any_message")
            if len(given) != 1:
                self._reader.note("Y04", path, x="start")
                continue
            if event is not None and event not in EVENTS:
                self._reader.note("I05", fields.at("event"), x=event)
            if given[0] == "command":
                entries.append(Start(path, "command", command=command, condition=condition, take=take))
            elif given[0] == "text":
                entries.append(Start(path, "text", texts=texts, condition=condition, take=take))
            elif given[0] == "event":
                entries.append(Start(path, "event", event=event, condition=condition, take=take))
            elif given[0] == "first_message":
                entries.append(Start(path, "first_message", condition=condition, take=take))
            else:
                entries.append(Start(path, "any_message", condition=condition, take=take))
        return tuple(entries)

    def _publish(self, top: Fields) -> tuple[bool, dict[str, str]]:
        publish = top.inner("publish", ("running", "moved"))
        if publish is None:
            return False, {}
        moves = publish.text("running", of=("keep", "move")) == "move"
        moved: dict[str, str] = {}
        for old, new, path in publish.text_map("moved"):
            if SLUG.fullmatch(old) and SLUG.fullmatch(new):
                moved[old] = new
            else:
                self._reader.note("Y04", path, x=old)
        return moves, moved

    def _tests(self, top: Fields) -> tuple[GoldenTest, ...]:
        tests: list[GoldenTest] = []
        for value, path in top.items("tests"):
            fields = self._reader.fields(value, path, ("name", "channel", "lang", "begins", "known", "chat"))
            if fields is None:
                continue
            name = fields.text("name", must=True)
            fields.text("channel", of=CHANNELS), fields.text("lang")
            read_chat(fields)
            if name is not None:
                tests.append(GoldenTest(name, path, value))
        return tuple(tests)


def _normal(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(normal(text) for text in texts)
