"""Texts of issues and comments are HTML in Okdesk: ours goes out escaped, theirs comes in as plain text.

The reader is a single pass over the text, without backtracking: a comment may be a hostile mail of any size.
"""

from __future__ import annotations

import re
import unicodedata
from html import unescape
from typing import Final

LONGEST_TEXT: Final = 3500  # characters; WhatsApp allows 4096
LARGEST_HTML: Final = 200_000  # characters that are looked at

_TAG: Final = re.compile(r"""<(/?)([a-zA-Z][a-zA-Z0-9:]*+)((?:[^>"']++|"[^"]*+"|'[^']*+')*+)>""")
_ANY_TAG: Final = re.compile(r"<[a-zA-Z/!?][^<>]*+>")
_ATTRIBUTE: Final = re.compile(r"""([a-zA-Z-]+)\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'>]++))""")
_BLOCKS: Final = frozenset({
    "address", "article", "blockquote", "br", "dd", "div", "dl", "dt", "footer", "h1", "h2", "h3", "h4", "h5", "h6",
    "header", "hr", "li", "ol", "p", "pre", "section", "table", "tr", "ul",
})  # fmt: skip
_UNSEEN: Final = frozenset({"script", "style", "head", "title", "template", "noscript"})
_QUOTES: Final = ("gmail_quote", "gmail_signature", "yahoo_quoted", "moz-cite-prefix", "moz-signature")
_LONGEST_LINK: Final = 500


def clean(text: str) -> str:
    """Without control characters and lone surrogates, which no JSON encoder takes; line breaks are kept."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs"))


def to_html(text: str) -> str:
    """A customer's text for Okdesk: `& < >` escaped, line breaks as `<br>`, no other tags."""
    escaped = clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("\n", "<br>")


def to_text(html: str, *, limit: int = LONGEST_TEXT, link: str | None = None) -> str:
    """What a person reads in this HTML, without scripts, pictures, quoted mails and signatures.

    Longer than `limit` characters: cut, with "…" and the `link` to read on.
    """
    reader = _Reader()
    reader.read(html[:LARGEST_HTML])
    text = _tidy("".join(reader.pieces))
    if not text or (len(text) <= limit and len(html) <= LARGEST_HTML):
        return text
    ending = f"…\n{link}" if link else "…"
    return text[: max(0, limit - len(ending))].rstrip() + ending


class _Reader:
    """Collects the text of one piece of HTML."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self._link: tuple[int, str] | None = None  # where the text of the open link begins, its address
        self._skipped: str | None = None  # name of the element whose content is left out
        self._depth = 0

    def read(self, html: str) -> None:
        if not _ANY_TAG.search(html):  # plain text, as other programs write it through the API: its lines are lines
            self.pieces.append(unescape(html))
            return
        last = html.rfind(">")
        at = 0
        while at < len(html):
            begin = html.find("<", at)
            if begin < 0 or (begin > last and not html.startswith("<!--", begin)):
                begin = len(html)
            self._text(html[at:begin])
            at = self._markup(html, begin) if begin < len(html) else begin

    def _markup(self, html: str, begin: int) -> int:
        """Handle what begins with `<` and return where to read on."""
        if html.startswith("<!--", begin):
            end = html.find("-->", begin)
            return len(html) if end < 0 else end + 3
        following = html[begin + 1 : begin + 2]
        if not (following.isalpha() or following in ("/", "!", "?")):
            self._text("<")
            return begin + 1
        found = _TAG.match(html, begin)
        if found is None:  # `<!doctype>`, `<?xml>`, an unclosed quote: up to the next bracket, as browsers do
            return html.find(">", begin) + 1
        name = found[2].lower()
        if found[1]:
            self._closed(name)
        elif name in _UNSEEN:
            closing = re.compile(f"</{name}", re.IGNORECASE).search(html, found.end())
            return closing.start() if closing else len(html)
        else:
            self._opened(name, found[3])
        return found.end()

    def _text(self, raw: str) -> None:
        if raw and not self._skipped:
            self.pieces.append(unescape(re.sub(r"[\r\n\t]+", " ", raw)))

    def _opened(self, name: str, attributes: str) -> None:
        if self._skipped:
            self._depth += name == self._skipped
            return
        if name in ("blockquote", "div", "span") and attributes and _is_quote(name, attributes):
            self._skipped, self._depth = name, 1
            self.pieces.append("\n")
        elif name in ("br", "hr"):
            self.pieces.append("\n")
        elif name in ("td", "th"):
            self.pieces.append(" ")
        elif name in _BLOCKS:
            if self.pieces and not self.pieces[-1].endswith("\n"):
                self.pieces.append("\n")
            if name == "li":
                self.pieces.append("• ")
        elif name == "a":
            self._link = (len(self.pieces), _attribute(attributes, "href"))

    def _closed(self, name: str) -> None:
        if self._skipped:
            self._depth -= name == self._skipped
            if self._depth <= 0:
                self._skipped = None
        elif name in _BLOCKS and name != "br":
            self.pieces.append("\n")
        elif name == "a" and self._link:
            (begin, address), self._link = self._link, None
            shown = "".join(self.pieces[begin:]).strip()
            if address.startswith(("http://", "https://")) and len(address) <= _LONGEST_LINK and address != shown:
                self.pieces.append(f" ({address})" if shown else address)


def _attribute(attributes: str, name: str) -> str:
    for found in _ATTRIBUTE.finditer(attributes):
        if found[1].lower() == name:
            return unescape(found[2] or found[3] or found[4] or "").strip()
    return ""


def _is_quote(name: str, attributes: str) -> bool:
    """The mail that was answered, or a signature: a mail program marks them."""
    if name == "blockquote" and _attribute(attributes, "type").lower() == "cite":
        return True
    marks = _attribute(attributes, "class").lower()
    return any(mark in marks for mark in _QUOTES)


def _tidy(text: str) -> str:
    text = clean(text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{ZERO WIDTH SPACE}", ""))
    lines = [re.sub(r"[ \t]+", " ", line).strip() for line in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
