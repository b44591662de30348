"""New tickets whose preference is still to be found."""

from alembic import op

revision = "0013"
down_revision = "0012"

_DDL = """
CREATE TABLE preferring (
    account     text NOT NULL,
    ticket      bigint NOT NULL,
    since       timestamptz NOT NULL,
    lease_until timestamptz NOT NULL,
    PRIMARY KEY (account, ticket)
);
"""


def upgrade() -> None:
    op.execute(_DDL)
