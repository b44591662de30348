"""The job queue."""

from alembic import op

from libs.db.jobs_schema import create_jobs_schema

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_jobs_schema(op.get_bind())
    op.execute("CREATE TABLE seen (job text, run int)")
