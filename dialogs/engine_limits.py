"""What one turn may do at most (FLOWS.md section 14), and how the engine says no."""

from __future__ import annotations

from datetime import timedelta

MAX_PASSED = 50  # say, set and branch steps in one walk
MAX_STATES = 100  # states entered in one event
MAX_FRAMES = 8
MAX_MESSAGES = 20
MAX_HELD = 20
MAX_VARIABLES_BYTES = 64 * 1024
MAX_ANSWERED = 50
MAX_PHRASE = 60  # characters of a message in which a phrase is looked for
DOUBLE_TAP = timedelta(seconds=10)
HOLD = timedelta(minutes=30)  # how long an event waits for frames above its `wait`, or for another dialog's question
IDLE_HANDOFF = timedelta(days=3)  # a handoff without a message of either side
WINDOW = timedelta(hours=23, minutes=55)  # WhatsApp's 24 hours, minus 5 minutes


class EngineError(Exception):
    """The engine cannot do this. Nothing has changed."""


class EventNotAccepted(EngineError):
    """The dialog does not wait for such an event; `reason` is a constant word."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class EngineLimit(EngineError):
    """A limit of this page was hit: the dialog is to be given to managers with `fail`."""
