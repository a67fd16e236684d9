"""Asking: the message of an `ask` step, its options, and the silence that begins with it."""

from __future__ import annotations

from datetime import datetime

from dialogs.cleaning import normal
from dialogs.effects import Option
from dialogs.engine_limits import WINDOW
from dialogs.engine_turn import STEP_TIMERS, Place, Turn
from dialogs.flow import Ask, ChoicesFrom, Reminder, Silence
from dialogs.hours import QuietHours
from dialogs.program import Question

# Characters of a message body, whose values are shortened to fit (FLOWS.md sections 5 and 13).
_TEXT_LIMIT = 4096
_WHATSAPP_LIMIT_WITH_OPTIONS = 1024


def show(turn: Turn, place: Place, question: Question) -> None:
    """Ask the question of a place, for the first time or again. Silence is counted from now."""
    ask, program, scope = question.ask, place.program, place.scope
    options = options_of(turn, place, question)
    template = program.template(ask.template, scope)
    limit = text_limit(turn, has_options=bool(options))
    text = ask.text.by(turn.lang).render(scope, lang=turn.lang, titles=program.titles(turn.lang), limit=limit)
    turn.parked = place.unasked = False
    place.templated = template is not None and is_window_closed(turn)
    turn.send(
        place,
        text,
        options=options,
        template=template,
        button=_button(turn, place, ask) if options else None,
        quick=ask.quick,
        media=ask.media,
        is_question=True,
    )
    begin_silence(turn, place, ask)


def show_refusal(turn: Turn, place: Place, question: Question) -> None:
    """Answer a wrong answer; the options are offered again."""
    ask = question.ask
    if ask.invalid is None:
        text = turn.sentence("not_understood")
    else:
        text = ask.invalid.by(turn.lang).render(
            place.scope, lang=turn.lang, titles=place.program.titles(turn.lang), limit=text_limit(turn)
        )
    options = options_of(turn, place, question)
    turn.send(place, text, options=options, button=_button(turn, place, ask) if options else None, quick=ask.quick)


def text_limit(turn: Turn, *, has_options: bool = False) -> int:
    return _WHATSAPP_LIMIT_WITH_OPTIONS if has_options and turn.dialog.channel == "whatsapp" else _TEXT_LIMIT


def is_window_closed(turn: Turn) -> bool:
    if turn.dialog.channel != "whatsapp":
        return False
    return turn.last_message_at is None or turn.now - turn.last_message_at > WINDOW


def _button(turn: Turn, place: Place, ask: Ask) -> str:
    if ask.button is None:
        return turn.sentence("choose")
    return ask.button.by(turn.lang).render(place.scope, lang=turn.lang)


# ---------------------------------------------------------------------------------------------------------- options


def options_of(turn: Turn, place: Place, question: Question) -> tuple[Option, ...]:
    ask = question.ask
    if ask.options:
        payload, lang = turn.payload(place, ask), turn.lang
        return tuple(
            [
                Option(
                    option.id,
                    option.title.by(lang).text,
                    payload + option.id,
                    option.about.by(lang).text if option.about is not None else None,
                )
                for option in ask.options
            ]
        )
    if ask.options_from is not None:
        payload = turn.payload(place, ask)
        return tuple(
            [
                Option(str(value), title, f"{payload}#{number}", about)
                for number, (value, title, about) in enumerate(listed(turn, place, ask.options_from), start=1)
            ]
        )
    if question.rating is not None:
        payload = turn.payload(place, ask)
        best = question.rating.of or 5
        return tuple([Option(str(stars), str(stars), f"{payload}{stars}") for stars in range(1, best + 1)])
    return ()


def listed(turn: Turn, place: Place, source: ChoicesFrom) -> list[tuple[object, str, str | None]]:
    """(value, title, about) of the options made of a list; elements without an id are left out."""
    scope, lang = place.scope, turn.lang
    items = scope.lookup((source.variable,))
    found: list[tuple[object, str, str | None]] = []
    for item in items if isinstance(items, list | tuple) else ():
        scope.item = item
        value = source.id.evaluate(scope)
        if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
            titles = place.program.titles(lang)
            title = source.title.render(scope, lang=lang, titles=titles)
            about = source.about.render(scope, lang=lang, titles=titles) if source.about else None
            found.append((value, title or str(value), about or None))
        if len(found) == source.limit:
            break
    scope.item = None
    return found


def listed_by_text(turn: Turn, place: Place, question: Question, written: str) -> object | None:
    """The value of the listed option whose title, or number, is `written` (in normal form)."""
    source = question.ask.options_from
    if source is None:
        return None
    options = listed(turn, place, source)
    for value, title, _ in options:
        if normal(title) == written:
            return value
    if question.number_counts:
        number = option_number(written, len(options))
        if number is not None:
            return options[number - 1][0]
    return None


def option_number(written: str, count: int) -> int | None:
    """A typed number of an option, from 1."""
    if len(written) <= 2 and written.isascii() and written.isdigit() and 1 <= int(written) <= count:
        return int(written)
    return None


# ---------------------------------------------------------------------------------------------------------- silence


def begin_silence(turn: Turn, place: Place, ask: Ask) -> None:
    """Count silence from now."""
    place.since = turn.now
    place.reminded = 0
    await_silence(turn, place, ask)


def await_silence(turn: Turn, place: Place, ask: Ask) -> None:
    """Set the timer to the next reminder or to the close. Without a close (a flow with an error) there is none."""
    if ask.silence is None or place.since is None:
        return
    due = next_of_silence(ask.silence, place.program.flow.quiet_hours, place.since, place.reminded)
    if due is not None:
        turn.set_timer(STEP_TIMERS[place.level], due[0])


def next_of_silence(
    silence: Silence, quiet_hours: QuietHours | None, since: datetime, reminded: int
) -> tuple[datetime, Reminder | None] | None:
    """What comes next, and when: a reminder, or None for the close. `reminded` reminders were there before."""
    closes = since + silence.close.after if silence.close else None
    if reminded < len(silence.reminders):
        reminder = silence.reminders[reminded]
        due = since + reminder.after
        if quiet_hours is not None:
            due = quiet_hours.moved(due)
        # Reminders only grow: when this one comes too late, so do the others.
        if closes is None or due < closes:
            return due, reminder
    return (closes, None) if closes is not None else None
