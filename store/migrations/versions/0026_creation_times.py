"""Indexes by which lists of a time find where to begin."""

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("jobs", "models", "datasets", "batch_predictions"):
        op.create_index(f"ix_{table}_owner_created_at_id", table, ["owner", "created_at", "id"])


def downgrade() -> None:
    raise NotImplementedError("Going back to an older version is not supported: restore a backup.")
