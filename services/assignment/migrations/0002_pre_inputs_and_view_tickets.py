"""What a decision was made from, and which tickets a view holds."""

from alembic import op

revision = "0002"
down_revision = "0001"

_DDL = """
ALTER TABLE decisions ADD COLUMN inputs text NOT NULL DEFAULT '';
CREATE TABLE inputs (
    account  text NOT NULL,
    digest   text NOT NULL,
    snapshot bytea NOT NULL,
    PRIMARY KEY (account, digest)
);
CREATE TABLE view_tickets (
    account text NOT NULL,
    view    bigint NOT NULL,
    ticket  bigint NOT NULL,
    PRIMARY KEY (account, view, ticket)
);
CREATE INDEX assignments_recent ON assignments (account, assigned_at);
CREATE INDEX invocations_at ON invocations (account, at);
"""


def upgrade() -> None:
    op.execute(_DDL)
