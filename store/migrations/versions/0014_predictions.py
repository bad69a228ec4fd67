"""Where the predictions of a job's items lie, and what they take."""

import sqlalchemy as sa
from alembic import op

BIG_INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("predictions_key", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("predictions_bytes", BIG_INT, server_default="0", nullable=False))


def downgrade() -> None:
    raise NotImplementedError("Going back to an older version is not supported: restore a backup.")
