"""An index by which the first names of a model are found, however many it has."""

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_aliases_model_id_name", "aliases", ["model_id", "name"])


def downgrade() -> None:
    raise NotImplementedError("Going back to an older version is not supported: restore a backup.")
