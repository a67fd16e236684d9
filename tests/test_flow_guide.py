"""The guide for flow authors, followed to the letter: its files are written, its commands are typed, its tables asked.

Both documents are walked from top to bottom in a folder of their own, as a reader would: a block of YAML becomes the
file that its first line names, a block of commands is run, and the block after it is what the commands must print.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from structlog.testing import capture_logs

from bot.catalogue import catalogue
from bot.cli import main
from bot.flow_store import read_folder
from bot.statistics import Statistics
from dialogs.business_events import COMMON_FIELDS, EVENTS
from dialogs.expressions import FUNCTIONS, RESERVED, MappingScope
from dialogs.findings import RULES
from dialogs.flow import ANSWERS, FILLS, KINDS
from dialogs.golden import load_and_test
from dialogs.reading import read
from dialogs.texts import FILTERS, compile_text
from dialogs.values import parse
from tests.conversations.people import World
from tests.stage import sqlite_url, staged

DOCS = Path(__file__).parent.parent / "docs"
BUILT_IN = Path(__file__).parent.parent / "dialogs" / "flows"
GUIDES = {"ru": DOCS / "flows.ru.md", "en": DOCS / "flows.md"}
LANGS = tuple(GUIDES)
ZONE = "Europe/Moscow"
MONDAY = date(2026, 3, 2)

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
_PLACE = re.compile(r"# (?P<what>file|файл|change|правка|part of|часть файла): (?P<path>[\w./-]+)\n")
_WHAT = {"файл": "file", "правка": "change", "часть файла": "part of"}
_CYRILLIC = re.compile("[А-Яа-яЁё]")
# Commands that are the reader's own, and what we do for them.
_BY_HAND = (
    "make setup\nsource .venv/bin/activate\n",
    "mkdir lessons\n",
    "make demo\n",
    "export DATABASE_URL=sqlite+aiosqlite:///var/demo/demo.db\npython -m bot flows publish lessons\n",
    "cp -r shop draft\n",
)
_OF_TALKS = ("dialogs show", "flows stats", "flows replay")  # asked of the database of talks that were really led


@dataclass(frozen=True)
class Block:
    kind: str
    text: str
    what: str = ""  # file, change, part of
    path: str = ""


def guide(lang: str) -> str:
    return GUIDES[lang].read_text("utf-8")


def blocks(lang: str) -> list[Block]:
    found = []
    for kind, text in _BLOCK.findall(guide(lang)):
        place = _PLACE.match(text) if kind == "yaml" else None
        if place is not None:
            what = _WHAT.get(place["what"], place["what"])
            found.append(Block(kind, text[place.end() :], what, place["path"]))
        else:
            found.append(Block(kind, text))
    return found


def is_wrong(path: str) -> bool:
    """An example of what not to do: the command that follows says what is wrong with it."""
    return path.startswith("wrong-")


# ------------------------------------------------------------------------------------------------------ the reader


@dataclass
class Reader:
    """Somebody who does what the guide says."""

    folder: Path
    files: list[str] = field(default_factory=list)

    def write(self, block: Block) -> None:
        path = self.folder / block.path
        path.parent.mkdir(exist_ok=True)
        path.write_text(block.text, encoding="utf-8")
        self.files.append(block.path)

    def change(self, block: Block) -> None:
        """Replace the step of the file that has the id of the one in the block."""
        path = self.folder / block.path
        lines, new = path.read_text("utf-8").split("\n"), block.text.rstrip("\n").split("\n")
        begin = lines.index(new[0])
        end = begin + 1
        while end < len(lines) and (not lines[end] or lines[end].startswith("   ")):
            end += 1
        while not lines[end - 1]:
            end -= 1
        lines[begin:end] = new
        path.write_text("\n".join(lines), encoding="utf-8")

    def files_with(self, block: Block) -> dict[str, bytes]:
        """The folder as it would be with the fields of the block in the file."""
        folder, _, name = block.path.partition("/")
        files = read_folder(self.folder / folder)
        data = read(files[name], file=name).data
        for key, value in read(block.text, file=name).data.items():
            if key == "steps":
                news = {step["id"]: step for step in value}
                value = [news.get(step["id"], step) for step in data["steps"]]
            data[key] = {**data.get(key, {}), **value} if isinstance(value, dict) else value
        return files | {name: json.dumps(data, ensure_ascii=False).encode()}


def typed(command: str, folder: Path, **variables: str) -> str:
    """What `python -m bot …` prints, in `folder`."""
    said = io.StringIO()
    kept = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    arguments = re.findall(r'"([^"]*)"|(\S+)', command.removeprefix("python -m bot "))
    with (
        patch.dict(os.environ, {**kept, "DATABASE_URL": sqlite_url(folder), **variables}, clear=True),
        contextlib.chdir(folder),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
        pytest.raises(SystemExit) as ended,
    ):
        main([quoted or plain for quoted, plain in arguments])
    printed = said.getvalue()
    assert "Traceback" not in printed
    found_something = " diff " in command or " replay " in command or "error:" in printed or "FAIL" in printed
    assert bool(ended.value.code) == found_something, printed
    return printed


def as_printed(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip("\n").split("\n")]


@pytest.fixture(scope="module", params=LANGS)
def walked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Reader]:
    """The guide followed from the first block to the last; what happens on the way is asserted on the way."""
    lang = str(request.param)
    reader = Reader(tmp_path_factory.mktemp(f"guide-{lang}"))
    found = blocks(lang)
    for block, after in zip(found, [*found[1:], Block("", "")], strict=True):
        if block.what == "file":
            reader.write(block)
            if not is_wrong(block.path):
                assert_clean(read_folder((reader.folder / block.path).parent), block.path)
        elif block.what == "change":
            reader.change(block)
        elif block.what == "part of":
            loaded, _ = load_and_test(reader.files_with(block), catalogue(), timezone=ZONE)
            assert [f for f in loaded.findings if f.severity == "error"] == [], block.text
        elif block.kind == "sh" and block.text == "cp -r shop draft\n":
            shutil.copytree(reader.folder / "shop", reader.folder / "draft")
        elif block.kind == "sh" and block.text not in _BY_HAND and not any(one in block.text for one in _OF_TALKS):
            printed = "".join(typed(line, reader.folder) for line in block.text.splitlines())
            if after.kind == "text":
                assert as_printed(printed) == as_printed(after.text), block.text
            elif "flows check" in block.text:
                assert printed == ""
    return lang, reader


def assert_clean(files: Mapping[str, bytes], path: str) -> None:
    loaded, results = load_and_test(files, catalogue(), timezone=ZONE)
    assert loaded.findings == (), path
    assert [result for result in results if not result.ok] == [], path


def test_a_reader_who_does_what_the_guide_says_gets_what_it_shows(walked: tuple[str, Reader]) -> None:
    lang, reader = walked
    assert len([name for name in reader.files if not is_wrong(name)]) >= 15
    assert [block for block in blocks(lang) if block.kind == "yaml" and not block.path] == []
    assert {block.kind for block in blocks(lang)} == {"yaml", "sh", "text"}


def test_every_flow_of_the_guide_has_golden_tests_for_all_its_steps(walked: tuple[str, Reader]) -> None:
    lang, reader = walked
    assert typed(f"python -m bot flows check lessons shop --lang {lang}", reader.folder) == ""
    for name in reader.files:
        if not is_wrong(name):
            data = read((reader.folder / name).read_bytes(), file=name).data
            assert "flow" not in data or data["tests"], name


def test_wrong_examples_are_shown_with_what_the_check_says(walked: tuple[str, Reader]) -> None:
    lang, reader = walked
    for folder in sorted({name.partition("/")[0] for name in reader.files if is_wrong(name)}):
        assert re.search(rf"python -m bot flows (check|test) {folder}\b", guide(lang)), folder


# ------------------------------------------------------------------------------------------- talks that were really led

SAID = {
    "ru": ("Анна", "шумит вентилятор", "не включается", "Что случилось", "Как к вам", "Ваш телефон", "Номер заявки"),
    "en": ("Anna", "the fan is noisy", "does not start", "What happened", "What is", "Your phone", "request is"),
}


async def led(lang: str, flows: Path, url: str) -> tuple[dict[str, str], int]:
    """Anna makes a request, Boris says nothing, Clara hides her name. Returns the settings and Anna's dialog."""
    name, noisy, dead, what, who, phone, number = SAID[lang]
    async with staged(url, {"FLOWS_DIR": str(flows)}) as stage:
        world = World(stage, "telegram")
        anna, boris, clara = world.person(name), world.person("Boris"), world.person("Clara")
        for says, hears in (("/start", what), (noisy, who), (name, phone), ("89123456789", number)):
            await anna.says(says)
            await anna.hears(hears)
        await boris.says("/start")
        await boris.hears(what)
        for says, hears in (("/start", what), (dead, who)):
            await clara.says(says)
            await clara.hears(hears)
        for says in ("1", "2", "3"):
            await clara.says(says)
        await stage.quiet()
        statistics = Statistics(stage.database, clock=stage.service.clock)
        while await statistics.add():
            pass
        rows = await stage.rows("select min(id) from dialogs")
        return {**stage.environment, "CLOCK_OFFSET_SECONDS": str(stage.offset_s)}, int(rows[0][0])


