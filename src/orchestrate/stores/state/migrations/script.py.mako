"""${message}"""

from __future__ import annotations

from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply; must be safe to repeat, because MySQL may have done a part of it before a crash."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Refuse: a journal is not thrown away."""
    raise NotImplementedError
