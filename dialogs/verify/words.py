"""The words of a flow's interrupts: F19, F20, F21, F26 of interrupts."""

from __future__ import annotations

from collections.abc import Iterator

from dialogs.cleaning import normal
from dialogs.commands import command_of
from dialogs.findings import Finding
from dialogs.flow import Ask, Flow, Interrupt
from dialogs.reading import Path
from dialogs.verify.noting import Noting


def check(flow: Flow) -> list[Finding]:
    notes = Noting(flow.document)
    owners: dict[str, Interrupt] = {}
    events: set[str] = set()  # that an interrupt without `if` takes
    for interrupt in flow.interrupts:
        for word, path in _words(interrupt):
            if owners.setdefault(word, interrupt) is not interrupt:
                notes.add("F19", path, x=word)
        for index, phrase in enumerate(interrupt.phrases):
            if len(phrase.split()) == 1:
                notes.add("F21", (*interrupt.path, "phrase", index), x=phrase)
        if interrupt.event is not None:
            if interrupt.event in events:
                notes.add("F26", (*interrupt.path, "event"))
            if interrupt.condition is None:
                events.add(interrupt.event)
    for step in flow.steps.values():
        if isinstance(step, Ask):
            notes.step = step.id
            _buttons(step, owners, notes)
    return notes.findings


def _words(interrupt: Interrupt) -> Iterator[tuple[str, Path]]:
    if interrupt.command is not None:
        yield f"/{interrupt.command}", (*interrupt.path, "command")
    for index, text in enumerate(interrupt.texts):
        yield text, (*interrupt.path, "text", index)
    for index, phrase in enumerate(interrupt.phrases):
        yield phrase, (*interrupt.path, "phrase", index)


def _buttons(step: Ask, owners: dict[str, Interrupt], notes: Noting) -> None:
    """A title that is typed means the option, never the command. «Назад» that goes back means the same either way."""
    for option in step.options:
        title = option.title.own.text
        command = command_of(title.strip())
        owner = owners.get(f"/{command[0]}" if command else normal(title))
        if owner is not None and not (option.is_back and owner.act == "back"):
            notes.add("F20", option.title.path, x=title)