def shape(printed: str) -> list[str]:
    """Without numbers, times, and the width of columns; without goals, which stand below a funnel."""
    lines = [re.sub(r"\s+", " ", re.sub(r"\d+|(?<=\s)-(?=\s)", "#", line)).strip() for line in as_printed(printed)]
    return sorted(line for line in lines if line and not line.startswith("goal "))


def test_what_is_told_of_real_talks_looks_as_in_the_guide(walked: tuple[str, Reader], tmp_path: Path) -> None:
    lang, reader = walked
    settings, dialog = asyncio.run(led(lang, reader.folder / "shop", sqlite_url(tmp_path)))
    found = blocks(lang)
    asked = [
        (block.text.strip(), after.text)
        for block, after in pairwise(found)
        if block.kind == "sh" and any(one in block.text for one in _OF_TALKS)
    ]
    assert [next(one for one in _OF_TALKS if one in command) for command, _ in asked] == [_OF_TALKS[0], *_OF_TALKS]
    for command, shown in asked:
        command = re.sub(r"(dialogs show) \d+", rf"\1 {dialog}", command)
        with patch("bot.cli_flows_replay.set_up_logs"), capture_logs():  # the logs of this process stay as they are
            assert shape(typed(command, reader.folder, **settings)) == shape(shown), command


