"""Offers, who declined what, options of queues, and writes that are no assignments."""

from alembic import op

revision = "0004"
down_revision = "0003"

# Options have a table of their own: an older replica reads `queues` whole and would stumble over a new column.
_DDL = """
ALTER TABLE outbox ADD COLUMN kind text NOT NULL DEFAULT 'assign';
CREATE TABLE queue_options (
    account text NOT NULL,
    id      text NOT NULL,
    options jsonb NOT NULL,
    PRIMARY KEY (account, id),
    FOREIGN KEY (account, id) REFERENCES queues (account, id) ON DELETE CASCADE
);
CREATE TABLE offers (
    account    text NOT NULL,
    id         text NOT NULL,
    ticket     bigint NOT NULL,
    agent_id   bigint NOT NULL,
    group_id   bigint,
    queue      text NOT NULL,
    state      text NOT NULL,
    offered_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at   timestamptz,
    PRIMARY KEY (account, id)
);
-- Nobody sees a ticket while another thinks about it.
CREATE UNIQUE INDEX offers_live ON offers (account, ticket) WHERE state = 'offered';
CREATE INDEX offers_due ON offers (expires_at) WHERE state = 'offered';
CREATE TABLE declines (
    account  text NOT NULL,
    ticket   bigint NOT NULL,
    agent_id bigint NOT NULL,
    kind     text NOT NULL,
    at       timestamptz NOT NULL,
    told     boolean NOT NULL,
    PRIMARY KEY (account, ticket, agent_id)
);
CREATE INDEX declines_agent ON declines (account, agent_id);
"""


def upgrade() -> None:
    op.execute(_DDL)
