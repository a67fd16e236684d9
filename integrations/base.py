"""What an integration is: the few shapes through which the service talks to every outside system alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from dialogs.actions import ActionSpec
from dialogs.effects import SendMessage
from dialogs.events import BusinessEvent, ButtonPressed, File, MessageReceived
from dialogs.record import record

# ---------------------------------------------------------------------------------------------- requests to us


@record(frozen=True, slots=True)
class Request:
    """An HTTP request as it came in."""

    method: str
    path: str
    query: Mapping[str, Sequence[str]]  # every value of every parameter
    headers: Mapping[str, str]  # case-insensitive
    body: bytes
    remote: str | None  # address of the caller
    received_at: datetime


@record(frozen=True, slots=True)
class Answer:
    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


@record(frozen=True, slots=True)
class IncomingEvent:
    """One thing that happened, as cut out of a request; a row of the inbox."""

    kind: str  # the integration's own word; "unreadable" for a body that cannot be read
    external_id: str  # the same on every redelivery
    key: str  # events of one key are handled one after another
    body: bytes  # JSON of this event alone, enough to handle it; the request's bytes if it held one event
    occurred_at: datetime | None = None  # the event's own time, the same on redelivery
    state: Literal["waiting", "ignored", "dead"] = "waiting"  # already settled when nothing is to be done
    error: str | None = None  # one sentence: why it is ignored or dead


@record(frozen=True, slots=True)
class Outcome:
    """What became of an event at the inbox, in the order of `Received.events`."""

    kind: Literal["new", "duplicate", "conflict"]  # conflict: known id, other body
    result: str | None = None  # what the turn said of it, if it ran before the answer (see `Received.wait_s`)


@record(frozen=True, slots=True)
class Received:
    """Events to make durable, and the answer to give once they are."""

    events: Sequence[IncomingEvent]
    answer: Callable[[Sequence[Outcome]], Answer]
    body: bytes = b""  # the request's bytes, kept once when it held several events
    wait_s: float = 0.0  # how long the answer may wait for the results of the turns


class Webhook(Protocol):
    """One address of ours that an outside system calls."""

    path: str  # also matched with a further last part, if `with_tail`
    with_tail: bool
    methods: tuple[str, ...]
    max_body_bytes: int

    def receive(self, request: Request) -> Answer | Received:
        """Check the sender, then cut the body into events. Pure: no database, no network.

        Returns an `Answer` when nothing is to be kept: refusals, verification, connection checks.
        """
        ...


# ------------------------------------------------------------------------------------- what an inbox event means


@record(frozen=True, slots=True)
class StoredEvent:
    id: int
    source: str
    kind: str
    external_id: str
    body: bytes
    received_at: datetime


@record(frozen=True, slots=True)
class Person:
    """Who wrote. At least one address; the first is the one to answer to."""

    addresses: tuple[str, ...]  # in the channel's own form: wa_id, BSUID, chat id
    name: str | None = None
    username: str | None = None
    language: str | None = None  # two letters
    phone: str | None = None  # E.164, only if the channel itself proves it


@record(frozen=True, slots=True)
class CustomerSaid:
    """A message or a button press of a customer."""

    channel: str
    account: str  # our own number or bot it was written to
    person: Person
    said: MessageReceived | ButtonPressed
    reply_to: str | None = None  # id of the message it answers
    ack: str | None = None  # what the channel wants acknowledged at once (callback query id)
    album: str | None = None  # messages with the same value, arriving within 1.5 s, are one
    extra: Mapping[str, Any] = field(default_factory=dict)  # referral and the like, for the journal


@record(frozen=True, slots=True)
class CustomerNoted:
    """Something of a customer that is kept in the history and reaches no flow: a reaction, a deletion."""

    channel: str
    account: str
    person: Person
    kind: str  # reaction, deleted, opened, blocked, unblocked, order …
    at: datetime
    text: str | None = None
    message_id: str | None = None
    about: str | None = None  # id of the message it is about


@record(frozen=True, slots=True)
class ManagerWrote:
    """The business wrote to the customer from somewhere else (the phone app): shown, and the bot falls silent."""

    channel: str
    account: str
    person: Person
    at: datetime
    text: str | None
    message_id: str
    files: tuple[File, ...] = ()


@record(frozen=True, slots=True)
class DeliveryReported:
    """The channel tells what became of a message of ours."""

    channel: str
    message_id: str
    status: str  # sent, delivered, read, played, failed; others are kept and change nothing
    rank: int  # statuses are applied upwards only; failed is 0
    at: datetime
    key: str | None = None  # our delivery key, where the channel carries it
    code: str | None = None
    error: str | None = None
    window_closed: bool = False  # failed because the 24-hour window was closed


@record(frozen=True, slots=True)
class AddressMoved:
    """A person has a new address in a channel."""

    channel: str
    account: str
    old: str
    new: tuple[str, ...]
    at: datetime
    note: str | None = None


@record(frozen=True, slots=True)
class BusinessFact:
    """An event of another system that flows may know.

    `subjects`: by which dialogs are found, the surest first ("issue:1077", "onec-order:GUID", "phone:+79…").
    `state_key` and `state`: what is remembered to tell news from repeats, e.g. ("okdesk:issue:1077", {…}).
    """

    event: BusinessEvent
    subjects: tuple[str, ...]
    once: str | None = None  # the same news may come in several events: told once under this key
    learns: tuple[str, ...] = ()  # further names of the subject, to be linked to whatever dialog was found
    title: str | None = None  # for people, in an alert


@record(frozen=True, slots=True)
class GroupSaid:
    """A message, a press or a service message in a managers' group."""

    chat_id: int
    thread_id: int | None
    message_id: int
    manager_id: int
    manager_name: str
    at: datetime
    text: str | None = None
    files: tuple[File, ...] = ()
    reply_to: int | None = None
    press: str | None = None  # callback data
    ack: str | None = None


