"""When inputs were last decided on, so that they can be forgotten."""

from alembic import op

revision = "0005"
down_revision = "0004"

_DDL = """
ALTER TABLE inputs ADD COLUMN at timestamptz NOT NULL DEFAULT now();
CREATE INDEX inputs_at ON inputs (account, at);
"""


def upgrade() -> None:
    op.execute(_DDL)
