"""Meta's error codes as decisions: later, never, or "nobody knows". Contract: sections 8 and 9.

Decided by `error.code` alone; HTTP statuses differ by year and titles are about to go.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from integrations.base import Later, Never, Unknown
from integrations.whatsapp.wire import clean

WINDOW_CLOSED = 131047
LONGEST_OPAQUE = 512  # characters of biz_opaque_callback_data
_ATTEMPT = re.compile(r"#\d{1,9}\Z")

Scope = Literal["row", "recipient", "system"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do about one code. The wait of the n-th attempt is `first_s * factor ** (n - 1)`, at most `longest_s`."""

    outcome: Literal["later", "never", "unknown"]
    code: str  # the word that flows know: not_found, invalid, forbidden, unavailable
    scope: Scope = "row"
    first_s: float = 2.0
    factor: float = 2.0
    longest_s: float = 300.0
    window_closed: bool = False
    unreachable: bool = False
    stops_system: bool = False
    pauses_templates: bool = False  # nothing may begin a conversation for a while; answers still go
    as_text: bool = False  # the file or form cannot go: a plain text with the link can

    def wait_s(self, attempt: int) -> float:
        """Seconds to wait after that attempt (from 1)."""
        return min(self.longest_s, self.first_s * self.factor ** min(attempt - 1, 30))


_INVALID = Decision("never", "invalid")
_FORBIDDEN = Decision("never", "forbidden")
_STOPPED = Decision("never", "forbidden", stops_system=True)
_LOST = Decision("unknown", "unavailable")  # may hide a send that was accepted
_FALLS_BACK = Decision("never", "invalid", as_text=True)
_RESTRICTED = Decision("later", "unavailable", first_s=3600, factor=1, longest_s=3600, pauses_templates=True)

_BY_CODE: tuple[tuple[Decision, Iterable[int]], ...] = (
    (Decision("later", "unavailable", "system", first_s=1, longest_s=60), [130429]),  # rate of the number
    (Decision("later", "unavailable", "system", first_s=60, longest_s=3600), [4, 80007, 613]),  # of app, account
    (Decision("later", "unavailable", "recipient", first_s=4, factor=4, longest_s=4096), [131056]),  # 4^n s
    (Decision("later", "unavailable", "system", first_s=3, longest_s=60), [131057]),  # maintenance: up to a minute
    (Decision("later", "unavailable"), [133004]),  # registration server away: nothing was sent
    (_RESTRICTED, [131048, 131064]),  # spam, misclassified templates
    (_RESTRICTED, [131042, 131044]),  # payment: only what is paid stops, and answers in the window are free
    (Decision("never", "forbidden", window_closed=True), [WINDOW_CLOSED]),
    (Decision("never", "not_found", unreachable=True), [131026]),
    (_FORBIDDEN, [131049, 130472, 131050, 137000]),  # ecosystem limit, experiment, opted out, identity changed
    (_INVALID, [131021, 131030, 131009, 131008, 100, 135000, 33, 131052, 131062]),
    (_FALLS_BACK, [131051, 131053, 132068, 132069]),  # kind not supported, media, forms blocked or throttled
    (_INVALID, [132000, 132005, 132007, 132008, 132012]),  # template: parameters, length, policy
    (Decision("never", "not_found"), [132001]),
    (_FORBIDDEN, [132015, 132016]),  # template paused, disabled
    (_STOPPED, [0, 190, 3, 10, *range(200, 300), 131005]),  # token, permission
    (_STOPPED, [368, 131031, 130497]),  # account restricted, locked, country
    (_STOPPED, [133010, *(code for code in range(133000, 133017) if code != 133004), 131045, 131037]),  # number
    (_LOST, [1, 2, 131000, 131016]),
)
DECISIONS: dict[int, Decision] = {code: decision for decision, codes in _BY_CODE for code in codes}


@dataclass(frozen=True, slots=True)
class GraphError:
    """The `error` object of an answer."""

    code: int | None
    subcode: int | None = None
    text: str = ""
    is_transient: bool = False

    @classmethod
    def of(cls, body: bytes) -> GraphError | None:
        """The error in an answer's body; None if there is none to be read."""
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError:
            return None
        error = document.get("error") if isinstance(document, dict) else None
        if not isinstance(error, dict):
            return None
        data = error.get("error_data")
        details = data.get("details") if isinstance(data, dict) else None
        text = details or error.get("message")
        return cls(
            _integer(error.get("code")),
            _integer(error.get("error_subcode")),
            clean(text)[:300] if isinstance(text, str) else "",
            error.get("is_transient") is True,
        )


def decide(error: GraphError, status: int) -> Decision:
    """The decision about one error. A code that nobody described is believed only where it surely was a refusal."""
    known = DECISIONS.get(error.code) if error.code is not None else None
    if known is not None:
        return known
    if status >= 500:
        return _LOST
    return Decision("later", "unavailable") if error.is_transient else _INVALID


class RefusedForNow(Later):
    """Later, with the decision behind it."""

    decision: Decision


class Refused(Never):
    """Never, with the decision behind it."""

    decision: Decision


def refusal(
    error: GraphError, status: int, *, attempt: int, retry_after_s: float | None = None
) -> RefusedForNow | Refused | Unknown:
    """The exception to raise for an error of Meta."""
    decision = decide(error, status)
    sentence = f"WhatsApp error {error.code}: {error.text}"
    if decision.outcome == "unknown":
        return Unknown(sentence)
    if decision.outcome == "later":
        wait_s = max(decision.wait_s(attempt), retry_after_s or 0.0)
        later = RefusedForNow(sentence, retry_after_s=wait_s, scope=decision.scope, code=decision.code)
        later.decision = decision
        return later
    never = Refused(
        sentence,
        code=decision.code,
        window_closed=decision.window_closed,
        unreachable=decision.unreachable,
        stops_system=decision.stops_system,
    )
    never.decision = decision
    return never


def opaque(key: str, attempt: int) -> str:
    """Our delivery key and the attempt, for `biz_opaque_callback_data`, which comes back in every status.

    A key of more than about 500 characters is cut and will not be recognised.
    """
    tail = f"#{attempt}"
    return key[: LONGEST_OPAQUE - len(tail)] + tail


def key_of(returned: str | None) -> str | None:
    """The delivery key inside `biz_opaque_callback_data`, whatever attempt it was."""
    return _ATTEMPT.sub("", returned) if returned else None


def _integer(value: Any) -> int | None:
    try:
        return int(value) if isinstance(value, int | str) else None
    except ValueError:
        return None
