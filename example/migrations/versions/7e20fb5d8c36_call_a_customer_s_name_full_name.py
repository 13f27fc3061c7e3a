"""call a customer's name full_name

Revision ID: 7e20fb5d8c36
Revises: b18c64ea97f0
Create Date: 2026-04-01 13:07:19.447286

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision: str = "7e20fb5d8c36"
down_revision: Union[str, Sequence[str], None] = "b18c64ea97f0"
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Upgrade schema."""
    with op.batch_alter_table("customers") as batch:
        batch.alter_column("name", new_column_name="full_name", existing_type=sa.String(length=200))


def downgrade() -> None:
    """Downgrade schema."""
    with op.batch_alter_table("customers") as batch:
        batch.alter_column("full_name", new_column_name="name", existing_type=sa.String(length=200))
