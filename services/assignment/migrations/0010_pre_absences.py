"""Why agents are not online, and when they last did something."""

from alembic import op

revision = "0010"
down_revision = "0009"

_DDL = """
ALTER TABLE agents ADD COLUMN absence text NOT NULL DEFAULT '';
ALTER TABLE agents ADD COLUMN active_at timestamptz;
CREATE INDEX outbox_tags ON outbox (account, agent_id) WHERE tags <> '{}';
"""


def upgrade() -> None:
    op.execute(_DDL)
