"""What the playground needs of the stand-ins and of the service: small protocols, met by the simulators.

The page never reaches into the service itself. It acts as the people do (a customer writes, a manager answers, a
dispatcher moves a card), and everything it shows is what those people would see.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypedDict

Record = Mapping[str, Any]
"""One message, issue or payment as a simulator tells it; `bot.demo.views` picks what the page shows."""


class Simulator(Protocol):
    """What every stand-in has."""

    @property
    def trouble(self) -> str:
        """One of `bot.demo.bodies.TROUBLES`. It can be set as well; `get_into_trouble` does it."""
        ...

    changed: Callable[[], None] | None  # called after every change of state


class CustomerChannel(Simulator, Protocol):
    """A messenger seen from the customers' side. `person` is any name: a new one is a new customer.

    What a stand-in refuses it tells by LookupError (there is no such thing) or ValueError (that cannot be).
    """

    async def say(self, person: str, text: str, /) -> Any: ...

    async def press(self, person: str, option_id: str, /) -> Any: ...

    async def photo(self, person: str, caption: str | None = None, /) -> Any: ...

    async def contact(self, person: str, /) -> Any:
        """Share the person's own number."""
        ...

    async def location(self, person: str, latitude: float, longitude: float, /) -> Any: ...

    def transcript(self, person: str, /) -> Sequence[Record]: ...


class ManagersChannel(CustomerChannel, Protocol):
    """Telegram: customers' chats and the managers' group."""

    def group_messages(self) -> Sequence[Record]: ...

    async def manager_says(
        self, manager: str, text: str, thread_id: int | None = None, reply_to: int | None = None
    ) -> Any: ...

    async def manager_presses(self, manager: str, message_id: int, data: str, /) -> Any: ...


class IssueDesk(Simulator, Protocol):
    def issues(self) -> Sequence[Record]: ...

    async def set_status(self, issue_id: int, code: str, comment: str | None = None, public: bool = True) -> Any: ...

    async def comment(self, issue_id: int, text: str, /, public: bool = True) -> Any: ...


class Accounting(Simulator, Protocol):
    def payments(self) -> Sequence[Record]: ...

    async def pay(self, issue_id: int, amount_kopecks: int, total_kopecks: int | None = None) -> Any: ...

    async def invoice(self, issue_id: int, amount_kopecks: int, /) -> Any: ...


@dataclass(frozen=True, slots=True)
class StandIns:
    whatsapp: CustomerChannel
    telegram: ManagersChannel
    okdesk: IssueDesk
    onec: Accounting

    def by_name(self) -> dict[str, Simulator]:
        return {"whatsapp": self.whatsapp, "telegram": self.telegram, "okdesk": self.okdesk, "onec": self.onec}


def get_into_trouble(system: Simulator, trouble: str) -> None:
    """Set `trouble`. Some stand-ins declare it as str, others as its literals, so no one type fits an assignment."""
    setattr(system, "trouble", trouble)  # noqa: B010


class ServiceStatus(TypedDict, total=False):
    """How our service is doing. Whatever is left out is not shown."""

    worker_alive: bool
    restarts: int  # of the worker, since the start
    oldest_waiting_s: float  # age of the oldest event that nobody has handled yet
    waiting: Mapping[str, int]  # orders that wait to be sent, by system


class Controls(Protocol):
    """What the page may do to the service; given by the composition root."""

    async def kill_worker(self) -> None:
        """Kill the worker in the middle of its work. It comes back by itself."""
        ...

    async def reset(self) -> None:
        """Forget all data: the service's and every stand-in's."""
        ...

    def status(self) -> ServiceStatus: ...
