"""limit an order's status, add its currency

Revision ID: a92f6d40e7c8
Revises: 57b9ce03d1a4
Create Date: 2026-02-17 09:03:40.911726

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision: str = "a92f6d40e7c8"
down_revision: Union[str, Sequence[str], None] = "57b9ce03d1a4"
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Upgrade schema."""
    with op.batch_alter_table("orders") as batch:
        batch.add_column(
            sa.Column("currency", sa.String(length=3), server_default="EUR", nullable=False)
        )
        batch.create_check_constraint(
            op.f("ck_orders_status"), "status IN ('open', 'paid', 'sent', 'returned')"
        )


def downgrade() -> None:
    """Downgrade schema."""
    with op.batch_alter_table("orders") as batch:
        batch.drop_constraint(op.f("ck_orders_status"), type_="check")
        batch.drop_column("currency")
