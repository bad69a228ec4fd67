"""What a model was served by when a batch prediction was asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("batch_predictions", sa.Column("variant", sa.Text(), nullable=True))
    op.add_column("batch_predictions", sa.Column("threshold", sa.Double(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("Going back to an older version is not supported: restore a backup.")
