"""Elements of SVG as text. Whatever comes from a flow file passes `escaped`."""

from __future__ import annotations

from collections.abc import Iterable

from dialogs.draw.measure import is_shown

_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}


def escaped(text: str) -> str:
    """For an attribute or between tags; characters that XML does not know are left out."""
    return "".join([_ESCAPES.get(char, char) for char in text if char == "\n" or is_shown(char)])


def element(name: str, **attributes: str | int) -> str:
    """`class_` stands for `class`, `stroke_width` for `stroke-width`. Values are escaped."""
    return f"<{name}{_written(attributes)}/>"


def group(parts: Iterable[str], *, title: str, **attributes: str | int) -> str:
    return f"<g{_written(attributes)}><title>{escaped(title)}</title>{''.join(parts)}</g>"


def text(content: str, x: int, y: int, **attributes: str | int) -> str:
    return f'<text x="{x}" y="{y}"{_written(attributes)}>{escaped(content)}</text>'


def _written(attributes: dict[str, str | int]) -> str:
    return "".join(
        [f' {name.rstrip("_").replace("_", "-")}="{escaped(str(value))}"' for name, value in attributes.items()]
    )
