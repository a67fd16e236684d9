"""The words of a picture, for people who never programmed. Russian and English."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

_WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "start": ("начало", "start"),
        "interrupts": ("в любой момент", "at any moment"),
        "say": ("сообщение", "message"),
        "ask": ("вопрос", "question"),
        "branch": ("развилка", "choice"),
        "set": ("запись", "note"),
        "do": ("действие", "action"),
        "wait": ("ожидание", "waiting"),
        "call": ("другой поток", "other flow"),
        "handoff": ("человек", "a person"),
        "end": ("конец", "end"),
        "missing": ("нет такого шага", "no such step"),
        "first_message": ("первое сообщение человека", "a person's first message"),
        "any_message": ("любое сообщение", "any message"),
        "called": ("из другого потока", "from another flow"),
        "called_params": ("из другого потока, с: {x}", "from another flow, with: {x}"),
        "nobody_begins": ("никто не начнёт", "nobody begins it"),
        "more": ("ещё {x}", "{x} more"),
        "answer": ("ответ", "an answer"),
        "picks": ("выбор из списка", "a choice from the list"),
        "retry": ("{x} неверных ответа", "{x} wrong answers"),
        "retry_1": ("{x} неверный ответ", "{x} wrong answer"),
        "retry_5": ("{x} неверных ответов", "{x} wrong answers"),
        "silence": ("молчание {x}", "silence {x}"),
        "close": ("прошло {x}", "after {x}"),
        "edited": ("после исправления", "after the correction"),
        "to_before": ("к прошлому вопросу", "to the question before"),
        "to_begin": ("к началу потока", "to the beginning"),
        "and_back": ("и обратно", "and back"),
        "else": ("иначе", "otherwise"),
        "ok": ("получилось", "done"),
        "rejected": ("отказ", "refused"),
        "slow": ("нет ответа {x}", "no answer {x}"),
        "any_outcome": ("при любом исходе", "whatever comes"),
        "returned": ("вернул боту", "given back"),
        "closed": ("закрыл разговор", "talk closed"),
        "nobody": ("никого {x}", "nobody {x}"),
        "ends_ok": ("всё хорошо", "all is well"),
        "ends_cancelled": ("отменено", "cancelled"),
        "ends_silent": ("человек молчит", "the person is silent"),
        "ends_failed": ("не вышло", "did not work out"),
        "unreachable": ("сюда никто не попадёт", "nobody can get here"),
        "dead_end": ("отсюда нет пути к концу", "no way from here to an end"),
        "usual": ("обычный путь", "usual way"),
        "trouble": ("молчание, ошибка, отказ", "silence, mistake, refusal"),
        "edit": ("исправление ответа", "correcting an answer"),
        "back": ("возврат к прежнему шагу", "return to an earlier step"),
        "jump": ("переход к шагу с этим именем", "goes on at the step of that name"),
        "live": ("сейчас на этом шаге: {x}", "now at this step: {x}"),
        "live_legend": ("сколько разговоров сейчас здесь", "talks that are here now"),
        "version": ("версия {x}", "version {x}"),
        "leads_here": ("Сюда ведут: {x}", "Comes from: {x}"),
        "filled": ("есть {x}", "{x} is known"),
        "unfilled": ("нет: {x}", "{x} is unknown"),
        "count": ("число {x}", "number of {x}"),
        "one_of": ("{x}: ", "{x}: "),
        "none_of": ("{x} не ", "{x} not "),
        "and": ("и", "and"),
        "or": ("или", "or"),
        "not": ("не", "not"),
    }
)

_UNITS = ((86_400, "д", "d"), (3600, "ч", "h"), (60, "мин", "min"), (1, "с", "s"))


def word(name: str, lang: str, x: object = "") -> str:
    """Raises KeyError for a name that is not in the table."""
    russian, english = _WORDS[name]
    return (russian if lang == "ru" else english).replace("{x}", str(x))


def duration(time: timedelta, lang: str) -> str:
    """The greatest unit that divides it: 23 ч, 45 д, 90 с."""
    seconds = int(time.total_seconds())
    unit, russian, english = next((unit for unit in _UNITS if seconds and seconds % unit[0] == 0), _UNITS[-1])
    return f"{seconds // unit} {russian if lang == 'ru' else english}"


def wrong_answers(count: int, lang: str) -> str:
    if lang == "ru":
        return word("retry_1" if count == 1 else "retry" if count < 5 else "retry_5", lang, count)
    return word("retry_1" if count == 1 else "retry", lang, count)
