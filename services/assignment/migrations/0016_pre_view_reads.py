"""When views were read, and what was heard of tickets since."""

from alembic import op

revision = "0016"
down_revision = "0015"

_DDL = """
CREATE TABLE view_reads (
    account     text NOT NULL,
    view        bigint NOT NULL,
    read_at     timestamptz NOT NULL,
    checked_at  timestamptz NOT NULL,
    swept_until timestamptz NOT NULL,
    gone        boolean NOT NULL,
    conditions  jsonb NOT NULL,
    PRIMARY KEY (account, view)
);
CREATE TABLE view_news (
    account    text NOT NULL,
    ticket     bigint NOT NULL,
    updated_at timestamptz NOT NULL,
    heard_at   timestamptz NOT NULL,
    PRIMARY KEY (account, ticket)
);
"""


def upgrade() -> None:
    op.execute(_DDL)
