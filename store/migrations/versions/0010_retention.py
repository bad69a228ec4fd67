"""Summaries and sizes of documents; jobs may go while their models stay; what is old is found by its time."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
BIG_INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAMING = {"fk": "fk_%(table_name)s_%(column_0_N_name)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s"}

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("jobs", "models"):
        op.add_column(table, sa.Column("summary", JSON, nullable=True))
        op.add_column(table, sa.Column("document_bytes", BIG_INT, server_default="0", nullable=False))
        op.execute(
            f"UPDATE {table} SET document_bytes = "
            "length(CAST(request AS TEXT)) + coalesce(length(CAST(result AS TEXT)), 0)"
        )
        op.create_index(f"ix_{table}_owner_document_bytes", table, ["owner", "document_bytes"])
    with op.batch_alter_table("models", naming_convention=NAMING) as batch:
        batch.drop_constraint("fk_models_job_id", type_="foreignkey")
    op.create_index("ix_job_events_created_at", "job_events", ["created_at"])
    op.create_index("ix_job_metrics_created_at", "job_metrics", ["created_at"])
    op.create_index("ix_datasets_status_updated_at", "datasets", ["status", "updated_at"])


def downgrade() -> None:
    raise NotImplementedError("Going back to an older version is not supported: restore a backup.")
