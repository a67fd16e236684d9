"""Places where a rehearsal makes something go wrong. Nothing happens at them unless the setting FAULTS says so.

Every place registers itself, so whoever draws faults by lot finds a new one without being told of it.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)

STALL_S = 6.0  # longer than a lease lasts
_ORDER = re.compile(r"([a-z_.]+)=([a-z]+)@([1-9][0-9]{0,5})")

POINTS: dict[str, FaultPoint] = {}


class FaultPoint:
    """One place. `hit` is called each time that the code comes by."""

    def __init__(self, name: str, *, stalls: bool = False, **errors: Callable[[], Exception]) -> None:
        """`errors`: what may be raised here, by the name of the fault. A process can be killed at every point.

        `stalls`: the process may also stand still here, as a suspended virtual machine does.
        """
        self.name = name
        self.kinds = ("kill", *(["stall"] if stalls else []), *errors)
        self._errors = errors
        self._armed: dict[int, str] = {}
        self._hits = 0
        assert name not in POINTS
        POINTS[name] = self

    def arm(self, kind: str, at: int) -> None:
        """Let it happen once, when the code comes by for the `at`-th time from now."""
        self._armed[self._hits + at] = kind

    @property
    def is_armed(self) -> bool:
        return bool(self._armed)

    def disarm(self) -> None:
        self._armed.clear()

    def hit(self) -> None:
        """Raises what was ordered for this time, if anything was."""
        if self._armed:
            self._hits += 1
            kind = self._armed.pop(self._hits, None)
            if kind is not None:
                self._happen(kind)

    def _happen(self, kind: str) -> None:
        log.warning("fault_injected", point=self.name, kind=kind)
        if kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif kind == "stall":
            time.sleep(STALL_S)
        else:
            raise self._errors[kind]()


def arm(orders: str) -> None:
    """Arm what "POINT=KIND@N, …" orders: N = at which hit. Raises ValueError with a sentence."""
    for order in filter(None, (part.strip() for part in orders.split(","))):
        match = _ORDER.fullmatch(order)
        if match is None:
            raise ValueError(f"FAULTS: {order!r} is not of the form POINT=KIND@N")
        name, kind, at = match.groups()
        point = POINTS.get(name)
        if point is None:
            raise ValueError(f"FAULTS: there is no point {name}; there are {', '.join(sorted(POINTS))}")
        if kind not in point.kinds:
            raise ValueError(f"FAULTS: at {name} there can be {', '.join(point.kinds)}, not {kind}")
        point.arm(kind, int(at))
