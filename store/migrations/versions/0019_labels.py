"""Where the labels of a dataset may come from, and where they came from."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("datasets", sa.Column("labels", sa.Text(), nullable=False, server_default="auto"))
    op.add_column("datasets", sa.Column("label_source", JSON, nullable=True))


def downgrade() -> None:
    raise NotImplementedError("Going back to an older version is not supported: restore a backup.")
