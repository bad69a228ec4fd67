"""How many rows the entries of a dataset take, which counts for its owner."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("datasets", sa.Column("entry_count", sa.Integer(), server_default="0", nullable=False))
    op.execute("UPDATE datasets SET entry_count = item_count + duplicate_count + rejected_count")


def downgrade() -> None:
    raise NotImplementedError("Going back to an older version is not supported: restore a backup.")
