"""load the opening catalogue

Eight thousand products, numbered on. A data migration: no table is changed.

Revision ID: e64810bd5a3f
Revises: 1d7af2835c9b
Create Date: 2026-02-02 08:55:10.842971

"""
from typing import Sequence, Union

from alembic import op


# revision identifiers, used by Alembic.
revision: str = "e64810bd5a3f"
down_revision: Union[str, Sequence[str], None] = "1d7af2835c9b"
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Upgrade schema."""
    op.execute(
        """
        INSERT INTO products (id, sku, name, price)
        WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 8000)
        SELECT
            n,
            'SKU-' || n,
            CASE n % 4
                WHEN 0 THEN 'Teapot' WHEN 1 THEN 'Blue Mug' WHEN 2 THEN 'Kitchen Scales'
                ELSE 'Bread Knife'
            END || ' No. ' || n,
            4.90 + n % 60
        FROM numbers
        """
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.execute("DELETE FROM products WHERE id <= 8000")
