"""allow one review per customer and product

Revision ID: f8246b9e0d15
Revises: 39d05e8c71fb
Create Date: 2026-02-24 12:19:33.650482

"""
from typing import Sequence, Union

from alembic import op


# revision identifiers, used by Alembic.
revision: str = "f8246b9e0d15"
down_revision: Union[str, Sequence[str], None] = "39d05e8c71fb"
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Upgrade schema."""
    with op.batch_alter_table("reviews") as batch:
        batch.create_check_constraint(op.f("ck_reviews_rating"), "rating BETWEEN 1 AND 5")
        batch.create_index(
            op.f("uq_reviews_product_id_customer_id"), ["product_id", "customer_id"], unique=True
        )


def downgrade() -> None:
    """Downgrade schema."""
    with op.batch_alter_table("reviews") as batch:
        batch.drop_index(op.f("uq_reviews_product_id_customer_id"))
        batch.drop_constraint(op.f("ck_reviews_rating"), type_="check")
