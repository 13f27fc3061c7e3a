"""require slugs and make them unique

Revision ID: b18c64ea97f0
Revises: d5e93072bc4a
Create Date: 2026-03-16 09:22:44.019853

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision: str = "b18c64ea97f0"
down_revision: Union[str, Sequence[str], None] = "d5e93072bc4a"
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Upgrade schema."""
    with op.batch_alter_table("products") as batch:
        batch.alter_column("slug", existing_type=sa.String(length=220), nullable=False)
        batch.create_unique_constraint(op.f("uq_products_slug"), ["slug"])


def downgrade() -> None:
    """Downgrade schema."""
    with op.batch_alter_table("products") as batch:
        batch.drop_constraint(op.f("uq_products_slug"), type_="unique")
        batch.alter_column("slug", existing_type=sa.String(length=220), nullable=True)
