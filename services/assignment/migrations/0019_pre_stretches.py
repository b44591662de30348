"""Whose turns a rotation was so far: to notice when members or weights change."""

from alembic import op

revision = "0019"
down_revision = "0018"

_DDL = """
CREATE TABLE stretches (
    account text NOT NULL,
    queue   text NOT NULL,
    stretch text NOT NULL,
    PRIMARY KEY (account, queue)
);
"""


def upgrade() -> None:
    op.execute(_DDL)
