"""Where open dialogs stand, counted by the same statements on both databases."""

from __future__ import annotations

from storage import flows as stored_flows
from storage.database import Database
from storage.ids import Ids
from storage.standing import Standing, at_steps, standing
from storage.unit import DialogRow, UnitOfWork

NOW = 1_790_000_000_000


async def test_open_dialogs_are_counted_by_step_and_by_every_frame(database: Database) -> None:
    ids = Ids()
    frames = (
        '{"frames": [{"flow": "lead", "version": 2, "step": "who"}, {"flow": "contact", "version": 1, "step": "name"}]}'
    )

    def fill(conn: object) -> None:
        unit = UnitOfWork(conn, NOW, ids)  # type: ignore[arg-type]
        for status in ("active", "active", "handed_off", "closed"):
            row = DialogRow(unit.next_id(), None, None, "whatsapp", "lead", 2, "contact.name", status, None, 1, frames,
                            NOW, NOW)  # fmt: skip
            unit.add_dialog(row)
        unit.flush()

    await database.write(fill)
    rows = await database.read(standing)
    assert rows == [Standing("lead", 2, "contact.name", 3)]
    assert at_steps(rows, "contact") == {"name": 3}
    assert await database.read(lambda conn: stored_flows.standing(conn, "lead")) == {(2, "who"): 3}
    assert await database.read(lambda conn: stored_flows.standing(conn, "contact")) == {(1, "name"): 3}
    assert await database.read(lambda conn: stored_flows.standing(conn, "other")) == {}
