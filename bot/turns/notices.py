"""Something for the people who run the service."""

from __future__ import annotations

import structlog

from bot.managers import handoff
from bot.managers.words import word
from bot.turns.base import Turn
from integrations.base import Notice

log = structlog.get_logger(__name__)


def handle(turn: Turn, fact: Notice) -> None:
    log.warning("notice", source=turn.event.source, kind=turn.event.kind, severity=fact.severity)
    if fact.severity == "info":
        turn.ignored = fact.text
    else:
        handoff.alert(turn, word("notice", handoff.LANG, text=fact.text))
