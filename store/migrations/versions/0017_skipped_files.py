"""How many uploaded files were passed over, by reason."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("datasets", sa.Column("skipped", JSON, nullable=True))


def downgrade() -> None:
    raise NotImplementedError("Going back to an older version is not supported: restore a backup.")
