"""What the service says by itself, when a flow has no words for it (FLOWS.md section 13)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class _Sentence(NamedTuple):
    ru: str
    en: str


_SENTENCES: Mapping[str, _Sentence] = {
    "not_understood": _Sentence("Не понял ответ.", "I did not understand."),
    "choose": _Sentence("Выбрать", "Choose"),
    "old_button": _Sentence("Эта кнопка от прошлого вопроса.", "That button belongs to an earlier question."),
    "old_button_ended": _Sentence(
        "Этот разговор уже закончен. Напишите, если нужна помощь.", "This talk is over. Write if you need help."
    ),
    "busy": _Sentence("Секунду, выполняю.", "One moment."),
    "nothing_before": _Sentence("Это первый вопрос.", "This is the first question."),
    "unsupported": _Sentence(
        "Такое сообщение я не смогу прочитать, напишите текстом.", "I cannot read this kind of message, please write."
    ),
    "no_flow": _Sentence("Спасибо, передал сообщение менеджеру.", "Thank you, a manager will read this."),
    "late": _Sentence(
        "Извините, что не ответили сразу: сервис не работал. Ваше сообщение у нас.",
        "Sorry for the late answer, the service was down. We have your message.",
    ),
    "failed": _Sentence("Что-то пошло не так, зову менеджера.", "Something went wrong, calling a manager."),
}

NAMES = frozenset(_SENTENCES)
_NO_OVERRIDES: Mapping[str, str] = MappingProxyType({})


def sentence(name: str, lang: str, overrides: Mapping[str, str] = _NO_OVERRIDES) -> str:
    """The built-in sentence `name`: the project's own wording if it has one, Russian for "ru", else English.

    Raises KeyError for a name that is not in NAMES.
    """
    built_in = _SENTENCES[name]
    own = overrides.get(name)
    if own:
        return own
    return built_in.ru if lang.startswith("ru") else built_in.en
