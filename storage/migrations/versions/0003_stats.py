"""The version that a turn came to, and sums of the turns by step: what a funnel is made of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("turns", sa.Column("version", sa.Integer(), nullable=True))
    op.create_table(
        "step_stats",
        sa.Column("flow", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(length=50), nullable=False),
        sa.Column("entered", sa.BigInteger(), nullable=False),
        sa.Column("went_on", sa.BigInteger(), nullable=False),
        sa.Column("dropped", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("flow", "version", "step", name=op.f("pk_step_stats")),
    )


def downgrade() -> None:
    op.drop_table("step_stats")
    op.drop_column("turns", "version")
