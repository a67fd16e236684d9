"""Reading what several kinds of step have in common: texts, templates, retries, silence."""

from __future__ import annotations

from dialogs.flow import Close, Reminder, Retry, Silence, TemplateUse, Wording
from dialogs.flow_fields import Fields, Reader
from dialogs.reading import Path


class Wordings:
    """The texts of a flow under the keys of its translation files."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.all: dict[str, Wording] = {}

    def read(self, fields: Fields, name: str, key: str, *, must: bool = False) -> Wording | None:
        text = fields.filled_text(name, must=must)
        if text is None:
            return None
        wording = Wording(key, fields.at(name), text)
        self.all[key] = wording
        return wording


def read_template(fields: Fields) -> TemplateUse | None:
    inner = fields.inner("template", ("whatsapp", "params"))
    if inner is None:
        return None
    name = inner.text("whatsapp", must=True)
    params = []
    for value, path in inner.items("params"):
        if isinstance(value, str) and value:
            params.append(inner.reader.text(value, path))
        else:
            inner.wrong("params")
    return TemplateUse(name, tuple(params), inner.path) if name else None


def read_retry(fields: Fields) -> Retry | None:
    inner = fields.inner("retry", ("max", "then"))
    if inner is None:
        return None
    limit = inner.integer("max", minimum=1, maximum=10, must=True)
    then = inner.slug("then", must=True)
    return Retry(limit, then, inner.path) if limit and then else None


def read_silence(fields: Fields, wordings: Wordings, owner: str) -> Silence | None:
    inner = fields.inner("silence", ("remind", "close"))
    if inner is None:
        return None
    reminders = []
    for index, (value, path) in enumerate(inner.items("remind"), start=1):
        reminder = inner.reader.fields(value, path, ("after", "say", "template"))
        if reminder is None:
            continue
        after = reminder.duration("after", must=True)
        text = wordings.read(reminder, "say", f"{owner}.remind.{index}", must=True)
        template = read_template(reminder)
        if after and text:
            reminders.append(Reminder(after, text, template, path))
    return Silence(tuple(reminders), read_close(inner), inner.path)


def read_close(fields: Fields, *, must: bool = False) -> Close | None:
    inner = fields.inner("close", ("after", "next"), must=must)
    if inner is None:
        return None
    after, target = inner.duration("after", must=True), inner.slug("next", must=True)
    return Close(after, target, inner.path) if after and target else None


def read_media(fields: Fields) -> str | None:
    address = fields.text("media", longest=2000)
    if address is not None and not address.startswith("https://"):
        fields.wrong("media")
        return None
    return address


def place_of_two(fields: Fields, names: tuple[str, ...]) -> Path:
    """Where one of several destinations is too many: the last one written; else the whole."""
    given = [name for name in fields.data if name in names]
    return fields.at(given[-1]) if len(given) > 1 else fields.path


def is_one_action(fields: Fields, names: tuple[str, ...]) -> bool:
    """Exactly one of the fields `names`; `call` comes with `then: resume`, the others without."""
    given = [name for name in names if fields.has(name)]
    then = fields.text("then", of=("resume",))
    if len(given) != 1:
        return False
    if given[0] == "call":
        return then is not None
    return not fields.has("then") and not fields.has("with")
