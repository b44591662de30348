"""Schedules, and which agents go by them."""

from alembic import op

revision = "0009"
down_revision = "0008"

_DDL = """
CREATE TABLE schedules (
    account  text NOT NULL,
    id       bigint NOT NULL,
    zone     text NOT NULL,
    week     jsonb NOT NULL,
    holidays jsonb NOT NULL,
    PRIMARY KEY (account, id)
);
CREATE TABLE agent_schedules (
    account  text NOT NULL,
    user_id  bigint NOT NULL,
    schedule bigint NOT NULL,
    PRIMARY KEY (account, user_id)
);
"""


def upgrade() -> None:
    op.execute(_DDL)
