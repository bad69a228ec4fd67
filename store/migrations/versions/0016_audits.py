"""Reviews of some of a job's items by people, and the threshold that one of them gave a model."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
BIG_INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audits",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("job_id", sa.String(64), sa.ForeignKey("jobs.id"), nullable=False),
        sa.Column("dataset_id", sa.String(64), sa.ForeignKey("datasets.id"), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("wished_accuracy", sa.Double(), nullable=False),
        sa.Column("design", JSON, nullable=False),
        sa.Column("applied", JSON, nullable=True),
        sa.Column("applied_at", TIME, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
    )
    op.create_index("ix_audits_job_id_id", "audits", ["job_id", "id"])
    op.create_index("ix_audits_dataset_id", "audits", ["dataset_id"])
    op.create_table(
        "audit_items",
        sa.Column("audit_id", sa.String(64), sa.ForeignKey("audits.id"), primary_key=True),
        sa.Column("position", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("stratum", sa.Integer(), nullable=False),
        sa.Column("adapted", sa.Integer(), nullable=False),
        sa.Column("zero_shot", sa.Integer(), nullable=False),
        sa.Column("runner_up", sa.Integer(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("runner_up_probability", sa.Double(), nullable=False),
        sa.UniqueConstraint("audit_id", "sha256"),
    )
    op.create_table(
        "audit_answers",
        sa.Column("id", BIG_INT, primary_key=True, autoincrement=True),
        sa.Column("audit_id", sa.String(64), sa.ForeignKey("audits.id"), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("label", sa.Integer(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
    )
    op.create_index("ix_audit_answers_audit_id_id", "audit_answers", ["audit_id", "id"])
    op.add_column("models", sa.Column("audited_threshold", sa.Double(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("Going back to an older version is not supported: restore a backup.")
