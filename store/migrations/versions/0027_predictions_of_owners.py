"""An index by which the bytes of an owner's predictions are added up."""

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_jobs_owner_predictions_bytes", "jobs", ["owner", "predictions_bytes"])


def downgrade() -> None:
    raise NotImplementedError("Going back to an older version is not supported: restore a backup.")
