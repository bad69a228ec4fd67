"""Datasets of embeddings, and jobs whose classes are a dataset of class features."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("datasets", sa.Column("embedding_width", sa.Integer(), nullable=True))
    op.add_column("datasets", sa.Column("embedding_templates", sa.Integer(), nullable=True))
    with op.batch_alter_table("jobs") as batch:
        batch.add_column(sa.Column("class_features_dataset_id", sa.String(64), nullable=True))
        batch.create_foreign_key("fk_jobs_class_features_dataset_id", "datasets", ["class_features_dataset_id"], ["id"])
        batch.create_index("ix_jobs_class_features_dataset_id", ["class_features_dataset_id"])


def downgrade() -> None:
    raise NotImplementedError("Going back to an older version is not supported: restore a backup.")
