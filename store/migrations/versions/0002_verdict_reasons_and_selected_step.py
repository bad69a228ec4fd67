"""Why a verdict was given, and the step that was kept."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
TABLES = ("jobs", "models")

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in TABLES:
        # the default stays: workers of the earlier version may go on adding rows while the service is updated
        op.add_column(table, sa.Column("verdict_reasons", JSON, server_default="[]", nullable=False))
        op.add_column(table, sa.Column("selected_step", sa.Integer(), nullable=True))


def downgrade() -> None:
    for table in TABLES:
        op.drop_column(table, "selected_step")
        op.drop_column(table, "verdict_reasons")
