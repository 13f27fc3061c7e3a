"""fill in the slugs

One by one, in Python: the slow one of this example. It reads what it changes, so it cannot be
rendered as SQL.

Revision ID: d5e93072bc4a
Revises: 6c41d8fa20e9
Create Date: 2026-03-09 15:41:20.563309

"""
import re
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision: str = "d5e93072bc4a"
down_revision: Union[str, Sequence[str], None] = "6c41d8fa20e9"
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Upgrade schema."""
    connection = op.get_bind()
    products = sa.table("products", sa.column("id"), sa.column("name"), sa.column("slug"))
    missing = sa.select(products.c.id, products.c.name).where(products.c.slug.is_(None))
    for product in connection.execute(missing).all():
        words = re.findall(r"[a-z0-9]+", product.name.lower())
        connection.execute(
            products.update().where(products.c.id == product.id).values(slug="-".join(words))
        )


def downgrade() -> None:
    """Downgrade schema."""
    op.execute("UPDATE products SET slug = NULL")
