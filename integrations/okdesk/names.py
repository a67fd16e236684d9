"""A person's name as a messenger gives it, in Okdesk's three fields."""

from __future__ import annotations

import re

from integrations.okdesk.html import clean

_PATRONYMIC = re.compile(r".{2,}(?:вич|ьич|вна|чна|кызы|оглы)", re.IGNORECASE)
_LONGEST = 100


def split_name(name: str) -> tuple[str | None, str | None, str | None]:
    """First name, last name, patronymic; None where the name has no such part."""
    words = clean(name).replace("\n", " ")[:_LONGEST].split()
    if not words:
        return None, None, None
    if len(words) == 1:
        return words[0], None, None
    if len(words) == 2:
        return (words[0], None, words[1]) if _PATRONYMIC.fullmatch(words[1]) else (words[0], words[1], None)
    if len(words) == 3 and _PATRONYMIC.fullmatch(words[2]):
        return words[1], words[0], words[2]  # Соколова Ирина Петровна
    if len(words) == 3 and _PATRONYMIC.fullmatch(words[1]):
        return words[0], words[2], words[1]  # Ирина Петровна Соколова
    return words[0], " ".join(words[1:]), None
