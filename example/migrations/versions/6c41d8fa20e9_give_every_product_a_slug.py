"""give every product a slug

Revision ID: 6c41d8fa20e9
Revises: 0ba7e5f193d2
Create Date: 2026-03-09 15:36:57.182065

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision: str = "6c41d8fa20e9"
down_revision: Union[str, Sequence[str], None] = "0ba7e5f193d2"
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Upgrade schema."""
    op.add_column("products", sa.Column("slug", sa.String(length=220), nullable=True))


def downgrade() -> None:
    """Downgrade schema."""
    with op.batch_alter_table("products") as batch:
        batch.drop_column("slug")
