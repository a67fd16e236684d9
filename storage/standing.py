"""Where the open dialogs stand: one query over the open ones, for pictures and for lists."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from storage.hot import Statement

# Many closed dialogs, few open ones: written like the condition of the index ix_dialogs_open.
_STANDING = Statement(
    "select flow, version, step, count(*) from dialogs where status <> 'closed'"
    " group by flow, version, step order by flow, version, step"
)


@dataclass(frozen=True, slots=True)
class Standing:
    """So many open dialogs that began with `flow` in this version have `step` on top of their stack."""

    flow: str
    version: int
    step: str  # FLOW.STEP, where FLOW may be one that `flow` called
    count: int


def standing(conn: Connection) -> list[Standing]:
    return [Standing(str(row[0]), int(row[1]), str(row[2]), int(row[3])) for row in _STANDING.all(conn)]


def at_steps(rows: list[Standing], flow: str) -> dict[str, int]:
    """Step of `flow` → open dialogs that stand there, of all versions, called or not."""
    found: dict[str, int] = {}
    for row in rows:
        name, _, step = row.step.partition(".")
        if name == flow and step:
            found[step] = found.get(step, 0) + row.count
    return found
