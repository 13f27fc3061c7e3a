"""Alembic's environment for the state store: runs on the connection that `schema` hands in."""

from __future__ import annotations

from alembic import context

from orchestrate.stores.state.tables import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=context.config.attributes["transactional_ddl"],
)
with context.begin_transaction():
    context.run_migrations()
