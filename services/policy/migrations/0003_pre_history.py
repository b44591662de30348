"""History: every row knows since which revision it holds; what went stays beside it until it is swept.

The tables of the present keep their shape, so that the code of before goes on while this is applied.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

_DDL = """
ALTER TABLE revisions ADD COLUMN oldest bigint NOT NULL DEFAULT 0;
ALTER TABLE revisions ADD COLUMN redacted bigint NOT NULL DEFAULT 0;
UPDATE revisions SET oldest = revision; -- what was before is not known
CREATE TABLE change_log (
    account  text NOT NULL,
    revision bigint NOT NULL,
    at       timestamptz NOT NULL,
    actor    text NOT NULL,
    PRIMARY KEY (account, revision)
);
CREATE INDEX change_log_at ON change_log (account, at);
CREATE TABLE settings (
    account text PRIMARY KEY,
    body    jsonb NOT NULL,
    version bigint NOT NULL
);
ALTER TABLE types ADD COLUMN extensions jsonb NOT NULL DEFAULT '{}';
ALTER TABLE types ADD COLUMN from_rev bigint NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN from_rev bigint NOT NULL DEFAULT 0;
ALTER TABLE relationships ADD COLUMN from_rev bigint NOT NULL DEFAULT 0;
CREATE INDEX users_changed ON users (account, from_rev);
CREATE INDEX relationships_changed ON relationships (account, from_rev);
CREATE INDEX relationships_expiring ON relationships (account, expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE objects (
    account    text NOT NULL,
    type       text NOT NULL,
    id         text NOT NULL,
    attributes jsonb NOT NULL,
    from_rev   bigint NOT NULL,
    PRIMARY KEY (account, type, id)
);
CREATE INDEX objects_changed ON objects (account, from_rev);
CREATE TABLE past_types (LIKE types, to_rev bigint NOT NULL, PRIMARY KEY (account, kind, key, from_rev));
CREATE TABLE past_users (LIKE users, to_rev bigint NOT NULL, PRIMARY KEY (account, user_id, from_rev));
CREATE TABLE past_objects (LIKE objects, to_rev bigint NOT NULL, PRIMARY KEY (account, type, id, from_rev));
CREATE TABLE past_relationships (LIKE relationships, to_rev bigint NOT NULL, PRIMARY KEY (account, id, from_rev));
CREATE INDEX past_types_gone ON past_types (account, to_rev);
CREATE INDEX past_users_gone ON past_users (account, to_rev);
CREATE INDEX past_objects_gone ON past_objects (account, to_rev);
CREATE INDEX past_relationships_gone ON past_relationships (account, to_rev);
CREATE INDEX past_relationships_forward ON past_relationships (account, source, type, target);
CREATE INDEX past_relationships_reverse ON past_relationships (account, target, type, source);
ALTER TABLE decision_log ADD COLUMN caller text NOT NULL DEFAULT '';
ALTER TABLE decision_log ADD COLUMN rule text NOT NULL DEFAULT '';
ALTER TABLE decision_log ADD COLUMN relationship text NOT NULL DEFAULT '';
ALTER TABLE decision_log ADD COLUMN trace text NOT NULL DEFAULT '';
ALTER TABLE decision_log ADD COLUMN duration_us bigint NOT NULL DEFAULT 0;
ALTER TABLE decision_log ADD COLUMN lag_ms bigint NOT NULL DEFAULT 0;
CREATE INDEX decision_log_at ON decision_log (account, at);
"""


def upgrade() -> None:
    op.execute(_DDL)
