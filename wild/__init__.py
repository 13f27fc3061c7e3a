"""Drives Alembic projects out of the wild with `orchestrate`, and tells how that went."""
