"""Widgets lose their size, once no running code reads it."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("ALTER TABLE widgets DROP COLUMN size")
