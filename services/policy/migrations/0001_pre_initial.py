"""The first schema: revisions, types with their permissions, relationships, users, decision log."""

from alembic import op

from libs.db.requests import REQUESTS_DDL
from libs.participant.sql import ERASURES_DDL

revision = "0001"
down_revision = None

_DDL = """
CREATE TABLE revisions (
    account  text PRIMARY KEY,
    revision bigint NOT NULL
);
CREATE TABLE types (
    account     text NOT NULL,
    kind        text NOT NULL,
    key         text NOT NULL,
    from_type   text NOT NULL,
    to_type     text NOT NULL,
    many        boolean NOT NULL,
    permissions jsonb NOT NULL,
    version     bigint NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (account, kind, key)
);
CREATE TABLE relationships (
    account    text NOT NULL,
    id         text NOT NULL,
    type       text NOT NULL,
    source     text NOT NULL,
    target     text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    PRIMARY KEY (account, id)
);
CREATE UNIQUE INDEX relationships_forward ON relationships (account, source, type, target);
CREATE INDEX relationships_reverse ON relationships (account, target, type, source);
CREATE TABLE users (
    account        text NOT NULL,
    user_id        bigint NOT NULL,
    role           text NOT NULL,
    custom_role_id bigint,
    groups         bigint[] NOT NULL,
    organization   bigint,
    PRIMARY KEY (account, user_id)
);
CREATE TABLE decision_log (
    account     text NOT NULL,
    id          text NOT NULL,
    at          timestamptz NOT NULL,
    user_id     bigint,
    action      text NOT NULL,
    object_type text NOT NULL,
    record      text NOT NULL,
    allowed     boolean NOT NULL,
    reason      text NOT NULL,
    revision    bigint NOT NULL,
    PRIMARY KEY (account, id)
);
CREATE INDEX decision_log_user ON decision_log (account, user_id);
"""


def upgrade() -> None:
    op.execute(_DDL)
    op.execute(REQUESTS_DDL)
    op.execute(ERASURES_DDL)
