"""Inputs that are kept as a patch of earlier ones of their queue."""

from alembic import op

revision = "0025"
down_revision = "0024"

_DDL = """
ALTER TABLE inputs ADD COLUMN base text;
ALTER TABLE inputs ADD COLUMN queue text;
ALTER TABLE inputs ADD CONSTRAINT inputs_lean FOREIGN KEY (account, base) REFERENCES inputs (account, digest);
CREATE INDEX inputs_leaning ON inputs (account, base) WHERE base IS NOT NULL;
CREATE INDEX inputs_bases ON inputs (account, queue, at) WHERE queue IS NOT NULL;
"""


def upgrade() -> None:
    op.execute(_DDL)
