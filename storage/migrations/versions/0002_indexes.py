"""Indexes: by message instead of by the other side's id, and nothing for events without a dialog.

Statuses of a channel name a message; its delivery was looked for without an index.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_HAS_DIALOG = sa.text("dialog_id is not null")
_HAS_MESSAGE = sa.text("message_id is not null")


def upgrade() -> None:
    op.drop_index("ix_events_dialog", table_name="events")
    op.create_index(
        "ix_events_dialog", "events", ["dialog_id", "id"], sqlite_where=_HAS_DIALOG, postgresql_where=_HAS_DIALOG
    )
    op.drop_index("ix_deliveries_external", table_name="deliveries")
    op.create_index(
        "ix_deliveries_message",
        "deliveries",
        ["message_id"],
        sqlite_where=_HAS_MESSAGE,
        postgresql_where=_HAS_MESSAGE,
    )


def downgrade() -> None:
    op.drop_index("ix_deliveries_message", table_name="deliveries")
    op.create_index("ix_deliveries_external", "deliveries", ["external_id"])
    op.drop_index("ix_events_dialog", table_name="events")
    op.create_index("ix_events_dialog", "events", ["dialog_id", "id"])
