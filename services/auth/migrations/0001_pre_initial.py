"""The first schema: installations, grants, authorisations, sessions, keys, audit."""

from alembic import op

from libs.db.data_keys import DATA_KEYS_DDL
from libs.participant.sql import ERASURES_DDL

revision = "0001"
down_revision = None

_DDL = """
CREATE TABLE installations (
    account            text PRIMARY KEY,
    app_id             bigint NOT NULL,
    installation_id    bigint NOT NULL,
    subdomain          text NOT NULL,
    state              text NOT NULL,
    enabled            boolean NOT NULL,
    group_restrictions bigint[] NOT NULL,
    role_restrictions  bigint[] NOT NULL,
    scopes             text[] NOT NULL,
    generation         bigint NOT NULL,
    admin_user_id      bigint,
    contact_name       bytea,
    contact_email      bytea,
    authorized_at      timestamptz,
    created_at         timestamptz NOT NULL,
    UNIQUE (app_id, subdomain, installation_id)
);
CREATE TABLE grants (
    account            text PRIMARY KEY,
    version            bigint NOT NULL,
    access             bytea NOT NULL,
    refresh            bytea,
    issued_at          timestamptz NOT NULL,
    access_expires_at  timestamptz,
    refresh_expires_at timestamptz,
    state              text NOT NULL,
    intent             text NOT NULL DEFAULT '',
    lease_owner        text NOT NULL DEFAULT '',
    lease_until        timestamptz NOT NULL DEFAULT 'epoch'
);
CREATE TABLE authorizations (
    account     text NOT NULL,
    id          text NOT NULL,
    ticket_hash bytea NOT NULL,
    state_hash  bytea NOT NULL,
    cookie_hash bytea,
    verifier    bytea NOT NULL,
    user_id     bigint NOT NULL,
    expires_at  timestamptz NOT NULL,
    used        boolean NOT NULL,
    PRIMARY KEY (account, id)
);
CREATE INDEX authorizations_ticket ON authorizations (account, ticket_hash);
CREATE INDEX authorizations_state ON authorizations (account, state_hash);
CREATE TABLE used_signed_urls (
    key        bytea PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
CREATE TABLE sessions (
    account         text NOT NULL,
    token_hash      bytea NOT NULL,
    installation_id bigint NOT NULL,
    user_id         bigint NOT NULL,
    generation      bigint NOT NULL,
    opened_at       timestamptz NOT NULL,
    seen_at         timestamptz NOT NULL,
    PRIMARY KEY (account, token_hash)
);
CREATE TABLE signing_keys (
    kind        text NOT NULL,
    kid         text NOT NULL,
    sealed      bytea NOT NULL,
    phase       text NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (kind, kid)
);
CREATE UNIQUE INDEX signing_keys_active ON signing_keys (kind) WHERE phase = 'active';
CREATE TABLE audit_events (
    account  text NOT NULL,
    sequence bigint NOT NULL,
    at       timestamptz NOT NULL,
    actor    text NOT NULL,
    action   text NOT NULL,
    outcome  text NOT NULL,
    facts    jsonb NOT NULL,
    hash     bytea NOT NULL,
    PRIMARY KEY (account, sequence)
);
"""


def upgrade() -> None:
    op.execute(_DDL)
    for statement in DATA_KEYS_DDL:
        op.execute(statement)
    op.execute(ERASURES_DDL)
