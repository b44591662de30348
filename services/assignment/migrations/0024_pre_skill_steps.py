"""Levels of skills that are lowered by steps."""

from alembic import op

revision = "0024"
down_revision = "0023"

_DDL = "ALTER TABLE skills ADD COLUMN steps jsonb NOT NULL DEFAULT '[]'"


def upgrade() -> None:
    op.execute(_DDL)
