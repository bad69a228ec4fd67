"""What ingestion has to show: rejections by cause, warnings, and the beginnings of texts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("datasets", sa.Column("rejections", JSON, nullable=True))
    op.add_column("datasets", sa.Column("warnings", JSON, nullable=True))
    op.add_column("dataset_items", sa.Column("text", sa.Text(), nullable=True))
    op.add_column("dataset_items", sa.Column("text_pair", sa.Text(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("Going back to an older version is not supported: restore a backup.")
