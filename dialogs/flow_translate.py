"""Reading translation files: the same flow in another language."""

from __future__ import annotations

from dialogs.findings import Finding
from dialogs.flow import Flow
from dialogs.flow_fields import Reader
from dialogs.reading import Document


def read_translation(document: Document, flow: Flow | None) -> list[Finding]:
    """Put the texts of a translation into the wordings of `flow` (None: there is no such flow, or it is broken).

    Called while the flow is being put together, before anything is compiled from it.
    """
    reader = Reader(document)
    top = reader.fields(document.data, (), ("translates", "lang", "texts"))
    if top is None:
        return reader.findings
    name = top.slug("translates", must=True)
    lang = top.text("lang", must=True)
    if lang is not None and (len(lang) != 2 or not lang.isascii() or not lang.isalpha() or not lang.islower()):
        top.wrong("lang")
        lang = None
    texts = list(top.text_map("texts", must=True))
    if any(found.code.startswith("Y") for found in reader.findings) or lang is None:
        return reader.findings
    if flow is None:
        reader.note("F15", ("translates",), x=name or "")
        return reader.findings
    if lang == flow.lang:
        top.wrong("lang")
        return reader.findings
    for key, written, path in texts:
        wording = flow.wordings.get(key)
        text = reader.text(written, path)
        if wording is None:
            reader.note("T02", path, x=key)
            continue
        if not text.is_broken and not wording.own.is_broken and text.paths != wording.own.paths:
            reader.note("T03", path, x=key)
        wording.others[lang] = text
    given = {key for key, _, _ in texts}
    for key in flow.wordings:
        if key not in given:
            reader.note("T01", ("texts",), x=key)
    return reader.findings
