"""merge reviews into the main line

Revision ID: 0ba7e5f193d2
Revises: a92f6d40e7c8, f8246b9e0d15
Create Date: 2026-03-02 10:00:12.778431

"""
from typing import Sequence, Union


# revision identifiers, used by Alembic.
revision: str = "0ba7e5f193d2"
down_revision: Union[str, Sequence[str], None] = ("a92f6d40e7c8", "f8246b9e0d15")
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Upgrade schema."""
    pass


def downgrade() -> None:
    """Downgrade schema."""
    pass
