"""How much memory a worker has for a job."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("heartbeats") as table:
        table.add_column(sa.Column("job_memory_bytes", sa.BigInteger().with_variant(sa.Integer(), "sqlite")))


def downgrade() -> None:
    raise NotImplementedError("Going back to an older version is not supported: restore a backup.")
