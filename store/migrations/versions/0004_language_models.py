"""Label words of jobs and models over language models, and datasets of pairs of texts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
TABLES = ("jobs", "models")

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in TABLES:
        op.add_column(table, sa.Column("label_words", JSON, nullable=True))
    # the default stays: an API of the earlier version may go on adding rows while the service is updated
    op.add_column("datasets", sa.Column("text_pairs", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    op.drop_column("datasets", "text_pairs")
    for table in TABLES:
        op.drop_column(table, "label_words")
