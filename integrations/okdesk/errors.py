"""What Okdesk's refusals mean: "later", "never", and the sentence in them.

Source of the shapes: the account's answers collected in Okdesk's contract, section 3.
"""

from __future__ import annotations

from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from integrations.base import Later, Never

LONGEST_PAUSE_S: Final = 3600.0
_MOST_PROBLEMS: Final = 20
_LONGEST_MESSAGE: Final = 500
_DEEPEST: Final = 6


class Refused(Never):
    """Okdesk understood the request and said no. `problems` are lines "path: text"; `status` the HTTP status."""

    def __init__(
        self,
        message: str,
        *,
        status: int,
        problems: tuple[str, ...] = (),
        code: str = "invalid",
        stops_system: bool = False,
    ) -> None:
        super().__init__(message, code=code, stops_system=stops_system)
        self.status = status
        self.problems = problems

    def is_about(self, name: str) -> bool:
        """One of the problems names this field."""
        return any(name in problem for problem in self.problems)


def flat_errors(errors: Any) -> tuple[str, ...]:
    """Every shape of `errors` as lines "path: text": a text, a list, a map of texts or lists, nested maps."""
    lines: list[str] = []

    def collect(value: Any, path: tuple[str, ...]) -> None:
        if len(lines) >= _MOST_PROBLEMS:
            return
        if isinstance(value, dict) and len(path) < _DEEPEST:
            for name, inner in value.items():
                collect(inner, (*path, str(name)))
        elif isinstance(value, list) and len(path) < _DEEPEST:
            for inner in value:
                collect(inner, path)
        elif value not in (None, "", [], {}):
            text = str(value)[:200]
            lines.append(f"{'.'.join(path)}: {text}" if path else text)

    collect(errors, ())
    return tuple(lines)


def refusal(status: int, body: Any, *, missing: bool = False) -> Never | Later:
    """The error for an answer that is no success. `body` is parsed JSON or None (HTML, empty).

    `missing`: a 2xx with `errors` means here that the object was deleted or merged.
    """
    problems = flat_errors(body.get("errors")) if isinstance(body, dict) else ()
    said = "; ".join(problems)[:_LONGEST_MESSAGE]
    if status == 401:
        return Refused(
            "Okdesk does not accept our token (401).", status=status, problems=problems, code="forbidden",
            stops_system=True,
        )  # fmt: skip
    if status == 403:
        return Refused(
            f"Okdesk: the role of our key lacks this right (403). {said}".rstrip(),
            status=status,
            problems=problems,
            code="forbidden",
        )
    if status == 404 or (missing and status < 300):
        return Refused(
            f"Okdesk has no such object. {said}".rstrip(), status=status, problems=problems, code="not_found"
        )
    return Refused(f"Okdesk refused ({status}). {said}".rstrip(), status=status, problems=problems, code="invalid")


def retry_after_s(header: str | None, now: datetime) -> float | None:
    """Seconds to wait by a Retry-After header, given in seconds or as an HTTP date; at most an hour."""
    if not header:
        return None
    try:
        seconds = float(header.strip())
    except ValueError:
        try:
            moment = parsedate_to_datetime(header.strip())
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        if moment.tzinfo is None:
            return None
        seconds = (moment - now).total_seconds()
    if seconds != seconds:
        return None
    return min(max(seconds, 0.0), LONGEST_PAUSE_S)
