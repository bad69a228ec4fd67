"""An index by which items are found by their content, for thumbnails, audits and predictions of a large dataset."""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_dataset_items_dataset_id_sha256_status", "dataset_items", ["dataset_id", "sha256", "status"])


def downgrade() -> None:
    raise NotImplementedError("Going back to an older version is not supported: restore a backup.")
