"""Options of accounts, dedicated support, and tags that go with an assignment."""

from alembic import op

revision = "0006"
down_revision = "0005"

_DDL = """
ALTER TABLE accounts ADD COLUMN options jsonb NOT NULL DEFAULT '{}';
ALTER TABLE tickets ADD COLUMN dedicated bigint;
ALTER TABLE outbox ADD COLUMN tags text[] NOT NULL DEFAULT '{}';
CREATE TABLE dedicated_rules (
    account  text NOT NULL,
    position integer NOT NULL,
    kind     text NOT NULL,
    value    text NOT NULL,
    agents   bigint[] NOT NULL,
    fallback text NOT NULL,
    PRIMARY KEY (account, position)
);
CREATE INDEX dedicated_rules_match ON dedicated_rules (account, kind, value);
"""


def upgrade() -> None:
    op.execute(_DDL)
