"""Leave and overtime of agents."""

from alembic import op

revision = "0014"
down_revision = "0013"

_DDL = """
CREATE TABLE shift_exceptions (
    account   text NOT NULL,
    user_id   bigint NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at   timestamptz NOT NULL,
    kind      text NOT NULL,
    PRIMARY KEY (account, user_id, starts_at, ends_at, kind),
    CHECK (starts_at < ends_at)
);
CREATE INDEX shift_exceptions_ends ON shift_exceptions (account, ends_at);
"""


def upgrade() -> None:
    op.execute(_DDL)
