"""What a person can choose from where a dataset failed because it did not tell."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("datasets", sa.Column("candidates", JSON, nullable=True))


def downgrade() -> None:
    raise NotImplementedError("Going back to an older version is not supported: restore a backup.")
