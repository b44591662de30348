"""What the replicas share of Zendesk's rate limits."""

from alembic import op

from libs.zendesk.sql_windows import ZENDESK_WINDOWS_DDL

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute(ZENDESK_WINDOWS_DDL)
