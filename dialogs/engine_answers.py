"""What a customer's message or press does to the dialog."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from dialogs.cleaning import clean, normal
from dialogs.engine_handoff import forward
from dialogs.engine_interrupts import act, find_interrupt, go_back, remember, repeat_question
from dialogs.engine_limits import DOUBLE_TAP, MAX_HELD, EventNotAccepted
from dialogs.engine_question import begin_silence, listed, listed_by_text, option_number, show, show_refusal
from dialogs.engine_turn import Place, Turn
from dialogs.engine_waits import take_message
from dialogs.engine_walk import go
from dialogs.events import ButtonPressed, File, MessageReceived
from dialogs.flow import Ask, Choice, Do, Wait
from dialogs.payload import Pressed, read_payload
from dialogs.program import Answer, Question
from dialogs.values import location_text, parse, phone_from_card


def on_message(turn: Turn, event: MessageReceived) -> None:
    """Raises EventNotAccepted."""
    turn.last_message_at = event.at
    turn.parked = False
    if turn.status == "handed_off":
        forward(turn, event)
    elif event.edits is not None:
        _edited(turn, event)
    else:
        _said(turn, event)


def _said(turn: Turn, event: MessageReceived) -> None:
    place = turn.top
    step = place.step
    if isinstance(step, Ask):
        answer(turn, place, place.program.questions[step.id], event)
    elif isinstance(step, Do):
        if len(turn.held) >= MAX_HELD:
            raise EventNotAccepted("too_many_held")
        turn.held.append(event)
        turn.decided.append("held")
    elif not (isinstance(step, Wait) and take_message(turn, event)):
        raise EventNotAccepted("no_question")


def _edited(turn: Turn, event: MessageReceived) -> None:
    """An edit changes no answer, but the last refused message may be put right."""
    place = turn.top
    step = place.step
    if not isinstance(step, Ask) or place.refused is None or place.refused != event.edits:
        raise EventNotAccepted("edit_recorded")
    answer(turn, place, place.program.questions[step.id], event)


def answer(turn: Turn, place: Place, question: Question, event: MessageReceived) -> None:
    """Option, interrupts, expected kinds, wrong answer: in this order."""
    if place.unasked:
        show(turn, place, question)
        return
    if is_unreadable(event):
        turn.send(place, turn.sentence("unsupported"))
        begin_silence(turn, place, question.ask)
        return
    text = clean(event.text) if event.text else ""
    if text and not event.files:
        if _typed_option(turn, place, question, text):
            return
        found = find_interrupt(turn, text)
        if found is not None:
            act(turn, *found)
            return
    values = _read(turn, question, event, text)
    if values and _is_valid(place, question.ask, values):
        turn.decided.append("answer:" + "+".join(values))
        for kind, value in values.items():
            variable = question.ask.stores.get(kind)
            if variable is not None:
                turn.store(place, variable, value)
        _answered(turn, place, question, "input", question.ask.next)
    else:
        _wrong(turn, place, question, event)


def is_unreadable(event: MessageReceived) -> bool:
    if event.unsupported:
        return True
    return bool(event.files) and not event.text and all(file.kind == "sticker" for file in event.files)


def _typed_option(turn: Turn, place: Place, question: Question, text: str) -> bool:
    if question.choice is None:
        return False
    written = normal(text)
    if question.ask.options_from is not None:
        value = listed_by_text(turn, place, question, written)
        if value is None:
            return False
        _take_listed(turn, place, question, value)
        return True
    typed = question.typed.get(turn.lang) or question.typed[place.program.flow.lang]
    option = typed.get(written)
    if option is None and question.number_counts:
        number = option_number(written, len(question.ask.options))
        option = question.ask.options[number - 1] if number is not None else None
    if option is None:
        return False
    _take_option(turn, place, question, option)
    return True


# ----------------------------------------------------------------------------------------------- expected kinds


def _read(turn: Turn, question: Question, event: MessageReceived, text: str) -> dict[str, Any]:
    """The values of a message by kind of answer; empty if none fits."""
    values: dict[str, Any] = {}
    if event.files:
        for kind in question.files:
            found = _files(event.files, kind)
            if found:
                values[kind.kind] = found
                break
    if event.location is not None and question.takes_location is not None:
        return {"location": location_text(event.location)}
    if event.card is not None and question.takes_card is not None:
        phone = phone_from_card(event.card.phones[0]) if event.card.phones else None
        return {"shared_contact": phone} if phone else {}
    if text:
        today = date.fromisoformat(turn.today())
        for written in question.written:
            value = parse(written.kind, text, max=written.max, min=written.min, of=written.of, today=today)
            if value is not None:
                values[written.kind] = value
                break
    return values


def _files(files: tuple[File, ...], answer_: Answer) -> list[dict[str, Any]]:
    wanted = [file for file in files if answer_.kind == "file" or _is_picture(file)]
    return [
        {"id": file.id, "kind": file.kind, "name": file.name, "mime": file.mime, "size": file.size}
        for file in wanted[: answer_.max]
    ]


def _is_picture(file: File) -> bool:
    return file.kind == "photo" or (file.kind == "file" and (file.mime or "").startswith("image/"))


def _is_valid(place: Place, ask: Ask, values: dict[str, Any]) -> bool:
    if ask.valid is None:
        return True
    place.scope.new = {ask.stores[kind]: value for kind, value in values.items() if kind in ask.stores}
    is_valid = ask.valid.evaluate(place.scope) is True
    place.scope.new = None
    return is_valid


# ------------------------------------------------------------------------------------------- what an answer leads to


def _answered(turn: Turn, place: Place, question: Question, trigger: str, target: str | None) -> None:
    ask = question.ask
    turn.last_press = None
    remember(place, ask.id)
    if place.edit is not None:
        origin = place.program.steps.get(place.edit)
        place.edit = None
        if isinstance(origin, Ask) and origin.edited is not None:
            go(turn, place, "edited", origin.edited)
            return
    go(turn, place, trigger, target or "")


def _take_option(turn: Turn, place: Place, question: Question, option: Choice) -> None:
    turn.decided.append(f"option:{option.id}")
    if option.is_back:
        go_back(turn)
        return
    ask = question.ask
    payload = turn.payload(place, ask) + option.id
    if question.choice is not None and question.choice.variable is not None:
        turn.store(place, question.choice.variable, option.id)
    if option.edit is not None and place.edit is None:
        remember(place, ask.id)
        place.edit = ask.id
        go(turn, place, f"option_{option.id}", option.edit)
    else:
        _answered(turn, place, question, f"option_{option.id}", option.next or ask.next)
    turn.last_press = (payload, turn.now)


def _take_listed(turn: Turn, place: Place, question: Question, value: object, payload: str | None = None) -> None:
    turn.decided.append("option:listed")
    variable = question.choice.variable if question.choice else None
    if variable is not None:
        turn.store(place, variable, _as_type(value, place.program.flow.variables[variable].type))
    _answered(turn, place, question, "input", question.ask.next)
    turn.last_press = (payload, turn.now) if payload else None


def _as_type(value: object, type_: str) -> object:
    """The id of a listed option as its variable wants it: a number from a text of digits, a text from a number."""
    if type_ == "number":
        if isinstance(value, str) and value.isascii() and value.removeprefix("-").isdigit() and len(value) <= 16:
            return int(value)
        return value
    return str(value) if isinstance(value, int) else value


def _wrong(turn: Turn, place: Place, question: Question, event: MessageReceived) -> None:
    ask = question.ask
    place.wrong += 1
    turn.decided.append(f"wrong:{place.wrong}")
    if ask.retry is not None and place.wrong >= ask.retry.max:
        turn.decided.append("gave_up")
        place.edit = None
        go(turn, place, "gave_up", ask.retry.then)
        return
    place.refused = event.message_id
    if place.templated:
        show(turn, place, question)  # only the template was seen: now the question itself
        return
    show_refusal(turn, place, question)
    begin_silence(turn, place, ask)


# ----------------------------------------------------------------------------------------------------------- presses


def on_press(turn: Turn, event: ButtonPressed) -> None:
    """Raises EventNotAccepted."""
    pressed = read_payload(event.payload)
    is_own = pressed is not None and pressed.dialog_id == turn.dialog.id
    if pressed is None or not (is_own or turn.status == "handed_off"):  # whose button it is, was asked before
        raise EventNotAccepted("foreign_button")
    turn.last_message_at = event.at
    turn.parked = False
    if turn.status == "handed_off":
        forward(turn, event)
    elif not _press_counts(turn, pressed, event.payload):
        _old_press(turn, event)


def _press_counts(turn: Turn, pressed: Pressed, payload: str) -> bool:
    place = turn.top
    step = place.step
    if not isinstance(step, Ask) or pressed.version != place.program.flow.version or pressed.step != step.index:
        return False
    question = place.program.questions[step.id]
    if step.options_from is not None:
        options = listed(turn, place, step.options_from)
        number = option_number(pressed.option.removeprefix("#"), len(options))
        if number is None or not pressed.option.startswith("#"):
            return False
        _take_listed(turn, place, question, options[number - 1][0], payload)
        return True
    if question.rating is not None and not step.options:
        stars = option_number(pressed.option, question.rating.of or 5)
        if stars is None:
            return False
        turn.decided.append(f"answer:rating={stars}")
        if question.rating.variable is not None:
            turn.store(place, question.rating.variable, stars)
        _answered(turn, place, question, "input", step.next)
        turn.last_press = (payload, turn.now)
        return True
    option = question.by_id.get(pressed.option)
    if option is None:
        return False
    _take_option(turn, place, question, option)
    return True


def _old_press(turn: Turn, event: ButtonPressed) -> None:
    if turn.last_press is not None and turn.last_press[0] == event.payload:
        passed = turn.now - turn.last_press[1]
        if timedelta(0) <= passed <= DOUBLE_TAP:
            raise EventNotAccepted("double_tap")
    if isinstance(turn.top.step, Do):
        turn.send(turn.top, turn.sentence("busy"))
        return
    turn.decided.append("old_button")
    turn.send(turn.top, turn.sentence("old_button"))
    repeat_question(turn)
