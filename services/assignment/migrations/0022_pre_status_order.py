"""Where a history of statuses begins at an instant is found in an index, however long it is."""

from alembic import op

revision = "0022"
down_revision = "0021"

# The latest end up to a record: it never falls with the id, though ends do where replicas' clocks differ.
# The default is for replicas of the release before, while this one comes up.
_DDL = """
ALTER TABLE status_records ADD COLUMN reached_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE status_counters ADD COLUMN reached_at timestamptz NOT NULL DEFAULT 'epoch';
UPDATE status_records r SET reached_at = f.reached_at FROM (
    SELECT account, id, max(ended_at) OVER (PARTITION BY account ORDER BY id) AS reached_at FROM status_records
) f WHERE f.account = r.account AND f.id = r.id;
UPDATE status_counters c SET reached_at = f.reached_at FROM (
    SELECT account, max(reached_at) AS reached_at FROM status_records GROUP BY account
) f WHERE f.account = c.account;
CREATE INDEX status_records_reached ON status_records (account, reached_at, id);
"""


def upgrade() -> None:
    op.execute(_DDL)
