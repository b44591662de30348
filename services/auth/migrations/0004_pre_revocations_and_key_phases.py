"""The feed of revocations, phases of signing keys, tokens that the app was given."""

from alembic import op

revision = "0004"
down_revision = "0003"

_DDL = """
CREATE TABLE revocations (
    position   bigint PRIMARY KEY,
    account    text NOT NULL,
    generation bigint NOT NULL,
    kid        text NOT NULL,
    at         timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX installations_generation ON installations (account) WHERE generation > 0;
CREATE TABLE key_rings (
    kind      text PRIMARY KEY,
    version   bigint NOT NULL,
    requested boolean NOT NULL
);
INSERT INTO key_rings (kind, version, requested) SELECT DISTINCT kind, 1, false FROM signing_keys;
ALTER TABLE signing_keys ALTER COLUMN sealed DROP NOT NULL;
ALTER TABLE signing_keys ADD COLUMN public text NOT NULL DEFAULT '';
ALTER TABLE signing_keys ADD COLUMN algorithm text NOT NULL DEFAULT 'ES256';
ALTER TABLE signing_keys ADD COLUMN activated_at timestamptz;
ALTER TABLE signing_keys ADD COLUMN ended_at timestamptz;
UPDATE signing_keys SET activated_at = created_at WHERE phase = 'active';
CREATE TABLE app_tokens (
    account       text PRIMARY KEY,
    token_id      text NOT NULL,
    kid           text NOT NULL,
    issued_at     timestamptz NOT NULL,
    seen_at       timestamptz,
    claimed_until timestamptz NOT NULL DEFAULT 'epoch'
);
"""


def upgrade() -> None:
    op.execute(_DDL)
