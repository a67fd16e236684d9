"""Dead deliveries are found without reading those that are done: they are listed by their reasons, page by page."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_IS_DEAD = sa.text("state = 5")


def upgrade() -> None:
    op.create_index("ix_deliveries_dead", "deliveries", ["id"], sqlite_where=_IS_DEAD, postgresql_where=_IS_DEAD)


def downgrade() -> None:
    op.drop_index("ix_deliveries_dead", table_name="deliveries")
