"""The colours of a picture, on a light and on a dark ground."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Tone(NamedTuple):
    """A kind of node: its ground and its border, which is also the colour of its name."""

    fill: str
    line: str
    dark_fill: str
    dark_line: str


KINDS: Mapping[str, Tone] = MappingProxyType(
    {
        "say": Tone("#e9f2fe", "#1f66c1", "#14273f", "#78b0f5"),
        "ask": Tone("#e5f6ea", "#1a7f47", "#12301f", "#6fd19a"),
        "branch": Tone("#fff4d6", "#946200", "#36290b", "#e9b949"),
        "set": Tone("#eef0f3", "#56616e", "#262b31", "#a9b4c0"),
        "do": Tone("#f1eafd", "#6f3fc0", "#291d42", "#b596f0"),
        "wait": Tone("#def5f6", "#0b747d", "#0d2f33", "#5ec8d2"),
        "call": Tone("#e8eafd", "#4049c4", "#1e2247", "#9aa3f7"),
        "handoff": Tone("#fde8f1", "#b3246a", "#3d1528", "#f28bb9"),
        "end": Tone("#e4e7eb", "#333c47", "#2b3138", "#d3dae2"),
        "start": Tone("#ffffff", "#333c47", "#1b1f24", "#d3dae2"),
        "interrupts": Tone("#ffffff", "#56616e", "#1b1f24", "#a9b4c0"),
        "missing": Tone("#fdeaea", "#b42318", "#3f1512", "#f7938a"),
    }
)

INK, PALE_INK, GROUND, LINE = "#1d242c", "#56616e", "#fbfcfd", "#4a5561"
TROUBLE, EDIT, BADGE, DEAD = "#b3541e", "#6f3fc0", "#c92a2a", "#b42318"

_DARK = {"ink": "#e8edf2", "pale": "#a9b4c0", "ground": "#15181c", "line": "#b3bdc8"}
_DARK_TROUBLE, _DARK_EDIT, _DARK_DEAD = "#f0a070", "#b596f0", "#f7938a"


def dark_rules() -> str:
    """A style sheet that repaints the picture where the reader prefers a dark ground.

    The light colours are attributes, which any style sheet overrules: a page that forbids inline styles shows those.
    """
    rules = [
        f".ground{{fill:{_DARK['ground']}}}",
        f".ink{{fill:{_DARK['ink']}}}",
        f".pale{{fill:{_DARK['pale']}}}",
        f".line{{stroke:{_DARK['line']}}}",
        f".head{{fill:{_DARK['line']}}}",
        f".trouble .line{{stroke:{_DARK_TROUBLE}}}",
        f".trouble .head,.trouble .said{{fill:{_DARK_TROUBLE}}}",
        f".edit .line{{stroke:{_DARK_EDIT}}}",
        f".edit .head,.edit .said{{fill:{_DARK_EDIT}}}",
        f".dead .box{{stroke:{_DARK_DEAD}}}",
        f".dead .warning{{fill:{_DARK_DEAD}}}",
    ]
    for name, tone in KINDS.items():
        rules.append(f".kind-{name} .box,.to-{name} .tag{{fill:{tone.dark_fill};stroke:{tone.dark_line}}}")
        rules.append(f".kind-{name} .stripe,.kind-{name} .kind,.to-{name} .name{{fill:{tone.dark_line}}}")
    return "@media (prefers-color-scheme: dark){" + "".join(rules) + "}"