@record(frozen=True, slots=True)
class GroupMoved:
    """A managers' group became a supergroup and has a new id."""

    old_chat_id: int
    new_chat_id: int


@record(frozen=True, slots=True)
class Notice:
    """Something for the people who run the service: an account restricted, a template rejected."""

    text: str
    severity: Literal["info", "warning", "alert"] = "warning"


@record(frozen=True, slots=True)
class Nothing:
    """Understood, and nothing is to be done."""

    reason: str


Fact = (
    CustomerSaid
    | CustomerNoted
    | ManagerWrote
    | DeliveryReported
    | AddressMoved
    | BusinessFact
    | GroupSaid
    | GroupMoved
    | Notice
    | Nothing
)


class CannotRead(Exception):
    """The event cannot be understood; it is kept as dead with this sentence."""


Reader = Callable[[StoredEvent], Sequence[Fact]]  # raises CannotRead


# ------------------------------------------------------------------------------------------------- calls of ours


class Later(Exception):
    """It was surely not done and may be tried again."""

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: float | None = None,
        scope: Literal["row", "recipient", "system"] = "row",
        code: str = "unavailable",
    ) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.scope = scope  # what must pause: this row, everything to this recipient, or the whole system
        self.code = code


class Never(Exception):
    """The other side refused, and will refuse again."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "invalid",
        window_closed: bool = False,
        unreachable: bool = False,
        stops_system: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code  # not_found, invalid, forbidden, unavailable
        self.window_closed = window_closed  # the 24-hour window: a template, or park
        self.unreachable = unreachable  # this address cannot be reached at all
        self.stops_system = stops_system  # token or account trouble: keep the queue, alert, send nothing more


class Unknown(Exception):
    """The answer was lost: it may have been done."""


@record(frozen=True, slots=True)
class Order:
    """One row of the outbox, as the integration sees it."""

    key: str  # our delivery key, unique for ever
    action: str
    recipient: str
    params: Mapping[str, Any]
    attempt: int  # from 1
    created_at: datetime


@record(frozen=True, slots=True)
class Done:
    """It was done. `result` is what the flow sees; `external_id` the other side's id (wamid, issue number)."""

    result: Mapping[str, Any] = field(default_factory=dict)
    external_id: str | None = None
    parts: tuple[str, ...] = ()  # further ids, when one order became several messages
    known: tuple[str, ...] = ()  # `BusinessFact.once` keys of what we did ourselves: its echo is no news


