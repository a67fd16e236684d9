"""Who may do what must not be done twice at once, which processes are alive, and which older code still works."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    floor = op.create_table(
        "schema_floor",
        sa.Column("revision", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("revision", name=op.f("pk_schema_floor")),
    )
    op.bulk_insert(floor, [{"revision": "0004"}])  # a migration that takes something away raises it
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("owner", sa.String(length=60), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )

    op.add_column("conversations", sa.Column("apologized_at", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("conversations", "apologized_at")
    op.drop_table("leases")
    op.drop_table("schema_floor")
