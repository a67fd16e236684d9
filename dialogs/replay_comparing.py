"""What tells a draft from the conversation as it went: steps by name, messages by their texts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from dialogs.effects import RunAction, SendMessage
from dialogs.events import (
    BusinessEvent,
    ButtonPressed,
    DialogStarted,
    EffectFinished,
    ManagerActed,
    MessageReceived,
    TimerFired,
)
from dialogs.replay_player import Position, Segment
from dialogs.replay_recording import Difference, Happened
from dialogs.replay_retelling import Retold

_WORDS = {
    MessageReceived: "message",
    ButtonPressed: "press",
    EffectFinished: "action",
    TimerFired: "timer",
    ManagerActed: "manager",
    DialogStarted: "restart",
}


def compare(
    item: Happened,
    then: Segment,
    done: Segment,
    *,
    position: Position,
    draft: Position,
    top: str,
    gone: str | None,
) -> Difference | None:
    """The most serious difference between what `item` brought `then` and what the draft has `done`."""
    stuck = _stuck(item, then, done, gone)
    if stuck is not None:
        reason, detail = stuck
        return _told(item, "stuck", reason, top, live=_where(position), draft=detail)
    if done.unrecorded is not None and then.unrecorded is None:
        return _told(item, "way", "no_recording", top, live=_where(position), draft=done.unrecorded)
    if draft != position:
        live, other = _first_other(_way(then.path), _way(done.path))
        return _told(item, "way", "step", top, live=_where(live or position), draft=_where(other or draft))
    if done.refused is not None and item.told is not None and isinstance(item.event, BusinessEvent):
        return _told(item, "way", "not_taken", top, live=_where(position), draft=_where(draft))
    if done.tag != then.tag:
        return _told(item, "way", "tag", top, live=then.tag or "", draft=done.tag or "")
    if _way(done.path) != _way(then.path):
        return _told(item, "way", "path", top, live=_shown_way(then.path), draft=_shown_way(done.path))
    return _other_text(item, then, done, top)


def _stuck(item: Happened, then: Segment, done: Segment, gone: str | None) -> tuple[str, str] | None:
    if done.error is not None and then.error is None:
        return "error", done.error
    event = item.event
    if item.kind == "begin":
        if done.refused is None:
            return None
        return ("no_start", "") if isinstance(event, MessageReceived) else None
    if item.told is None or not isinstance(event, MessageReceived | ButtonPressed):
        return None
    if gone is not None and not _is_old_button(then):
        return "option_gone", gone
    if done.gave_up and not then.gave_up:
        return "gave_up", _first(done.messages)
    if _is_wrong(done) and not _is_wrong(then):
        return "refused", _first(done.messages)
    if _is_old_button(done) and not _is_old_button(then):
        return "old_button", _first(done.messages)
    if done.refused not in (None, "closed") and then.refused is None:
        return "not_accepted", done.refused or ""
    return None


def _is_wrong(segment: Segment) -> bool:
    return any(word.startswith("wrong:") for word in segment.decided)


def _is_old_button(segment: Segment) -> bool:
    return "old_button" in segment.decided


def _other_text(item: Happened, then: Segment, done: Segment, top: str) -> Difference | None:
    spoken, said = [_words(m) for m in then.messages], [_words(m) for m in done.messages]
    if spoken != said:
        old, new = _first_other(spoken, said)
        if old is None or new is None or old[0] != new[0]:
            return _told(item, "text", "text", top, live=old[0] if old else "", draft=new[0] if new else "")
        removed, added = _buttons(old, new), _buttons(new, old)
        reason = "buttons" if removed or added else "look"
        return _told(item, "text", reason, top, live=removed, draft=added)
    ordered, orders = [_order(o) for o in then.orders], [_order(o) for o in done.orders]
    if ordered != orders:
        was, now = _first_other(ordered, orders)
        return _told(item, "text", "order", top, live=_shown_order(was, now), draft=_shown_order(now, was))
    return None


def _told(item: Happened, kind: Any, reason: str, top: str, *, live: str, draft: str) -> Difference:
    return Difference(
        kind=kind, reason=reason, step=top, event=event_word(item), words=item.words, live=live, draft=draft
    )


def event_word(item: Happened) -> str:
    event = item.event
    return event.kind if isinstance(event, BusinessEvent) else _WORDS[type(event)]


# ---------------------------------------------------------------------------------------------------------- messages

_Words = tuple[str, tuple[tuple[str, str], ...], str | None, object]


def _words(message: SendMessage) -> _Words:
    """All that a customer sees of it: payloads name the version, and so they differ always."""
    options = tuple([(option.title, option.about or "") for option in message.options])
    return message.text, options, message.media, message.template


def _order(order: RunAction) -> tuple[str, str, dict[str, Any]]:
    return order.action, order.step, dict(order.params)


def _first_other(then: Sequence[Any], done: Sequence[Any]) -> tuple[Any, Any]:
    """The first two that differ; None where one of the rows has ended. They must differ, or both are None."""
    for old, new in zip(then, done, strict=False):
        if old != new:
            return old, new
    at = min(len(then), len(done))
    return then[at] if at < len(then) else None, done[at] if at < len(done) else None


def _buttons(words: _Words, other: _Words) -> str:
    """Those that the other message does not have."""
    found = [f"[{title}]{f' {about}' if about else ''}" for title, about in words[1] if (title, about) not in other[1]]
    return " ".join(found)


def _shown_order(order: Any, other: Any) -> str:
    """The action with those of its parameters that differ."""
    if order is None:
        return ""
    action, _, params = order
    others = other[2] if other is not None else {}
    differing = [f"{name}: {value}" for name, value in params.items() if others.get(name) != value]
    return f"{action} {'; '.join(differing)}".strip()


def _first(messages: Sequence[SendMessage]) -> str:
    return messages[0].text if messages else ""


# -------------------------------------------------------------------------------------------------------------- ways


def _way(path: Sequence[Position]) -> list[Position]:
    """Staying is no step: reminders may come more or less often on the same way."""
    return [position for position, _ in groupby(path)]


def _shown_way(path: Sequence[Position]) -> str:
    return " → ".join(_where(position) for position in _way(path)) or "–"


def _where(position: Position) -> str:
    """FLOW.STEP on top, or a word for where nobody asks any more."""
    return position[-1] if position else ""


def meeting_point(told: Retold, items: Sequence[Happened], draft: Position, index: int) -> int | None:
    """The item after which the conversation stood where the draft stands now; None: it never did, or not by itself.

    Only what customers say, timers and ends of actions may be left out: a way without the manager, or without the news
    of another system, is another way.
    """
    if draft in ((), ("closed",)):
        return None
    for number in range(index, len(items)):
        item = items[number]
        if item.kind not in ("event", "timer", "park", "ask_again"):
            return None
        if isinstance(item.event, BusinessEvent | ManagerActed):
            return None
        if told.positions[number] == draft:
            return number
    return None
