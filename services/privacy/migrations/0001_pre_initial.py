"""The first schema: requests, steps, ledger, evidence, holds, restrictions, certificates."""

from alembic import op

from libs.db.data_keys import DATA_KEYS_DDL
from libs.db.requests import REQUESTS_DDL

revision = "0001"
down_revision = None

# Columns of these kinds only: ids, enums, counts, times, hashes, sealed bytes. No free text about a person.
_DDL = """
CREATE TABLE subject_requests (
    account     text NOT NULL,
    id          text NOT NULL,
    kind        text NOT NULL,
    state       text NOT NULL,
    commitment  text NOT NULL,
    identities  bytea,
    auto        boolean NOT NULL,
    approved_by text NOT NULL DEFAULT '',
    plan_hash   text NOT NULL DEFAULT '',
    preview     jsonb NOT NULL DEFAULT '[]',
    received_at timestamptz NOT NULL,
    extended    boolean NOT NULL DEFAULT false,
    refusal     text NOT NULL DEFAULT '',
    version     bigint NOT NULL DEFAULT 1,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (account, id)
);
-- At most one active request per person and kind.
CREATE UNIQUE INDEX subject_requests_active ON subject_requests (account, commitment, kind)
    WHERE state NOT IN ('COMPLETED', 'COMPLETED_WITH_RETENTION', 'REFUSED', 'CANCELLED');
CREATE INDEX subject_requests_running ON subject_requests (account, id)
    WHERE state IN ('RECEIVED', 'EXECUTING', 'VERIFYING');
CREATE TABLE steps (
    account     text NOT NULL,
    request     text NOT NULL,
    id          text NOT NULL,
    position    integer NOT NULL,
    state       text NOT NULL,
    run         bigint NOT NULL DEFAULT 0,
    attempts    integer NOT NULL DEFAULT 0,
    last_error  text NOT NULL DEFAULT '',
    counts      jsonb NOT NULL DEFAULT '[]',
    data        jsonb NOT NULL DEFAULT '{}',
    not_before  timestamptz NOT NULL DEFAULT 'epoch',
    lease_until timestamptz NOT NULL DEFAULT 'epoch',
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (account, request, id)
);
CREATE TABLE ledger (
    account text NOT NULL,
    request text NOT NULL,
    step    text NOT NULL,
    run     bigint NOT NULL,
    what    text NOT NULL CHECK (what IN ('INTENT', 'OUTCOME')),
    token   text NOT NULL CHECK (token ~ '^[0-9a-f]{64}$'),
    at      timestamptz NOT NULL,
    PRIMARY KEY (account, request, step, run, what)
);
CREATE TABLE events (
    account  text NOT NULL,
    sequence bigint NOT NULL,
    at       timestamptz NOT NULL,
    type     text NOT NULL,
    request  text NOT NULL,
    facts    jsonb NOT NULL,
    hash     bytea NOT NULL,
    PRIMARY KEY (account, sequence)
);
CREATE TABLE certificates (
    account   text NOT NULL,
    request   text NOT NULL,
    document  text NOT NULL,
    signature bytea NOT NULL,
    key_pem   text NOT NULL,
    issued_at timestamptz NOT NULL,
    PRIMARY KEY (account, request)
);
CREATE TABLE holds (
    account     text NOT NULL,
    id          text NOT NULL,
    commitments text[] NOT NULL CHECK (cardinality(commitments) > 0),
    matter      text NOT NULL,
    ground      text NOT NULL,
    created_at  timestamptz NOT NULL,
    released_at timestamptz,
    PRIMARY KEY (account, id)
);
CREATE INDEX holds_people ON holds USING gin (commitments) WHERE released_at IS NULL;
CREATE TABLE restrictions (
    account    text NOT NULL,
    commitment text NOT NULL,
    purpose    integer NOT NULL,
    revision   bigint NOT NULL,
    restricted boolean NOT NULL,
    PRIMARY KEY (account, commitment, purpose)
);
CREATE TABLE suppressions (
    account    text NOT NULL,
    commitment text NOT NULL,
    request    text NOT NULL,
    revision   bigint NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (account, commitment)
);
CREATE TABLE secrets (
    account text NOT NULL,
    purpose text NOT NULL,
    sealed  bytea NOT NULL,
    PRIMARY KEY (account, purpose)
);
"""


def upgrade() -> None:
    op.execute(_DDL)
    for statement in DATA_KEYS_DDL:
        op.execute(statement)
    op.execute(REQUESTS_DDL)
