"""What people type, made comparable: cleaned for keeping, and in the form in which titles and words are compared."""

from __future__ import annotations

import re
import unicodedata

# Removed: controls but tab and line feed, lone surrogates, and the invisible signs that steer direction or joining.
# Phones copied from an address book come between U+202A and U+202C. U+200C and U+200D stay: Persian and emoji.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_LINE_BREAK = re.compile("\r\n?|[\x85\u2028\u2029]")
# Not compared: everything but letters, digits, and the three signs that titles differ by ("< 1000", "C++").
_NOT_COMPARED = re.compile(r"(?:[^\w+<>]|_)+")
_APOSTROPHE = re.compile("(?<=\\w)['’ʼ](?=\\w)")


def clean(text: str) -> str:
    """NFC without control characters and lone surrogates; line breaks are \\n, no blanks around."""
    if text.isascii() and text.isprintable():
        return text.strip()
    text = _INVISIBLE.sub("", _LINE_BREAK.sub("\n", text))
    if not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", text)
    return text.strip()


def normal(text: str) -> str:
    """The form in which titles, words and phrases are compared.

    Case folded, ё as е, punctuation and emoji removed, blanks single. A text of nothing but punctuation and emoji
    (the title "👍") keeps them, so that it can be compared at all.
    """
    folded = clean(text).casefold().replace("ё", "е")
    if not folded.isalpha():
        compared = _NOT_COMPARED.sub(" ", _APOSTROPHE.sub("", folded)).strip()
        return compared or " ".join(folded.split())
    return folded


def contains_phrase(message: str, phrase: str) -> bool:
    """Whether `phrase` stands in `message` as whole words, both in their normal form."""
    words = normal(phrase)
    return bool(words) and f" {words} " in f" {normal(message)} "
