"""Skills of agents and tickets, for accounts that use them; since when a ticket waits."""

from alembic import op

revision = "0007"
down_revision = "0006"

_DDL = """
ALTER TABLE tickets ADD COLUMN entered_at timestamptz;
CREATE TABLE skills (
    account            text NOT NULL,
    skill              text NOT NULL,
    title              text NOT NULL,
    level              integer NOT NULL,
    drop_after_seconds integer,
    PRIMARY KEY (account, skill)
);
CREATE TABLE agent_skills (
    account text NOT NULL,
    user_id bigint NOT NULL,
    skill   text NOT NULL,
    level   integer NOT NULL,
    PRIMARY KEY (account, user_id, skill)
);
CREATE TABLE ticket_skills (
    account text NOT NULL,
    ticket  bigint NOT NULL,
    skill   text NOT NULL,
    PRIMARY KEY (account, ticket, skill)
);
CREATE TABLE skill_cursors (
    account text PRIMARY KEY,
    cursor  text NOT NULL
);
"""


def upgrade() -> None:
    op.execute(_DDL)
