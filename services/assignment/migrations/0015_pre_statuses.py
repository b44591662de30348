"""Statuses that ended, who gave the current ones, and agents' own idle rules."""

from alembic import op

revision = "0015"
down_revision = "0014"

_DDL = """
ALTER TABLE agents ADD COLUMN status_updater_id bigint;
CREATE TABLE status_records (
    account    text NOT NULL,
    id         bigint NOT NULL,
    user_id    bigint NOT NULL,
    status     text NOT NULL,
    updater_id bigint,
    started_at timestamptz NOT NULL,
    ended_at   timestamptz NOT NULL,
    PRIMARY KEY (account, id),
    CHECK (ended_at >= started_at)
);
CREATE INDEX status_records_ended ON status_records (account, ended_at);
CREATE INDEX status_records_of ON status_records (account, user_id);
-- Most agents change their own: only who changes others' has to be found.
CREATE INDEX status_records_by ON status_records (account, updater_id) WHERE updater_id <> user_id;
CREATE TABLE status_counters (
    account text NOT NULL,
    last    bigint NOT NULL,
    PRIMARY KEY (account)
);
CREATE TABLE agent_idle_rules (
    account text NOT NULL,
    user_id bigint NOT NULL,
    enabled boolean,
    minutes integer,
    PRIMARY KEY (account, user_id)
);
"""


def upgrade() -> None:
    op.execute(_DDL)