# ------------------------------------------------------------------------------------------------------- both languages


def same_texts(one: object, other: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Places where two examples differ in more than the language of their texts."""
    if isinstance(one, dict) and isinstance(other, dict):
        if one.keys() - {"lang"} != other.keys() - {"lang"}:
            yield path
        for key in one.keys() & other.keys():
            yield from same_texts(one[key], other[key], (*path, key))
    elif isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            yield path
        for index, (first, second) in enumerate(zip(one, other, strict=False)):
            yield from same_texts(first, second, (*path, index))
    elif isinstance(one, str) and isinstance(other, str):
        names = [set(re.findall(r"\{([\w.\[\]]+)", text)) for text in (one, other)]
        is_text = bool(_CYRILLIC.search(one)) is not bool(_CYRILLIC.search(other)) or {one, other} == {"ru", "en"}
        if names[0] != names[1] or (one != other and not is_text):
            yield path
    elif one != other:
        yield path


def test_both_guides_have_the_same_examples() -> None:
    first, second = ([block for block in blocks(lang) if block.kind == "yaml"] for lang in LANGS)
    for one, other in zip(first, second, strict=True):
        assert (one.what, one.path) == (other.what, re.sub(r"\.ru\.yaml$", ".en.yaml", other.path))
        if one.path != "wrong-quotes/hello.yaml":  # that cannot be read
            first_data, second_data = (read(_whole(block), file=block.path).data for block in (one, other))
            assert list(same_texts(first_data, second_data)) == [], one.path


def _whole(block: Block) -> str:
    return f"steps:\n{block.text}" if block.what == "change" else block.text


def test_both_guides_type_the_same_commands() -> None:
    def commands(lang: str) -> list[str]:
        return [re.sub(r" --lang \w\w| --note \"[^\"]*\"", "", b.text) for b in blocks(lang) if b.kind == "sh"]

    assert commands("ru") == commands("en")


def headings(lang: str) -> list[str]:
    return re.findall(r"^(#+) ", _BLOCK.sub("", guide(lang)), re.M)


def test_both_guides_have_the_same_chapters_tables_and_decisions() -> None:
    assert headings("ru") == headings("en")
    for mark in (r"^\|", r"^\d+\. ", r"^- ", r"\*\*[^*]+\*\*", r"^!\["):
        counted = {len(re.findall(mark, _BLOCK.sub("", guide(lang)), re.M)) for lang in LANGS}
        assert len(counted) == 1, mark


# ------------------------------------------------------------------------------------------------------- the reference

TABLES = ("kinds", "answers", "filters", "functions", "events", "actions", "findings")


def table(lang: str, name: str) -> list[list[str]]:
    """The rows of a table of the reference."""
    chapters = re.split(r"^## ", _BLOCK.sub("", guide(lang)), flags=re.M)
    reference = next(chapter for chapter in chapters if chapter.startswith(("Справочник", "Reference")))
    part = reference.split("\n### ")[1 + TABLES.index(name)]
    rows = [line.strip("|\n ").split(" | ") for line in part.splitlines() if line.startswith("|")]
    return rows[2:]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


@pytest.mark.parametrize("lang", LANGS)
def test_the_reference_has_everything_there_is(lang: str) -> None:
    assert [names(row[0])[0] for row in table(lang, "kinds")] == list(KINDS)
    assert {names(row[0])[0] for row in table(lang, "answers")} == ANSWERS
    assert [names(row[0])[0].partition(":")[0] for row in table(lang, "filters")] == list(FILTERS)
    assert {names(row[0])[0].partition("(")[0] for row in table(lang, "functions")} == set(FUNCTIONS)
    assert {names(row[0])[0] for row in table(lang, "events")} == set(EVENTS)
    assert {names(row[0])[0] for row in table(lang, "actions")} == set(catalogue())
    for row in table(lang, "events"):
        assert set(names(row[2])) | set(COMMON_FIELDS) == set(EVENTS[names(row[0])[0]])
    for row in table(lang, "actions"):
        spec = catalogue()[names(row[0])[0]]
        assert row[2] in (("да", "yes") if spec.writes else ("нет", "no"))
        assert set(names(row[3])) == set(spec.parameters)
        required = {name for name, parameter in spec.parameters.items() if parameter.required}
        assert set(re.findall(r"`(\w+)`\*", row[3])) == required
        assert set(names(row[4])) == set(spec.result)


@pytest.mark.parametrize("lang", LANGS)
def test_answers_are_understood_as_the_reference_says(lang: str) -> None:
    tried = 0
    for row in table(lang, "answers"):
        kind, *type_ = names(row[0])
        assert kind in FILLS[type_[0] if type_ else kind]
        for written, stored in re.findall(r"`([^`]+)` → `([^`]+)`", row[1]):
            if kind != "choice":
                assert str(parse(kind, written, today=MONDAY)) == stored, (kind, written)
                tried += 1
    assert tried >= 20


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("money", "1,500"),
        ("number", "5 лет"),
        ("number", "5 years"),
        ("phone", "89123456789, +79990001122"),
        ("date", "tomorrow"),
        ("date", "15 March"),
        ("rating", "five"),
    ],
)
def test_what_the_reference_calls_not_understood_is_not(kind: str, text: str) -> None:
    assert parse(kind, text, today=MONDAY) is None


@pytest.mark.parametrize("lang", LANGS)
def test_filters_do_what_the_reference_says(lang: str) -> None:
    for row in table(lang, "filters"):
        name = names(row[0])[0]
        if name != "title":
            was = names(row[1])
            value: object = None if not was else int(was[0]) if was[0].isdigit() else was[0]
            shown = compile_text(f"{{x|{name}}}").render(MappingScope({"x": value}, ""), lang=lang)
            assert shown.replace("\u00a0", " ") == names(row[2])[0], name


@pytest.mark.parametrize("lang", LANGS)
def test_the_reference_quotes_the_check(lang: str) -> None:
    for code, sentence, _ in table(lang, "findings"):
        said = RULES[code].ru if lang == "ru" else RULES[code].en
        assert sentence == said.format(x="x", y="y", n="N", m="M"), code
    shown = {code for code, _, _ in table(lang, "findings")}
    printed = "\n".join(block.text for block in blocks(lang) if block.kind == "text")
    assert set(re.findall(r"\b([A-Z]\d\d) (?:error|warning):", printed)) <= shown


@pytest.mark.parametrize("lang", LANGS)
def test_names_that_are_always_there_are_those_of_the_language(lang: str) -> None:
    line = next(line for line in guide(lang).splitlines() if "`dialog.id`, `dialog.flow`" in line)
    assert {name.partition(".")[0] for name in names(line)} - {"event", "result", "item"} <= RESERVED


# --------------------------------------------------------------------------------------------------------- the pictures


@pytest.mark.parametrize("name", ["booking", "request", "lead"])
def test_the_pictures_are_what_the_command_draws_now(name: str, walked: tuple[str, Reader], tmp_path: Path) -> None:
    lang, reader = walked
    source = BUILT_IN / "lead.yaml" if name == "lead" else reader.folder / "shop" / f"{name}.yaml"
    drawn = tmp_path / f"{name}.svg"
    typed(f'python -m bot flows draw "{source}" --output "{drawn}" --lang {lang}', tmp_path)
    kept = DOCS / "flows" / f"{name}.{lang}.svg"
    assert f"(flows/{kept.name})" in guide(lang)
    assert drawn.read_text("utf-8") == kept.read_text("utf-8"), f"cp {drawn} {kept}"


# ---------------------------------------------------------------------------------------------------------- decisions

_RUDE = """
format: 1
flow: rude
title: "Решения"
channels: [telegram]
start: [{text: ["слово"]}]
vars:
  picked: {type: choice}
defaults:
  retry: {max: 2, then: done}
  silence:
    remind: [{after: 5m, say: "Напоминаю"}]
    close: {after: 2h, next: done}
interrupts:
  - {id: stop, text: ["стоп"], next: done}
steps:
  - id: any
    ask: "Что угодно"
    expect: text
  - id: choose
    ask: "Выберите"
    into: picked
    options:
      - {id: halt, title: "Стоп"}
    expect: text
    valid: "false"
    invalid: "Так не годится"
  - id: quiet
    ask: "Тихо"
    expect: text
    silence: {close: {after: 1h, next: done}}
  - id: done
    end: ok
tests:
  - name: "4, 7, 3, 8, 6"
    chat:
      - {in: "слово", at: any}
      - {in: "слово", out: ["Выберите"], vars: {picked: null}}
      - {in: "стоп!", out: ["Тихо"], vars: {picked: halt}}
      - {pass: 59m, silent: true, at: quiet}
      - {pass: 1m, silent: true, ends: ok}
  - name: "2"
    chat:
      - {in: "слово"}
      - {in: "что-то"}
      - {in: "нет", out: ["Так не годится"]}
      - {in: "нет", silent: true, ends: ok}
"""


def test_decisions_on_questions_are_what_the_engine_does() -> None:
    loaded, results = load_and_test({"rude.yaml": _RUDE.encode()}, catalogue(), timezone=ZONE)
    assert [found.code for found in loaded.findings] == ["F20"]
    assert [(result.name, result.expected, result.got) for result in results if not result.ok] == []
    buttons_only = re.sub(r"defaults:.*?steps", "steps", _RUDE, flags=re.S).replace(
        "    expect: text\n    valid", "    valid"
    )
    loaded, _ = load_and_test({"rude.yaml": buttons_only.encode()}, catalogue(), timezone=ZONE)
    assert {"F10", "F11"} <= {found.code for found in loaded.findings if found.step == "choose"}


def test_decisions_on_publishing_are_what_the_command_does(walked: tuple[str, Reader], tmp_path: Path) -> None:
    _, reader = walked
    folder = tmp_path / "shop"
    shutil.copytree(reader.folder / "shop", folder)
    flows = {name.partition(".")[0] for name in os.listdir(folder) if name.count(".") == 1} - {"project"}
    published = typed("python -m bot flows publish shop/price.yaml", tmp_path)
    assert published.split("\n")[:-1] == [f"{flow} version 1 (new)" for flow in sorted(flows)]

    (folder / "booking.yaml").unlink()
    project = (folder / "project.yaml").read_text("utf-8")
    (folder / "project.yaml").write_text(project.replace("10:00-18:00", "10:00-17:00"), encoding="utf-8")
    published = typed("python -m bot flows publish shop", tmp_path)
    assert published.count("version 2 (new)") == len(flows) - 1
    live = typed("python -m bot flows list", tmp_path)
    assert re.search(r"^booking +version 1$", live, re.M)


def test_a_flow_is_switched_off_as_the_guide_says(walked: tuple[str, Reader], tmp_path: Path) -> None:
    _, reader = walked
    folder = tmp_path / "lessons"
    shutil.copytree(reader.folder / "lessons", folder)
    hello = (folder / "hello.yaml").read_text("utf-8")
    off = hello.replace("start: [{command: hello}]", "callable: true").replace('{in: "/hello", ', "{begin: {}, ")
    (folder / "hello.yaml").write_text(off, encoding="utf-8")
    assert_clean(read_folder(folder), "lessons/hello.yaml")
