"""Declarative multi-environment orchestration of Alembic migrations.

The packages are floors: each imports itself and the floors below it, never a sibling. From the
top: `cli`, `run`, (`adapters`, `stores`, `reports`), (`planning`, `dialects`), `domain`, and the
modules `errors` and `clock`. `agent` stands apart and imports none of them.
"""

__version__ = "0.1.0"
