"""Runs the migrations in the transaction that tapekit/catalog/database.py began."""

from alembic import context

attributes = context.config.attributes
context.configure(
    connection=attributes["connection"], target_metadata=attributes["metadata"], transaction_per_migration=False
)
context.run_migrations()
