"""When tickets of queues in SLA order are breached next, and when that was read."""

from alembic import op

revision = "0008"
down_revision = "0007"

_DDL = """
CREATE TABLE ticket_slas (
    account   text NOT NULL,
    ticket    bigint NOT NULL,
    read_at   timestamptz NOT NULL,
    breach_at timestamptz,
    PRIMARY KEY (account, ticket)
);
"""


def upgrade() -> None:
    op.execute(_DDL)
