"""The funnel of a published flow, its steps in the order of the file."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from dialogs.reading import ReadingError, read
from storage import flows as stored_flows
from storage import stats


def funnel(conn: Connection, flow: str, version: int | None) -> dict[str, Any] | None:
    """What `GET /api/v1/flows/{flow}/stats` answers; `version` None: all versions together.

    None if there is no such flow or version. Steps that nobody came to are in it, with zeros.
    """
    shown = version if version is not None else stored_flows.live_versions(conn).get(flow)
    stored = None if shown is None else stored_flows.get(conn, flow, shown)
    if stored is None:
        return None
    rows = {row["step"]: row for row in stats.of_flow(conn, flow, version)}
    nobody = {"entered": 0, "went_on": 0, "dropped": 0, "inside": 0, "seconds": None}
    titles = _titles(stored.text)
    steps = [{"step": step, "title": title, **nobody, **rows.pop(step, {})} for step, title in titles.items()]
    goals = [
        {"goal": name.removeprefix("goal:"), "reached": row["entered"]}
        for name, row in rows.items()
        if name.startswith("goal:")
    ]
    steps += [{"title": None, **row} for name, row in rows.items() if not name.startswith("goal:")]
    return {"flow": flow, "version": version, "until": stats.counted_until(conn), "steps": steps, "goals": goals}


_KINDS = ("say", "ask", "branch", "set", "do", "wait", "call", "handoff", "end")


def _titles(text: str) -> dict[str, str]:
    """Step → its kind and the beginning of what it says."""
    try:
        steps = read(text, file="flow.yaml").data.get("steps")
    except ReadingError:
        return {}
    found: dict[str, str] = {}
    for step in steps if isinstance(steps, list) else ():
        if isinstance(step, dict) and isinstance(step.get("id"), str):
            kind = next((kind for kind in _KINDS if kind in step), "")
            said = step.get(kind)
            words = " ".join(said.split()) if isinstance(said, str) else ""
            found[step["id"]] = f"{kind} {words}".strip()[:80]
    return found
