"""Phones as Okdesk keeps them: free text, compared as text. Source: Okdesk's contract, section 15."""

from __future__ import annotations

import re
from typing import Final

_COMPARED: Final = 10  # digits: a Russian number without the country code


def e164(written: str) -> str | None:
    """`+7…` for the Russian ways of writing, `+digits` for other countries; None if it is no phone."""
    written = written.strip()
    digits = re.sub(r"[^0-9]", "", written)
    if len(digits) == 10 and digits[0] == "9":
        return f"+7{digits}"
    if len(digits) == 11 and digits[0] in "78":
        return f"+7{digits[1:]}"
    if not 8 <= len(digits) <= 15:
        return None
    return f"+{digits.removeprefix('00')}" if digits.startswith("00") else f"+{digits}"


def spellings(phone: str) -> tuple[str, ...]:
    """How an E.164 number may stand in a contact, in the order to ask for."""
    digits = phone.removeprefix("+")
    if len(digits) == 11 and digits[0] == "7":
        a, b, c, d = digits[1:4], digits[4:7], digits[7:9], digits[9:11]
        return (
            phone,
            digits,
            f"8{digits[1:]}",
            digits[1:],
            f"+7({a}){b}-{c}-{d}",
            f"+7 ({a}) {b}-{c}-{d}",
        )
    return (phone, digits)


def tail(phone: str | None) -> str:
    """The last ten digits: what two spellings of one number have in common."""
    return re.sub(r"[^0-9]", "", phone or "")[-_COMPARED:]


def is_same(phone: str, *written: str | None) -> bool:
    """One of the numbers as written is this phone."""
    wanted = tail(phone)
    return len(wanted) >= 8 and any(tail(other) == wanted for other in written)