@record(frozen=True, slots=True)
class Action:
    """How a system carries out one kind of order.

    `run` returns Done or raises Later, Never, Unknown. `settle` finds out what became of an order whose answer was
    lost: Done if it was done after all, None if it surely was not. Without `settle` the order is given to a person,
    unless `repeatable`, when it is simply sent again.
    """

    name: str
    run: Callable[[Order], Awaitable[Done]]
    settle: Callable[[Order], Awaitable[Done | None]] | None = None
    settle_after_s: float = 2.0  # how long to wait before asking
    repeatable: bool = False
    spec: ActionSpec | None = None  # for flows; None = only the service itself orders it


class Channel(Protocol):
    """A messenger that customers write in."""

    name: str
    account: str  # our number or bot
    window_s: int | None  # how long after the customer's last message we may write freely; None = always

    def render(self, message: SendMessage) -> Sequence[Mapping[str, Any]]:
        """Turn one message of ours into what this channel can show: the params of "send" orders, in order. Pure."""
        ...

    def merge(self, messages: Sequence[SendMessage]) -> Sequence[SendMessage]:
        """Join consecutive messages of one turn where the channel prefers few. Pure."""
        ...

    async def download(self, file: File, limit_bytes: int) -> bytes:
        """Fetch a customer's file. Raises Later or Never."""
        ...


@record(frozen=True, slots=True)
class Decided:
    """What an event means, now that it is known what was said before of the same thing."""

    states: Mapping[str, Any]  # state key → what to remember from now on, JSON-able
    facts: Sequence[Fact]
    result: str | None = None  # a word for the caller that waits: accepted, stale, duplicate …
    subjects: Sequence[str] = ()  # names of what it is about, the surest first
    weak_subjects: Sequence[str] = ()  # names that may fit several; asked only if no other hit


@record(frozen=True, slots=True)
class Plan:
    """An event whose meaning depends on what was said before: read `state_keys`, then `decide`."""

    state_keys: tuple[str, ...]
    decide: Callable[[Mapping[str, Any], datetime], Decided]  # (states that are known, now)


Planner = Callable[[StoredEvent], Plan]  # raises CannotRead


@dataclass(slots=True)
class Integration:
    """Everything that the service knows of one outside system."""

    name: str
    webhooks: Sequence[Webhook] = ()
    read: Reader | None = None
    plan: Planner | None = None  # instead of `read`, for a system whose events must be judged against their past
    actions: Mapping[str, Action] = field(default_factory=dict)
    channel: Channel | None = None
    per_second: float | None = None  # pace of the whole system
    in_flight: int = 8  # orders carried out at the same time
    check: Callable[[], Awaitable[str]] | None = None  # for `doctor`: a sentence if reachable, raises otherwise
    start: Callable[[], Awaitable[None]] | None = None  # e.g. register the webhook
    poll: Callable[[], Awaitable[None]] | None = None  # a loop that feeds the intake until cancelled
    stop: Callable[[], Awaitable[None]] | None = None
    acknowledge: Callable[[IncomingEvent], Awaitable[None]] | None = None  # at once after the commit, best effort
    same: Callable[[bytes, bytes], bool] | None = None  # whether two bodies under one id say the same; None: as JSON
    pace_delay: Callable[[str, datetime], float] | None = None  # (recipient, now) → seconds to wait before a send
    pace_sent: Callable[[str, datetime], None] | None = None  # (recipient, now): an order goes out


CallLog = Callable[[str, str, str, bytes | None, int | None, bytes | None, float], None]
"""(system, method, url without secrets, request body, status or None, answer body, duration_ms): every call of ours."""
