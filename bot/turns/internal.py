"""Events that the service makes for itself: timers that came due, ends of actions, messages that did not arrive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from bot.managers import handoff
from bot.managers.words import word
from bot.turns import converse
from bot.turns.base import Turn
from bot.turns.fact_of_business import site_form
from dialogs.events import EffectFinished, TimerFired
from integrations.base import BusinessFact, CannotRead, GroupMoved, Notice, StoredEvent
from storage.clock import from_ms

SOURCES = frozenset({"timer", "outbox", "site", "reconciliation"})


@dataclass(frozen=True, slots=True)
class TimerDue:
    dialog_id: int
    fired: TimerFired


@dataclass(frozen=True, slots=True)
class EffectEnded:
    dialog_id: int
    contact_id: int | None
    finished: EffectFinished
    is_doubtful: bool = False  # done before a copy was restored, and so perhaps was what followed


@dataclass(frozen=True, slots=True)
class Undelivered:
    """A message to a customer that is dead, or parked because the window was closed."""

    conversation_id: int
    dialog_id: int | None
    reason: str
    is_parked: bool


def read(stored: StoredEvent) -> Sequence[TimerDue | EffectEnded | Undelivered | BusinessFact | GroupMoved | Notice]:
    data = orjson.loads(stored.body)
    if stored.source == "site":
        return [site_form(stored, data)]
    if stored.source == "reconciliation":
        return [Notice(data["text"])]
    id_ = f"e{stored.id}"
    if stored.kind == "timer_due":
        return [TimerDue(data["dialog_id"], TimerFired(id_, from_ms(data["due_at"]), data["name"], data["turn"]))]
    if stored.kind == "effect_finished":
        return [
            EffectEnded(
                data["dialog_id"], data["contact_id"], _finished(id_, stored, data), bool(data.get("is_doubtful"))
            )
        ]
    if stored.kind == "undelivered":
        return [Undelivered(data["conversation_id"], data["dialog_id"], data["reason"] or "", bool(data.get("parked")))]
    if stored.kind == "group_moved":
        return [GroupMoved(data["old"], data["new"])]
    raise CannotRead(f"no internal event {stored.kind}")


def _finished(id_: str, stored: StoredEvent, data: Mapping[str, Any]) -> EffectFinished:
    return EffectFinished(
        id=id_,
        at=stored.received_at,
        key=data.get("wanted") or data["key"],
        step=data["step"],
        action=data["action"],
        ok=data["ok"],
        result=data["result"] or {},
        code=data["code"],
        message=data["message"],
    )


def timer_due(turn: Turn, fact: TimerDue) -> None:
    converse.in_dialog(turn, fact.dialog_id, fact.fired)


def effect_ended(turn: Turn, fact: EffectEnded) -> None:
    _learn(turn, fact)
    turn.data["is_doubtful"] = fact.is_doubtful
    converse.in_dialog(turn, fact.dialog_id, fact.finished)


def _learn(turn: Turn, fact: EffectEnded) -> None:
    """What an action tells of an issue is known from now on: the webhook about the same is no news."""
    finished = fact.finished
    result = finished.result
    subject = turn.flows.catalogue.get(finished.action)
    if not finished.ok or subject is None or subject.subject is None or subject.subject[0] != "issue":
        return
    issue_id = result.get("id") if subject.subject[1] == "id" else None
    if isinstance(issue_id, int):
        turn.unit.save_issue(
            issue_id,
            number=str(result.get("number") or issue_id),
            status=result.get("status"),
            status_name=result.get("status_name"),
        )


def undelivered(turn: Turn, fact: Undelivered) -> None:
    if fact.is_parked and turn.data.get("told_parked"):
        return
    if not turn.unit.knows_conversation(fact.conversation_id):
        turn.ignored = "the person is not known any more"
        return
    conversation = turn.unit.conversation(fact.conversation_id)
    contact = turn.unit.contact(conversation.contact_id)
    who = handoff.topic_title(contact, conversation)
    handoff.alert(turn, word("undelivered", handoff.LANG, reason=fact.reason, who=who))
    turn.dialog_id = fact.dialog_id
