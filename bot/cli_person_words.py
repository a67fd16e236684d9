"""What `person …` says, in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "nobody": ("nothing is known of {given}", "о {given} ничего не известно"),
        "unreadable": (
            "name a phone, a contact (contact:17) or an address in a channel (telegram:5400000001)",
            "назовите телефон, контакт (contact:17) или адрес в канале (telegram:5400000001)",
        ),
        "several": (
            "{given} fits several people; name one of them exactly:",
            "под {given} подходят несколько человек; назовите одного точно:",
        ),
        "looking": ("looking through {table} …", "просматриваю {table} …"),
        "will_erase": ("These rows are about the person:", "Об этом человеке:"),
        "will_take": ("what identifies the person: {identifiers}", "по чему узнаётся человек: {identifiers}"),
        "is_open": (
            "not erased: {dialogs} open dialogs, {deliveries} sends and {events} events under way."
            " Wait until they are over, or end them with --force",
            "не стёрто: открытых диалогов {dialogs}, незаконченных отправок {deliveries}, событий в работе {events}."
            " Дождитесь их конца или завершите их с --force",
        ),
        "sending": (
            "not erased: something is being sent to the person right now; try again in a minute",
            "не стёрто: человеку прямо сейчас что-то отправляется; повторите через минуту",
        ),
        "ask": ("Erase all of it for ever? [yes/no] ", "Стереть всё навсегда? [да/нет] "),
        "needs_yes": ("nobody is there to ask: add --yes", "некого спросить: добавьте --yes"),
        "left": ("nothing was erased", "ничего не стёрто"),
        "writes": (
            "not erased completely: the person keeps writing; run the same command again",
            "стёрто не до конца: человек продолжает писать; повторите ту же команду",
        ),
        "erased": ("Erased. Protocol {number}: {at}, by {by}", "Стёрто. Протокол {number}: {at}, выполнил {by}"),
        "rest": (
            "The rows are erased. Unused places of the database file may still hold words of the person: they are"
            " overwritten when the service starts the next time",
            "Строки стёрты. В неиспользуемых местах файла базы ещё могут быть слова этого человека: их перезапишет"
            " следующий запуск службы",
        ),
        "clean": ("The database file was overwritten", "Файл базы перезаписан"),
        "folder": ("{folder} is not empty: name a new folder", "{folder} не пуста: назовите новую папку"),
        "exported": (
            "{file}: {rows} rows, {saved} of {files} files",
            "{file}: строк {rows}, файлов {saved} из {files}",
        ),
    }
)
YES = frozenset({"y", "yes", "д", "да"})


def words(name: str, lang: str, **values: object) -> str:
    english, russian = _WORDS[name]
    return (russian if lang == "ru" else english).format(**values)
