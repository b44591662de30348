"""Rotations of data keys, an audit that only grows, what the watch over installations remembers."""

from alembic import op

from libs.db.locks import LEASES_DDL

revision = "0003"
down_revision = "0002"

_DDL = """
CREATE TABLE key_rotations (
    id          text PRIMARY KEY,
    actor       text NOT NULL,
    started_at  timestamptz NOT NULL,
    finished_at timestamptz,
    renewed     bigint NOT NULL DEFAULT 0,
    resealed    bigint NOT NULL DEFAULT 0,
    dropped     bigint NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX key_rotations_under_way ON key_rotations ((true)) WHERE finished_at IS NULL;
CREATE INDEX grants_access_expiry ON grants (access_expires_at);
ALTER TABLE installations ADD COLUMN checked_at timestamptz;
ALTER TABLE installations ADD COLUMN gone_since timestamptz;
CREATE INDEX installations_checked ON installations (checked_at NULLS FIRST) WHERE state = 'authorized';
CREATE INDEX installations_place ON installations (app_id, subdomain);
CREATE FUNCTION refuse_to_change_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_events is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_events_rows BEFORE UPDATE OR DELETE ON audit_events
    FOR EACH ROW EXECUTE FUNCTION refuse_to_change_audit();
CREATE TRIGGER audit_events_table BEFORE TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_audit();
"""


def upgrade() -> None:
    op.execute(LEASES_DDL)
    op.execute(_DDL)
