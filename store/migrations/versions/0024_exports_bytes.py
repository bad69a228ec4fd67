"""What the exports of a model take, which counts among its owner's stored bytes."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    size = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("models", sa.Column("exports_bytes", size, server_default="0", nullable=False))


def downgrade() -> None:
    raise NotImplementedError("Going back to an older version is not supported: restore a backup.")
