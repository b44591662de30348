"""Agents' own capacity."""

from alembic import op

revision = "0012"
down_revision = "0011"

_DDL = """
CREATE TABLE agent_capacities (
    account text NOT NULL,
    user_id bigint NOT NULL,
    units   integer NOT NULL,
    PRIMARY KEY (account, user_id)
);
"""


def upgrade() -> None:
    op.execute(_DDL)
