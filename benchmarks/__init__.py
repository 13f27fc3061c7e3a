"""How orchestrate compares with plain Alembic: `make bench`, or `python -m benchmarks`."""
