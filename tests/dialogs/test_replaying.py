"""Replays of small conversations: what counts as the same, and what the draft cannot do."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from dialogs.effects import RunAction
from dialogs.events import BusinessEvent, ButtonPressed, EffectFinished, Event, MessageReceived, TimerFired
from dialogs.flows_set import Flows, load_folder
from dialogs.replay_player import Player
from dialogs.replay_recording import Happened, Kind, Recording, Told, Verdict
from dialogs.replay_retelling import lines_of
from dialogs.replaying import replay
from tests.dialogs.catalogue import CATALOGUE
from tests.dialogs.talk import HEAD, NOON

ORDER = """
start: [{text: ["заказ"]}]
vars: {what: {type: text}, size: {type: choice}, issue: {type: number}}
steps:
  - id: what
    ask: "Что?"
    expect: text
    into: what
    valid: "len(what) >= 3"
    invalid: "Подробнее."
    retry: {max: 3, then: gone}
    silence:
      remind: [{after: 15m, say: "Вы тут?"}]
      close: {after: 3h, next: gone}
  - id: size
    ask: "Размер?"
    into: size
    options: [{id: s, title: "Малый"}, {id: l, title: "Большой"}]
    retry: {max: 2, then: gone}
    silence: {close: {after: 3h, next: gone}}
  - id: make
    do: okdesk.create_issue
    with: {title: "{what}", contact_phone: "+79123456789"}
    once_per: "{dialog.id}"
    save: {issue: "result.id"}
    outcome: {ok: told, rejected: gone, slow: told}
    slow_after: 10s
  - id: told
    say: "Номер {issue|or:позже}."
  - id: watch
    wait:
      - {event: okdesk.status_changed, if: "event.issue_id = issue", next: done}
    close: {after: 5d, next: gone}
  - id: done
    end: ok
  - id: gone
    end: failed
"""


def flows_of(text: str, *, version: int = 1) -> Flows:
    files = {"order.yaml": (HEAD.format(name="order") + text).encode()}
    loaded = load_folder(files, CATALOGUE, timezone="Europe/Moscow", version=version)
    assert not loaded.has_errors, loaded.findings
    return loaded.flows


@dataclass
class Talk:
    """Leads a conversation and keeps it as the journal would."""

    flows: Flows
    now: datetime = NOON
    items: list[Happened] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.recording = Recording(
            dialog_id=7,
            contact_id=1,
            channel="telegram",
            lang="ru",
            flow="order",
            version=1,
            items=[Happened(kind="begin", at=NOON, event=self._message("заказ"), told=None)],
            until=NOON + timedelta(days=30),
        )
        self.player = Player(self.recording)
        self.orders: list[RunAction] = []
        self.buttons: dict[str, str] = {}
        self.happens(self._message("заказ"), kind="begin")

    def _message(self, text: str) -> MessageReceived:
        return MessageReceived(f"e{len(self.items)}", self.now, text, message_id=f"m{len(self.items)}")

    def happens(self, event: Event, *, kind: Kind = "event", words: str | None = None) -> None:
        player = self.player
        flow = self.flows.live("order")
        item = Happened(kind=kind, at=self.now, event=event, told=None, words=words)
        if kind == "begin":
            assert player.begin(self.flows, flow, item)
        elif kind == "timer":
            player.timers.pop("step")
            player.play(self.flows, event)
        elif kind == "event":
            player.play(self.flows, event)
        else:
            player.operate(self.flows, item)
        segment = player.take_segment()
        assert segment.refused is None
        self.orders += segment.orders
        for message in segment.messages:
            self.buttons |= {option.id: option.payload for option in message.options}
        self.items.append(replace(item, told=Told(player.top, lines_of(segment.messages))))

    def says(self, text: str) -> None:
        self.passes(seconds=5)
        self.happens(self._message(text), words=text)

    def presses(self, option: str) -> None:
        self.passes(seconds=5)
        self.happens(ButtonPressed(f"e{len(self.items)}", self.now, self.buttons[option], option), words=option)

    def ends(self, **result: Any) -> None:
        self.passes(seconds=1)
        order = self.orders[-1]
        event = EffectFinished(f"e{len(self.items)}", self.now, order.key, order.step, order.action, True, result)
        self.happens(event)

    def status(self, issue: int) -> None:
        self.passes(minutes=30)
        fields = {"issue_id": issue, "status": "closed", "status_name": "Закрыта", "final": True}
        self.happens(BusinessEvent(f"e{len(self.items)}", self.now, "okdesk.status_changed", fields))

    def fires(self) -> None:
        """The timer of the step comes due, in its time."""
        due = self.player.timers["step"]
        assert self.player.dialog is not None
        self.now = due
        turn = self.player.dialog.timers["step"]
        self.happens(TimerFired(f"e{len(self.items)}", due, "step", turn), kind="timer")

    def passes(self, **span: float) -> None:
        self.now += timedelta(**span)

    def replayed(self, draft: Flows, **changed: Any) -> Verdict:
        recording = replace(self.recording, items=self.items, **changed)
        return replay(recording, lambda _: self.flows, draft, draft.live("order"))


def ordered() -> Talk:
    talk = Talk(flows_of(ORDER))
    talk.says("фи")
    talk.fires()
    talk.says("фильтр")
    talk.presses("l")
    talk.ends(id=5, number="5")
    talk.status(5)
    return talk


def draft(*changes: tuple[str, str]) -> Flows:
    text = ORDER
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return flows_of(text, version=9)


def reason(verdict: Verdict) -> tuple[str, str, str]:
    found = verdict.difference
    assert found is not None
    return found.kind, found.reason, found.step


def test_the_same_flow_under_another_number_goes_the_same_way() -> None:
    assert ordered().replayed(draft()).kind == "same"


def test_a_better_question_that_needs_no_second_answer_is_shorter() -> None:
    verdict = ordered().replayed(draft(("len(what) >= 3", "len(what) >= 2")))
    assert reason(verdict) == ("shorter", "left_over", "order.what")
    assert verdict.difference is not None
    assert verdict.difference.words == "фильтр"


def test_the_most_serious_difference_is_told() -> None:
    verdict = ordered().replayed(draft(("Что?", "Что заказать?"), ('"Большой"', '"Огромный"'), ("id: l,", "id: xl,")))
    assert reason(verdict) == ("stuck", "option_gone", "order.size")


def test_fewer_attempts_than_a_customer_needed_is_stuck() -> None:
    talk = Talk(flows_of(ORDER))
    talk.says("фи")
    talk.says("фу")
    talk.says("фильтр")
    assert reason(talk.replayed(draft(("max: 3", "max: 2")))) == ("stuck", "gave_up", "order.what")


def test_silence_that_ends_before_the_answer_came_is_shorter() -> None:
    talk = Talk(flows_of(ORDER))
    talk.fires()
    talk.passes(hours=2)
    talk.says("фильтр")
    close = ('remind: [{after: 15m, say: "Вы тут?"}]\n      close: {after: 3h', "close: {after: 1h")
    verdict = talk.replayed(draft(close))
    assert reason(verdict) == ("shorter", "ended", "order.what")


def test_an_action_that_moved_ends_after_the_time_it_took() -> None:
    """The draft orders before it asks for the size; it has its answer when the customer has pressed."""
    make = ORDER[ORDER.index("  - id: make") : ORDER.index("  - id: told")]
    text = ORDER.replace(make, "").replace("  - id: size\n", make.replace("told", "size") + "  - id: size\n")
    verdict = ordered().replayed(flows_of(text))
    assert reason(verdict) == ("way", "path", "order.what")


def test_an_end_of_another_step_is_lent() -> None:
    again = """  - id: second
    do: okdesk.create_issue
    with: {title: "ещё", contact_phone: "+79123456789"}
    once_per: "{dialog.id}"
    outcome: {ok: watch, rejected: gone, slow: watch}
    slow_after: 10s
  - id: watch
