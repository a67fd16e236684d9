"""The verifier may not import the integrations: its numbers are held against theirs here."""

from __future__ import annotations

from dialogs.verify.limits import CHANNEL_LIMITS, MAX_BUTTONS, limit_of, units
from integrations.telegram.render import LIMITS as TELEGRAM
from integrations.whatsapp.render import LIMITS as WHATSAPP


def test_the_numbers_are_those_of_the_channels() -> None:
    assert CHANNEL_LIMITS["whatsapp"] == {
        "text": WHATSAPP["text"],
        "question": WHATSAPP["body"],
        "options": WHATSAPP["rows"],
        "button": WHATSAPP["button_title"],
        "row": WHATSAPP["row_title"],
        "about": WHATSAPP["row_about"],
        "list_button": WHATSAPP["list_button"],
    }
    assert WHATSAPP["buttons"] == MAX_BUTTONS
    assert CHANNEL_LIMITS["telegram"] == {
        "text": TELEGRAM["text"],
        "question": TELEGRAM["text_with_options"],
        "options": TELEGRAM["options"],
        "button": TELEGRAM["title"],
        "row": TELEGRAM["title"],
    }


def test_of_several_channels_the_strictest_counts() -> None:
    assert limit_of(("telegram",), "button") == 60
    assert limit_of(("telegram", "whatsapp"), "button") == 20
    assert limit_of(("telegram",), "about") is None
    assert limit_of((), "text") is None
    assert units("да🙂") == 4
