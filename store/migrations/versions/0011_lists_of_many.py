"""Indexes for every way that lists of jobs and models can be narrowed, so that a year's work is listed at once."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

INDEXES = {
    "jobs": (
        ("owner", "id", "created_at"),
        ("owner", "status", "id"),
        ("owner", "name", "id"),
        ("owner", "dataset_id", "id"),
    ),
    "models": (("owner", "id", "created_at"), ("owner", "name", "id")),
}


def upgrade() -> None:
    for table, indexes in INDEXES.items():
        op.drop_index(f"ix_{table}_owner_id", table)
        for columns in indexes:
            op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))


def downgrade() -> None:
    raise NotImplementedError("Going back to an older version is not supported: restore a backup.")
