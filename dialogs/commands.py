"""Commands: `/start`, `/cancel@our_bot`, `/start payload`."""

from __future__ import annotations

import re

_COMMAND = re.compile(r"/([a-z][a-z0-9_]{0,39})(?:@[a-z0-9_]+)?(?:\s+(.*))?", re.IGNORECASE | re.DOTALL)


def command_of(text: str) -> tuple[str, str | None] | None:
    """Name in lower case and what follows it; None if the text is no command."""
    if not text.startswith("/"):
        return None
    found = _COMMAND.fullmatch(text)
    return (found[1].lower(), found[2] or None) if found else None
