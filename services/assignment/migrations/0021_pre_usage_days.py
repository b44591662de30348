"""Usage by day."""

from alembic import op

revision = "0021"
down_revision = "0020"

_DDL = """
CREATE TABLE usage_days (
    account  text NOT NULL,
    day      date NOT NULL,
    sequence bigint NOT NULL,
    figures  jsonb NOT NULL,
    PRIMARY KEY (account, day)
);
"""


def upgrade() -> None:
    op.execute(_DDL)
