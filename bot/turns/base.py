"""What every turn has at hand, and how it ends when it does not end well."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bot.managers.routes import Groups
from bot.turns.standing import KnownDialogs
from dialogs.flows_set import Flows
from integrations.base import Channel, Integration
from storage.inbox import Claimed
from storage.tables import DeliveryState
from storage.unit import UnitOfWork


class Rejected(Exception):
    """The event cannot be handled, and never will be: it is kept as dead with this sentence."""


class Held(Exception):
    """The event waits for a question to be left, at most until then."""

    def __init__(self, until: datetime, *, key: str | None = None) -> None:
        super().__init__("waits for a question to be left")
        self.until = until
        self.key = key  # of the person whose question it is: what releases it


class Postponed(Exception):
    """The event comes too early (an echo may be under way): again at that time, and its key waits with it."""

    def __init__(self, until: datetime, reason: str) -> None:
        super().__init__(reason)
        self.until = until


@dataclass(slots=True)
class Service:
    """What turns need of the rest of the service; joined by the composition root."""

    integrations: Mapping[str, Integration]
    channels: Mapping[str, Channel]
    groups: Groups
    zone: ZoneInfo
    systems_of_actions: Mapping[str, str]  # action of the catalogue → the system that carries it out
    background: Callable[[Callable[[], Awaitable[None]]], None]  # best effort, after the commit
    mark: Callable[[str, Callable[[], Awaitable[object]]], None]  # (person, mark): a read mark, some time soon
    delivered: Callable[[str, str], None]  # (channel, recipient): the last message arrived
    late: timedelta = timedelta(hours=1)  # a message that waited longer for us is not answered as if it were new
    doubtful_up_to: int = 0  # events that waited in a copy: they may have been handled since it was made
    dialogs: KnownDialogs = field(default_factory=KnownDialogs)


@dataclass(slots=True)
class Turn:
    """One event being handled."""

    unit: UnitOfWork
    flows: Flows
    service: Service
    event: Claimed
    now: datetime
    after: list[Callable[[], None]]  # to be called once everything is committed
    dialog_id: int | None = None
    result: str | None = None
    ignored: str | None = None
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def first_state(self) -> DeliveryState:
        """Of what this turn orders: after a copy was restored it may have been sent, which is settled first."""
        is_doubtful = self.event.id <= self.service.doubtful_up_to or self.data.get("is_doubtful")
        return DeliveryState.UNKNOWN if is_doubtful else DeliveryState.WAITING

    @property
    def event_id(self) -> str:
        """The id that flows see as `event.id`."""
        return f"e{self.event.id}"

    @property
    def order_key(self) -> str:
        """Begins the keys of what is ordered outside any dialog.

        With the time of the turn: an event that is replayed orders anew, beside what its first turn has ordered.
        """
        return f"e{self.event.id}.{self.unit.now}"

    def after_commit(self, job: Callable[[], Awaitable[None]]) -> None:
        """Something that may be lost: a typing mark, a read mark."""
        background = self.service.background
        self.after.append(lambda: background(job))
