"""Who had a ticket before it came back to its queue, and which tickets came back to who has them."""

from alembic import op

revision = "0020"
down_revision = "0019"

_DDL = """
ALTER TABLE tickets ADD COLUMN last_agent bigint;
ALTER TABLE tickets ADD COLUMN last_agent_at timestamptz;
ALTER TABLE tickets ADD COLUMN returned_at timestamptz;
CREATE INDEX tickets_left ON tickets (account, last_agent_at) WHERE last_agent IS NOT NULL AND routing = 'waiting';
CREATE INDEX tickets_returned ON tickets (account, ticket) WHERE returned_at IS NOT NULL;
"""


def upgrade() -> None:
    op.execute(_DDL)
