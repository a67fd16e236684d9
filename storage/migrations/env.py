"""Alembic's environment: `storage.migrate` hands over an open connection."""

from __future__ import annotations

from alembic import context

from storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=False,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
