"""index what the pages search by

Revision ID: 1d7af2835c9b
Revises: c03b96f7e218
Create Date: 2026-01-20 10:27:48.336590

"""
from typing import Sequence, Union

from alembic import op


# revision identifiers, used by Alembic.
revision: str = "1d7af2835c9b"
down_revision: Union[str, Sequence[str], None] = "c03b96f7e218"
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Upgrade schema."""
    op.create_index(op.f("ix_products_name"), "products", ["name"])
    op.create_index(op.f("ix_orders_customer_id_placed_at"), "orders", ["customer_id", "placed_at"])
    op.create_index(op.f("ix_order_lines_order_id"), "order_lines", ["order_id"])
    op.create_index(op.f("ix_order_lines_product_id"), "order_lines", ["product_id"])


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_index(op.f("ix_order_lines_product_id"), table_name="order_lines")
    op.drop_index(op.f("ix_order_lines_order_id"), table_name="order_lines")
    op.drop_index(op.f("ix_orders_customer_id_placed_at"), table_name="orders")
    op.drop_index(op.f("ix_products_name"), table_name="products")
