"""An index for the erasure of people from the log: decisions about records that are people."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    # Partial, so that the log of everything else, which every check writes, costs nothing more.
    op.execute(
        "CREATE INDEX decision_log_people ON decision_log (account, record) WHERE object_type = 'agent_settings'"
    )
