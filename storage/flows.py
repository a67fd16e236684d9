"""Published flows: immutable versions, and which of them is live."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
from sqlalchemy import Connection, func, insert, select, text, update

from storage.hot import Statement
from storage.tables import flow_versions, flows

_LIVE = Statement("select name, live_version from flows")


@dataclass(frozen=True, slots=True)
class StoredFlow:
    """One version as it was published: the texts of the flow, of its translations and of the project file."""

    flow: str
    version: int
    text: str
    project: str
    translations: dict[str, str]  # file name → text
    note: str | None
    created_at: int


def live_versions(conn: Connection) -> dict[str, int]:
    return {str(name): int(version) for name, version in _LIVE.all(conn)}


def get(conn: Connection, flow: str, version: int) -> StoredFlow | None:
    row = conn.execute(
        select(flow_versions).where(flow_versions.c.flow == flow, flow_versions.c.version == version)
    ).first()
    if row is None:
        return None
    return StoredFlow(
        row.flow, row.version, row.text, row.project, orjson.loads(row.translations), row.note, row.created_at
    )


def lock(conn: Connection) -> None:
    """One publishing at a time: several processes may start together. SQLite has one writer anyway."""
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql("select pg_advisory_xact_lock(20260101, 1)")


def publish(
    conn: Connection,
    *,
    flow: str,
    text: str,
    project: str,
    translations: dict[str, str],
    note: str | None,
    now: int,
    keeps_rollback: bool = False,
) -> tuple[int, bool]:
    """Store a new version and make it live, unless it is the newest one already. Returns (version, is_new).

    `keeps_rollback`: an unchanged folder does not undo a rollback to an older version.
    """
    newest = conn.execute(select(func.max(flow_versions.c.version)).where(flow_versions.c.flow == flow)).scalar() or 0
    same = get(conn, flow, newest) if newest else None
    if same is not None and (same.text, same.project, same.translations) == (text, project, translations):
        if not keeps_rollback:
            make_live(conn, flow, newest)
        return newest, False
    version = newest + 1
    conn.execute(
        insert(flow_versions).values(
            flow=flow,
            version=version,
            text=text,
            project=project,
            translations=orjson.dumps(translations, option=orjson.OPT_SORT_KEYS).decode(),
            note=note,
            created_at=now,
        )
    )
    make_live(conn, flow, version)
    return version, True


def make_live(conn: Connection, flow: str, version: int) -> None:
    changed = conn.execute(update(flows).where(flows.c.name == flow).values(live_version=version))
    if changed.rowcount == 0:
        conn.execute(insert(flows).values(name=flow, live_version=version))


def standing(conn: Connection, flow: str) -> dict[tuple[int, str], int]:
    """(version, step) → how many open dialogs have a frame of this flow there, on top of the stack or below."""
    if conn.dialect.name == "postgresql":
        query = (
            "select (f ->> 'version')::int, f ->> 'step', count(*)"
            " from dialogs d cross join lateral jsonb_array_elements(d.state::jsonb -> 'frames') f"
            " where d.status <> 'closed' and f ->> 'flow' = :flow group by 1, 2"
        )
    else:
        query = (
            "select json_extract(f.value, '$.version'), json_extract(f.value, '$.step'), count(*)"
            " from dialogs d, json_each(d.state, '$.frames') f"
            " where d.status <> 'closed' and json_extract(f.value, '$.flow') = :flow group by 1, 2"
        )
    return {(int(row[0]), str(row[1])): int(row[2]) for row in conn.execute(text(query), {"flow": flow})}


def newest_project(conn: Connection) -> str:
    """The project file of the last publishing; "" = none."""
    query = (
        select(flow_versions.c.project)
        .order_by(flow_versions.c.created_at.desc(), flow_versions.c.flow, flow_versions.c.version.desc())
        .limit(1)
    )
    return conn.execute(query).scalar() or ""
