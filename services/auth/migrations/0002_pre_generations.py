"""Authorisations end with their installation's generation; indices for the sweep."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    # An authorisation lives ten minutes: those under way have generation 0 or are begun again.
    op.execute("ALTER TABLE authorizations ADD COLUMN generation bigint NOT NULL DEFAULT 0")
    op.execute("CREATE INDEX authorizations_expiry ON authorizations (expires_at)")
    op.execute("CREATE INDEX used_signed_urls_expiry ON used_signed_urls (expires_at)")
    op.execute("CREATE INDEX sessions_seen ON sessions (seen_at)")
