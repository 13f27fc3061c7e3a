"""The Alembic script directory of the state store's own schema."""
