"""The funnel of a flow: how many entered each step, went on from it, were lost in it, and how long they took.

Kept as small sums (`step_stats`), to which the turns of the journal are added in the background, each once.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, text

from storage.clock import from_ms
from storage.hot import Statement

BATCH = 500
LAG_MS = 60_000  # in PostgreSQL a turn with a smaller number may be committed later than one with a greater
_PLACE = "stats_turn"  # in `counters`: the last turn that was added
_LOST = ("silent", "cancelled", "failed")
_LEFT_UNANSWERED = frozenset({"silence", "gave_up"})  # what the journal says of a question that was given up
_PEOPLE = ("message", "press")  # turns in which somebody answered

# When the step that a turn leads out of had been entered, and in which version.
_ENTERED = (
    "from turns e where e.dialog_id = t.dialog_id and e.turn < t.turn and e.to_step = t.from_step"
    " and (e.from_step is null or e.from_step <> e.to_step) order by e.turn desc limit 1"
)
_TURNS = Statement(
    "select t.id, t.at, t.event, t.from_step, t.to_step, t.version, t.trace, t.effects,"  # noqa: S608
    f" (select e.at {_ENTERED}), (select e.version {_ENTERED})"
    " from turns t where t.id > :last order by t.id limit :limit"
)
_GET_PLACE = Statement("select value from counters where name = :name")
_SET_PLACE = Statement(
    "insert into counters (name, value) values (:name, :value) on conflict (name) do update set value = excluded.value"
)
_ADD = Statement(
    "insert into step_stats (flow, version, step, entered, went_on, dropped, seconds)"
    " values (:flow, :version, :step, :entered, :went_on, :dropped, :seconds)"
    " on conflict (flow, version, step) do update set"
    " entered = step_stats.entered + excluded.entered, went_on = step_stats.went_on + excluded.went_on,"
    " dropped = step_stats.dropped + excluded.dropped, seconds = step_stats.seconds + excluded.seconds"
)


@dataclass(slots=True)
class _Sums:
    entered: int = 0
    went_on: int = 0
    dropped: int = 0
    seconds: int = 0


def roll_up(conn: Connection, *, now: int) -> bool:
    """Add the next turns to the sums. True if there may be more."""
    if conn.dialect.name == "postgresql":
        lag = LAG_MS
        if not conn.execute(text("select pg_try_advisory_xact_lock(20260101, 2)")).scalar():
            return False  # another process is at it
    else:
        lag = 0
    found = _GET_PLACE.first(conn, name=_PLACE)
    last = int(found[0]) if found else 0
    rows = _TURNS.all(conn, last=last, limit=BATCH)
    sums: dict[tuple[str, int, str], _Sums] = defaultdict(_Sums)
    done = last
    for row in rows:
        if row[1] > now - lag:
            break
        done = row[0]
        _add(sums, row)
    if done > last:
        _ADD.many(conn, [(*key, s.entered, s.went_on, s.dropped, s.seconds) for key, s in sums.items()])
        _SET_PLACE.run(conn, name=_PLACE, value=done)
    return len(rows) == BATCH and done == rows[-1][0]


def _add(sums: dict[tuple[str, int, str], _Sums], row: Any) -> None:
    _, at, event, from_step, to_step, version, trace, effects, entered_at, entered_version = row
    ordered, decisions = orjson.loads(effects), orjson.loads(trace).get("decided", ())
    # Counted where the person was lost, not again at the actions that follow.
    lost = not _LEFT_UNANSWERED.isdisjoint(decisions) or (
        event in _PEOPLE and any(e.get("effect") == "EndDialog" and e.get("tag") in _LOST for e in ordered)
    )
    if to_step is not None and to_step != from_step:
        flow, _, step = to_step.partition(".")
        sums[flow, version or 0, step].entered += 1
    # A walk may lead through two flows: the end of a called one and its caller. The version is known of both ends only.
    for owner, _, passed in (d[4:].partition(".") for d in decisions if d.startswith("via:")):
        for_version = _version_of(owner, to_step, version, from_step, entered_version)
        passing = sums[owner, for_version, passed[:50]]
        passing.entered += 1
        passing.went_on += 1
    if from_step is not None and (lost or to_step != from_step):
        flow, _, step = from_step.partition(".")
        left = sums[flow, entered_version or version or 0, step]
        left.dropped += lost
        left.went_on += not lost
        if entered_at is not None:
            left.seconds += max(at - entered_at, 0) // 1000
    for effect in ordered:
        if effect.get("effect") == "CountGoal":
            owner = effect["step"].partition(".")[0]
            for_version = _version_of(owner, to_step, version, from_step, entered_version)
            sums[owner, for_version, f"goal:{effect['goal']}"[:50]].entered += 1


def _version_of(
    flow: str, to_step: str | None, version: int | None, from_step: str | None, entered_version: int | None
) -> int:
    """The version in which `flow` was passed: that of the end of the turn it belongs to."""
    if to_step is not None and to_step.partition(".")[0] == flow:
        return version or 0
    if from_step is not None and from_step.partition(".")[0] == flow:
        return entered_version or version or 0
    return version or 0


def of_flow(conn: Connection, flow: str, version: int | None = None) -> list[dict[str, Any]]:
    """The sums of one version, or of all, by step and goal: entered, went_on, dropped, inside, seconds (on average)."""
    query = "select step, sum(entered), sum(went_on), sum(dropped), sum(seconds) from step_stats where flow = :flow"
    query += "" if version is None else " and version = :version"
    given: dict[str, Any] = {"flow": flow} if version is None else {"flow": flow, "version": version}
    told = []
    for step, entered, went_on, dropped, seconds in conn.execute(text(f"{query} group by step order by step"), given):
        ended = int(went_on) + int(dropped)
        told.append(
            {
                "step": step,
                "entered": int(entered),
                "went_on": int(went_on),
                "dropped": int(dropped),
                "inside": max(int(entered) - ended, 0),
                "seconds": round(int(seconds) / ended, 1) if ended else None,
            }
        )
    return told


def counted_until(conn: Connection) -> str | None:
    """The time of the last turn in the sums, ISO 8601."""
    query = text(
        "select at from turns where id <= (select value from counters where name = :name) order by id desc limit 1"
    )
    at = conn.execute(query.bindparams(name=_PLACE)).scalar()
    return None if at is None else from_ms(at).isoformat()
