"""Which columns of a table of texts hold the texts and the labels."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("datasets", sa.Column("text_column", sa.Text(), nullable=True))
    op.add_column("datasets", sa.Column("label_column", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("datasets", "label_column")
    op.drop_column("datasets", "text_column")
