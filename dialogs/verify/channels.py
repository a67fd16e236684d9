"""What the channels of a flow cannot show: C01, C02, C03, C05, C06.

Known of a text is what it is without placeholders: values are shortened until the whole fits, the author's words are
not. Every language is measured; the findings of a translation are those of its file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dialogs.cleaning import normal
from dialogs.findings import Finding
from dialogs.flow import Ask, Flow, Handoff, Say, Silence, Step, Wording
from dialogs.reading import Document, Path
from dialogs.texts import Text
from dialogs.verify.limits import MAX_BUTTONS, limit_of, units
from dialogs.verify.noting import Noting

# As WhatsApp reads it: *bold*, _italic_, ~struck~, `code`. A lone sign is none ("5* hotel").
_MARKUP = re.compile(r"(?<!\w)([*_~`])(?=\S)[^\n]*?\S?\1(?!\w)")
_Worded = Callable[[Wording], tuple[Text, Path] | None]  # the text in one language, and where it is written


@dataclass(frozen=True, slots=True)
class _Measured:
    wording: Wording
    kind: str  # of CHANNEL_LIMITS
    step: str | None


def check(flow: Flow) -> list[Finding]:
    notes = Noting(flow.document)
    _check(flow, notes, lambda wording: (wording.own, wording.path))
    for step in flow.steps.values():
        if not isinstance(step, Ask):
            continue
        notes.step = step.id
        most = limit_of(flow.channels, "options")
        if most is not None and len(step.options) > most:
            notes.add("C02", (*step.path, "options"), n=len(step.options), m=most)
        if step.options_from is not None:
            source = step.options_from
            _length(source.title, (*source.path, "title"), "row", flow, notes)
            _form(source.title, (*source.path, "title"), notes, has_values=True)
            if source.about is not None:
                _length(source.about, (*source.path, "about"), "about", flow, notes)
    return notes.findings


def check_translation(document: Document, flow: Flow) -> list[Finding]:
    lang, written = str(document.data["lang"]), document.data["texts"]

    def worded(wording: Wording) -> tuple[Text, Path] | None:
        if wording.key not in written or lang not in wording.others:
            return None
        return wording.others[lang], ("texts", wording.key)

    notes = Noting(document)
    _check(flow, notes, worded)
    return notes.findings


def _check(flow: Flow, notes: Noting, worded: _Worded) -> None:
    for measured in _measured(flow):
        found = worded(measured.wording)
        if found is not None:
            notes.step = measured.step
            _length(*found, measured.kind, flow, notes)
            if measured.kind in ("button", "row", "list_button"):
                _form(*found, notes, has_values=measured.kind == "list_button")
            elif measured.kind == "about" and _has_brackets(found[0]):
                notes.add("C06", found[1], x=found[0].text)
    for step in flow.steps.values():
        if isinstance(step, Ask):
            notes.step = step.id
            _equal_titles(step, notes, worded)


def _equal_titles(step: Ask, notes: Noting, worded: _Worded) -> None:
    """Alike as they are compared with what people type: one of them could not be chosen in writing."""
    seen: set[str] = set()
    for option in step.options:
        found = worded(option.title)
        if found is not None:
            title = normal(found[0].text)
            if title in seen:
                notes.add("C05", found[1], x=found[0].text)
            seen.add(title)


# ------------------------------------------------------------------------------------------------------------- measure


def _measured(flow: Flow) -> Iterator[_Measured]:
    yield from _of_silence(flow.silence, None)
    for step in flow.steps.values():
        yield from _of_step(step, flow)


def _of_step(step: Step, flow: Flow) -> Iterator[_Measured]:
    if isinstance(step, Say):
        yield _Measured(step.text, "text", step.id)
    elif isinstance(step, Handoff):
        yield _Measured(step.open_say, "text", step.id)
        yield _Measured(step.closed_say, "text", step.id)
    elif isinstance(step, Ask):
        yield from _of_question(step)
        if step.silence is not flow.silence:
            yield from _of_silence(step.silence, step.id)


def _of_question(step: Ask) -> Iterator[_Measured]:
    has_buttons = step.options or step.options_from or step.quick or "rating" in step.expect
    kind = "question" if has_buttons else "text"
    yield _Measured(step.text, kind, step.id)
    if step.invalid is not None:
        yield _Measured(step.invalid, kind, step.id)  # the buttons are offered again
    if step.button is not None:
        yield _Measured(step.button, "list_button", step.id)
    is_list = len(step.options) > MAX_BUTTONS or any(option.about for option in step.options)
    for option in step.options:
        yield _Measured(option.title, "row" if is_list else "button", step.id)
        if option.about is not None:
            yield _Measured(option.about, "about", step.id)


def _of_silence(silence: Silence | None, step: str | None) -> Iterator[_Measured]:
    for reminder in silence.reminders if silence is not None else ():
        yield _Measured(reminder.text, "text", step)


def _length(text: Text, path: Path, kind: str, flow: Flow, notes: Noting) -> None:
    limit = limit_of(flow.channels, kind)
    if limit is None or len(text.text) * 2 <= limit:  # a character is two units at most
        return
    known = text.known
    length = units(known)
    if length > limit:
        if kind in ("text", "question"):
            notes.add("C03", path, n=length, m=limit)
        else:
            notes.add("C01", path, x=known, n=length, m=limit)


def _form(text: Text, path: Path, notes: Noting, *, has_values: bool) -> None:
    """C06. Titles of written options are compared with what people type, so a placeholder in one is never filled."""
    title = text.text
    is_bare = title == title.strip() and "\n" not in title and "\r" not in title and not _MARKUP.search(title)
    if not is_bare or (not has_values and _has_brackets(text)):
        notes.add("C06", path, x=title)


def _has_brackets(text: Text) -> bool:
    return not text.is_broken and ("{" in text.text or "}" in text.text)  # of a broken one N04 was said
