"""How many tickets each group got of the distribution."""

from alembic import op

revision = "0011"
down_revision = "0010"

_DDL = """
CREATE TABLE group_turns (
    account  text NOT NULL,
    group_id bigint NOT NULL,
    turns    bigint NOT NULL,
    PRIMARY KEY (account, group_id)
);
"""


def upgrade() -> None:
    op.execute(_DDL)
