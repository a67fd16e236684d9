"""Text in UTF-16 units, as Telegram counts it: measuring, cutting, and cleaning of halves of surrogate pairs."""

from __future__ import annotations

BORDERS = ("\n\n", "\n", " ")  # where a long text is cut, the best first


def clean(text: str) -> str:
    """Well-formed text: lone surrogates and U+0000 become U+FFFD, everything else stays as it is.

    SQLite and the form encoder raise on a lone surrogate, PostgreSQL on U+0000.
    """
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")


def units(text: str) -> int:
    """Length in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def head(text: str, limit: int) -> str:
    """The longest beginning of at most `limit` units; never half of a surrogate pair."""
    if units(text) <= limit:
        return text
    return text.encode("utf-16-le", "surrogatepass")[: limit * 2].decode("utf-16-le", "ignore")


def shorten(text: str, limit: int) -> str:
    """At most `limit` units, with `…` where something was cut off."""
    return text if units(text) <= limit else head(text, limit - 1).rstrip() + "…"


def split(text: str, limit: int) -> list[str]:
    """Pieces of at most `limit` units, cut at paragraphs, else lines, else words; blank pieces are left out.

    A border in the first quarter of a piece is not used: it would leave a stub of a message.
    """
    pieces: list[str] = []
    rest = text.strip()
    while units(rest) > limit:
        piece = head(rest, limit)
        # a border right after the piece counts too: then the whole piece is taken
        window = rest[: len(piece) + 2]
        for border in BORDERS:
            end = window.rfind(border, 0, len(piece) + len(border))
            if end > len(piece) // 4:
                piece = rest[:end]
                break
        rest = rest[len(piece) :].lstrip()
        pieces.append(piece.rstrip())
    pieces.append(rest)
    return [piece for piece in pieces if piece.strip()]
