"""Any order of events: the flows that ship never break, nothing but the event decides, nothing is written twice."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import dialogs
from dialogs.conversation import Conversation, Outcome, handle
from dialogs.dialog import Dialog, dialog_from_json, dialog_to_json
from dialogs.effects import CancelTimer, RunAction, SendMessage, SetTimer
from dialogs.engine import EventNotAccepted, advance
from dialogs.events import (
    BusinessEvent,
    ButtonPressed,
    Card,
    EffectFinished,
    Event,
    File,
    Location,
    ManagerActed,
    MessageReceived,
    TimerFired,
)
from dialogs.flow import Ask, Call, Do, Handoff
from dialogs.flows_set import load_folder
from tests.dialogs.catalogue import CATALOGUE
from tests.dialogs.talk import NOON

FLOWS = load_folder(
    {path.name: path.read_bytes() for path in (Path(dialogs.__file__).parent / "flows").glob("*.yaml")},
    CATALOGUE,
    timezone="Europe/Moscow",
).flows

WORDS = (
    *("/start", "/help", "/cancel", "/back", "/manager", "заявка", "починить", "назад", "заново", "отмена", "оператор"),
    *("сколько стоит", "1", "2", "5", "да, верно", "Отправить", "Исправить", "Анна", "меня зовут пётр", "течёт кран"),
    *("8 912 345-67-89", "12", "Казань, Баумана 10", "двойка", "Статус заявки", "1077", "Привезу сам", "Вид ремонта"),
)
TEXTS = st.sampled_from(WORDS) | st.text(max_size=80)
MESSAGES: st.SearchStrategy[dict[str, Any]] = st.one_of(
    TEXTS.map(lambda text: {"text": text}),
    TEXTS.map(lambda text: {"text": text}),
    st.tuples(st.sampled_from(["photo", "file", "voice", "video", "sticker", "audio"]), st.none() | TEXTS).map(
        lambda sent: {"files": (File("f", sent[0], "…/../x"),), "text": sent[1]}
    ),
    st.just({"location": Location(55.7, 49.1)}),
    TEXTS.map(lambda text: {"card": Card((text,))}),
    st.just({"card": Card(())}),
    st.just({"unsupported": True}),
)
EVENTS = st.one_of(
    st.tuples(st.sampled_from([1077, 5]), st.sampled_from(["new", "work"]), st.booleans()).map(
        lambda e: ("okdesk.status_changed", {"issue_id": e[0], "status": e[1], "status_name": e[1], "final": e[2]})
    ),
    st.just(("okdesk.comment_added", {"issue_id": 1077, "text": "Буду в шесть", "files": []})),
    st.sampled_from(["paid", "unpaid"]).map(
        lambda state: ("onec.payment_changed", {"issue_id": 1077, "state": state, "paid": 100, "due": 0})
    ),
    st.just(("site.form_sent", {"form": "main", "name": "Анна", "phone": "+79123456789"})),
    st.sampled_from(["new", "cancelled", "on_way"]).map(
        lambda status: (
            "order.status_changed",
            {"order_id": "o-1", "source": "iiko", "number": "1", "status": status, "final": False, "total": 5},
        )
    ),
    st.sampled_from(["okdesk.rated", "unknown.kind"]).map(lambda kind: (kind, {"issue_id": "text", "final": 7})),
)
RESULT = {
    "id": 1077,
    "number": "1077",
    "status_name": "Открыта",
    "items": [{"id": 1077, "number": "1077", "title": "Экран"}, {"id": 5, "number": "5"}],
    "due": 500,
}
RESULTS = st.sampled_from([RESULT, {}, {"id": "x", "items": 5, "due": "много"}, {"items": [None, 1, {"id": {}}]}])


class AnyOrder(RuleBasedStateMachine):
    """One contact in WhatsApp; the shell is this class."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.count = 0
        self.ids = 0
        self.contact: dict[str, Any] = {}
        self.dialogs: dict[int, Dialog] = {}
        self.timers: dict[tuple[int, str], tuple[Any, int]] = {}
        self.orders: list[tuple[int, RunAction]] = []
        self.issue_keys: dict[int, set[str]] = {}
        self.payloads: list[str] = ["1.1.1.washer", "zz.1.0.x", "", "1.1.1.1"]

    # ------------------------------------------------------------------------------------------------- what happens

    @initialize()
    def begins(self) -> None:
        self.happens(MessageReceived("e0", self.now, "/start"))

    @rule(message=MESSAGES)
    def customer_writes(self, message: dict[str, Any]) -> None:
        self.happens(MessageReceived(self.next_id(), self.now, message_id=f"m{self.count}", **message))

    @rule(text=TEXTS, back=st.integers(0, 3))
    def customer_edits(self, text: str, back: int) -> None:
        self.happens(MessageReceived(self.next_id(), self.now, text, edits=f"m{self.count - back}"))

    @rule(data=st.data())
    def customer_presses(self, data: st.DataObject) -> None:
        payload = data.draw(st.sampled_from(self.payloads[-8:]) | st.sampled_from(self.payloads))
        self.happens(ButtonPressed(self.next_id(), self.now, payload, "title"))

    @rule(data=st.data())
    def customer_answers_by_button(self, data: st.DataObject) -> None:
        self.happens(ButtonPressed(self.next_id(), self.now, data.draw(st.sampled_from(self.payloads[-5:]))))

    @rule(event=EVENTS, late=st.booleans())
    def something_happens(self, event: tuple[str, dict[str, Any]], late: bool) -> None:
        kind, fields = event
        business = BusinessEvent(self.next_id(), self.now, kind, fields, fields.get("phone"))
        self.happens(business, now=self.now + timedelta(minutes=31 if late else 0))

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), ok=st.booleans(), result=RESULTS)
    def action_finishes(self, data: st.DataObject, ok: bool, result: dict[str, Any]) -> None:
        dialog_id, order = data.draw(st.sampled_from(self.orders[-3:]))
        event = EffectFinished(
            self.next_id(),
            self.now,
            order.key,
            order.step,
            order.action,
            ok,
            result if ok else {},
            None if ok else "invalid",
        )
        self.happens(event, dialog_id)

    @precondition(lambda self: self.timers)
    @rule(data=st.data(), old=st.booleans())
    def timer_fires(self, data: st.DataObject, old: bool) -> None:
        key = data.draw(st.sampled_from(sorted(self.timers)))
        due_at, turn = self.timers[key]
        if not old:
            del self.timers[key]
            self.now = max(self.now, due_at)
        self.happens(TimerFired(self.next_id(), self.now, key[1], turn - old), key[0])

    @rule(action=st.sampled_from(["say", "returned", "closed"]), seconds=st.integers(0, 20_000))
    def manager_acts(self, action: Any, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        for dialog in list(self.dialogs.values()):
            self.happens(ManagerActed(self.next_id(), self.now, action, "Здравствуйте"), dialog.id)

    # ---------------------------------------------------------------------------------------------------- the shell

    def next_id(self) -> str:
        self.count += 1
        return f"e{self.count}"

    def new_id(self) -> int:
        self.ids += 1
        return self.ids

    def happens(self, event: Event, dialog_id: int | None = None, *, now: Any = None) -> None:
        opened = [dialog for dialog in reversed(self.dialogs.values()) if dialog.status != "closed"]
        conversation = Conversation(
            contact_id=1,
            channel="whatsapp",
            dialogs=opened,
            contact=self.contact,
            had_dialog=bool(self.dialogs),
            channels=("whatsapp",),
            linked={dialog.id for dialog in opened},
            own_dialogs={dialog.id for dialog in self.dialogs.values() if dialog.status == "closed"},
        )
        ids = self.ids
        outcome = handle(FLOWS, conversation, event, new_id=self.new_id, dialog_id=dialog_id, now=now)
        self.ids = ids
        again = handle(FLOWS, conversation, event, new_id=self.new_id, dialog_id=dialog_id, now=now)
        assert again == outcome  # nothing but the event decides
        assert outcome.failed is None, repr(outcome.failed)
        for dialog in opened:
            self.accepts_or_refuses(dialog, event)
        self.keep(outcome)

    def accepts_or_refuses(self, dialog: Dialog, event: Event) -> None:
        """Also past the routing: the engine takes an event or refuses it, and changes nothing of what it was given."""
        before = orjson.dumps(dialog_to_json(dialog))
        try:
            step = advance(FLOWS, dialog, event)
        except EventNotAccepted:
            pass
        else:
            assert step == advance(FLOWS, dialog, event)
        assert orjson.dumps(dialog_to_json(dialog)) == before

    def keep(self, outcome: Outcome) -> None:
        for step in outcome.steps:
            dialog = step.dialog
            stored = orjson.loads(orjson.dumps(dialog_to_json(dialog)))
            assert dialog_from_json(stored, contact=dialog.contact) == dialog
            orjson.dumps(step.trace.to_json())
            self.dialogs.pop(dialog.id, None)
            self.dialogs[dialog.id] = dialog
            if dialog.contact_id is not None:
                self.contact = dict(dialog.contact)
            for effect in step.effects:
                self.carry_out(dialog, effect)

    def carry_out(self, dialog: Dialog, effect: object) -> None:
        if isinstance(effect, RunAction):
            assert not effect.writes or effect.key.rpartition("/")[2]
            orjson.dumps(dict(effect.params))
            self.orders.append((dialog.id, effect))
            if effect.action == "okdesk.create_issue":
                self.issue_keys.setdefault(dialog.id, set()).add(effect.key)
        elif isinstance(effect, SetTimer):
            self.timers[dialog.id, effect.name] = (effect.due_at, dialog.turn)
        elif isinstance(effect, CancelTimer):
            self.timers.pop((dialog.id, effect.name), None)
        elif isinstance(effect, SendMessage):
            assert effect.text or effect.media or effect.files
            assert len(effect.text) <= 4096
            for option in effect.options:
                assert len(option.payload.encode()) <= 64
                self.payloads.append(option.payload)

    # -------------------------------------------------------------------------------------------------- always true

    @invariant()
    def at_most_one_issue_is_wanted_by_a_dialog(self) -> None:
        assert all(len(keys) == 1 for keys in self.issue_keys.values())

    @invariant()
    def at_most_one_question_is_open(self) -> None:
        opened = [
            dialog
            for dialog in self.dialogs.values()
            if dialog.contact_id is not None and dialog.status == "active" and not dialog.parked and self.asks(dialog)
        ]
        assert len(opened) <= 1, opened
        parked = [dialog for dialog in self.dialogs.values() if dialog.parked]
        assert not parked or opened or any(self.is_busy(dialog) for dialog in self.dialogs.values())

    @invariant()
    def every_open_dialog_has_a_timer_or_is_parked(self) -> None:
        for dialog in self.dialogs.values():
            mine = {name for owner, name in self.timers if owner == dialog.id}
            assert mine == set(dialog.timers)
            if dialog.status == "closed":
                assert not mine
            else:
                assert mine or dialog.parked, dialog

    def asks(self, dialog: Dialog) -> bool:
        return isinstance(FLOWS.get(dialog.top.flow, dialog.top.version).steps.get(dialog.top.step), Ask)

    def is_busy(self, dialog: Dialog) -> bool:
        step = FLOWS.get(dialog.top.flow, dialog.top.version).steps.get(dialog.top.step)
        return dialog.status == "handed_off" or (dialog.status == "active" and isinstance(step, Do | Call | Handoff))


AnyOrder.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestAnyOrder = AnyOrder.TestCase
