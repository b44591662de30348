"""When all of a view was read: of what changes, only the latest tickets are."""

from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.execute("ALTER TABLE view_reads ADD COLUMN whole_at timestamptz NOT NULL DEFAULT 'epoch'")
