"""What answers kept for idempotency keys and messages to webhooks take, which counts for their owner."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    size = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    for table in ("idempotency_keys", "webhook_deliveries"):
        op.add_column(table, sa.Column("body_bytes", size, server_default="0", nullable=False))
        op.create_index(f"ix_{table}_owner_body_bytes", table, ["owner", "body_bytes"])


def downgrade() -> None:
    raise NotImplementedError("Going back to an older version is not supported: restore a backup.")
