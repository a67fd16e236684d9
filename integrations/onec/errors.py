"""What can be wrong: with a field of an event that 1C sent, and with a call of ours to 1C."""

from __future__ import annotations

from integrations.base import Later, Never


class OnecError(Exception):
    """The base of everything that reading 1C's data raises."""


class BadValue(OnecError):
    """A value cannot be read. `message` is Russian: the 1C programmer sees it in the answer."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class FieldError(OnecError):
    """An event cannot be accepted because of one field."""

    def __init__(self, code: str, message: str, field: str | None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field


class Refusal(OnecError):
    """The whole request is refused with this HTTP status."""

    def __init__(self, status: int, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.field = field


class NotPublished(Never):
    """The HTTP service or the OData interface is not there at all: a wrong address or nothing published."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="unavailable")


class NotFound(Never):
    """1C works and has no such object."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="not_found")


class Rejected(Never):
    """1C understood and refuses; a repeat would be refused again."""


class ConfigurationError(Rejected):
    """The code of the configuration raised (HTTP 500, OData code -1 or the text of an exception)."""


class Unavailable(Later):
    """1C cannot be reached, is overloaded or has no free licence."""
