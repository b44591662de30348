"""Agents' own rate limits, and notes that go with a change of a ticket."""

from alembic import op

revision = "0017"
down_revision = "0016"

_DDL = """
CREATE TABLE agent_rate_limits (
    account text NOT NULL,
    user_id bigint NOT NULL,
    tickets integer NOT NULL,
    minutes integer,
    PRIMARY KEY (account, user_id)
);
ALTER TABLE outbox ADD COLUMN note text NOT NULL DEFAULT '';
"""


def upgrade() -> None:
    op.execute(_DDL)
