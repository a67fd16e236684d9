"""How wide a text is in the picture, without a browser to ask: a table of the widths of Arial and its look-alikes."""

from __future__ import annotations

import unicodedata

FONT = "Arial, 'Liberation Sans', Helvetica, sans-serif"  # one set of widths on every system

_BOLD = 109  # percent of the regular width
_WIDE = 1000  # East Asian characters and emoji
_USUAL = 600

_GROUPS = {
    200: "'",
    228: "ijl",
    278: " !,./:;I[\\]ft|·\u00a0",
    340: '()-`r{}"',
    380: "*г",
    500: "Jcksvxyz^уктзхсью",
    560: "#$0123456789?L_abdeghnopqu«»–ёаеийнорГвпэь₽",
    590: "+<=>~×Кбдлця",
    640: "FTZТъЗУ",
    667: "&ABEKPSVXYЁАБВЕЛРХЧЬжЮ",
    722: "CDHNRUwИЙНПСЭЯыДмЦ",
    800: "GOQОФюЪ",
    833: "шфщmМM",
    944: "%ЫЖШЩW",
    1000: "…—→←↩Ю@",
    1080: "№",
}
_WIDTHS = {char: width for width, chars in _GROUPS.items() for char in chars}  # thousandths of the font's size


def width_of(text: str, size: int, *, is_bold: bool = False) -> int:
    """Pixels, rounded up."""
    total = sum([_WIDTHS.get(char) or _guess(char) for char in text]) * size
    return -(-total * (_BOLD if is_bold else 100) // 100_000)


def cut(text: str, width: int, size: int, *, is_bold: bool = False) -> str:
    """The beginning of `text` that fits into `width` pixels, with an ellipsis if something is left out."""
    text = one_line(text)
    if width_of(text, size, is_bold=is_bold) <= width:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if width_of(text[:middle].rstrip() + "…", size, is_bold=is_bold) <= width:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip(" ,;:.-–—") + "…"


def one_line(text: str) -> str:
    """Blanks and line breaks become single blanks; characters that no picture should hold are dropped."""
    return " ".join("".join([char for char in text if char.isspace() or is_shown(char)]).split())


def is_shown(char: str) -> bool:
    return unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Cn", "Co")


def _guess(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return _WIDE if unicodedata.east_asian_width(char) in "WF" else _USUAL if char.islower() else 720
