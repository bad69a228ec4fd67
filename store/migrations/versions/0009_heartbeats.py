"""Heartbeats of workers, the order in which leases expire, and when an owner last began a job."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "heartbeats",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_heartbeats")),
    )
    op.create_index("ix_jobs_lease_expires_at", "jobs", ["lease_expires_at"])
    op.create_index("ix_jobs_owner_started_at", "jobs", ["owner", "started_at"])
    op.create_index("ix_datasets_lease_expires_at", "datasets", ["lease_expires_at"])


def downgrade() -> None:
    raise NotImplementedError("Going back to an older version is not supported: restore a backup.")
