"""What an action is to a flow: its name, parameters and result. The integrations write these down, bot joins them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

ValueType = Literal["text", "number", "flag", "money", "list", "files"]


@dataclass(frozen=True, slots=True)
class Parameter:
    type: ValueType = "text"
    required: bool = False
    default: str | None = None  # as a flow author would write it


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """One action of the catalogue (FLOWS.md section 9)."""

    name: str  # okdesk.create_issue
    writes: bool
    parameters: Mapping[str, Parameter]
    result: Mapping[str, ValueType] = field(default_factory=dict)
    one_of: tuple[str, ...] = ()  # exactly one of these parameters must be given
    subject: tuple[str, str] | None = None  # (kind, name): parameter or result that names the issue or order to link


Catalogue = Mapping[str, ActionSpec]