"""
    verdict = ordered().replayed(draft(("  - id: watch\n", again)))
    assert reason(verdict) == ("way", "path", "order.size")


def test_an_action_of_which_nothing_is_known_is_followed_no_further() -> None:
    find = """  - id: look
    do: okdesk.get_issue
    with: {issue_id: "{issue}"}
    outcome: {ok: watch, rejected: gone, slow: watch}
    slow_after: 10s
  - id: watch
"""
    verdict = ordered().replayed(draft(("  - id: watch\n", find)))
    assert reason(verdict) == ("way", "no_recording", "order.size")
    assert verdict.difference is not None
    assert verdict.difference.draft == "okdesk.get_issue"


def test_a_draft_that_goes_round_for_ever_is_stuck() -> None:
    talk = Talk(flows_of(ORDER))
    verdict = talk.replayed(
        draft(("close: {after: 3h, next: gone}\n  - id: size", "close: {after: 3h, next: what}\n  - id: size")),
        until=NOON + timedelta(days=3000),
    )
    assert reason(verdict) == ("stuck", "error", "")


def test_a_talk_that_other_dialogs_interrupted_goes_the_same_way() -> None:
    talk = Talk(flows_of(ORDER))
    other = MessageReceived("e90", NOON, "другое")
    talk.happens(other, kind="park")
    talk.happens(other, kind="ask_again")
    talk.says("фильтр")
    talk.happens(other, kind="take_over")
    assert talk.replayed(draft()).kind == "same"
    assert reason(talk.replayed(draft(("Размер?", "Какой размер?")))) == ("text", "text", "order.what")


def test_a_recording_that_leads_elsewhere_judges_nobody() -> None:
    talk = ordered()
    talk.items[3] = replace(talk.items[3], told=Told("order.watch", ()))
    verdict = talk.replayed(draft())
    assert reason(verdict) == ("unplayable", "not_retold", "order.watch")


def test_a_version_that_is_gone_judges_nobody() -> None:
    verdict = ordered().replayed(draft(), version=3)
    assert (verdict.kind, verdict.version) == ("unplayable", 3)
    assert reason(verdict)[1] == "version_gone"


def test_replaying_twice_is_replaying_once() -> None:
    talk = ordered()
    changed = draft(("Размер?", "Какой?"))
    assert talk.replayed(changed) == talk.replayed(changed)
