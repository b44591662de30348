"""The first schema: accounts, agents, queues, tickets, assignments, decisions, rotation, outbox."""

from alembic import op

from libs.db.data_keys import DATA_KEYS_DDL
from libs.db.locks import LEASES_DDL
from libs.db.requests import REQUESTS_DDL
from libs.participant.sql import ERASURES_DDL

revision = "0001"
down_revision = None

_DDL = """
CREATE TABLE accounts (
    account            text PRIMARY KEY,
    inbox_limit        integer,
    daily_limit        integer,
    default_status     text NOT NULL,
    rule_version       bigint NOT NULL,
    group_restrictions bigint[] NOT NULL,
    role_restrictions  bigint[] NOT NULL,
    fields             jsonb NOT NULL,
    webhook            text NOT NULL,
    webhook_secret     bytea,
    export_cursor      text NOT NULL,
    synced_at          timestamptz NOT NULL
);
CREATE TABLE agents (
    account        text NOT NULL,
    user_id        bigint NOT NULL,
    name           text NOT NULL,
    role           text NOT NULL,
    role_type      integer,
    custom_role_id bigint,
    active         boolean NOT NULL,
    suspended      boolean NOT NULL,
    status         text NOT NULL,
    status_at      timestamptz NOT NULL,
    inbox_limit    integer,
    daily_limit    integer,
    rule           bigint,
    manager        boolean NOT NULL,
    autoplay       boolean NOT NULL,
    version        bigint NOT NULL,
    PRIMARY KEY (account, user_id)
);
CREATE TABLE memberships (
    account  text NOT NULL,
    user_id  bigint NOT NULL,
    group_id bigint NOT NULL,
    PRIMARY KEY (account, user_id, group_id)
);
CREATE TABLE views (
    account text NOT NULL,
    view    bigint NOT NULL,
    PRIMARY KEY (account, view)
);
CREATE TABLE queues (
    account     text NOT NULL,
    id          text NOT NULL,
    title       text NOT NULL,
    kind        text NOT NULL,
    source      bigint NOT NULL,
    model       text NOT NULL,
    position    integer NOT NULL,
    state       text NOT NULL,
    use_sla     boolean NOT NULL,
    batch_size  integer,
    daily_limit integer,
    agents      bigint[] NOT NULL,
    scan_limit  integer,
    version     bigint NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (account, id)
);
CREATE TABLE tickets (
    account      text NOT NULL,
    ticket       bigint NOT NULL,
    status       text NOT NULL,
    group_id     bigint,
    assignee_id  bigint,
    requester_id bigint,
    priority     text,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    routing      text NOT NULL,
    outcome      text NOT NULL,
    assigned_at  timestamptz,
    PRIMARY KEY (account, ticket)
);
CREATE INDEX tickets_waiting ON tickets (account, created_at) WHERE routing = 'waiting';
CREATE INDEX tickets_open ON tickets (account, assignee_id) WHERE status IN ('new', 'open');
CREATE INDEX tickets_requester ON tickets (account, requester_id);
CREATE TABLE assignments (
    account     text NOT NULL,
    id          text NOT NULL,
    ticket      bigint NOT NULL,
    agent_id    bigint NOT NULL,
    group_id    bigint,
    queue       text NOT NULL,
    mechanism   text NOT NULL,
    state       text NOT NULL,
    assigned_at timestamptz NOT NULL,
    PRIMARY KEY (account, id)
);
-- The last guard against two assignments of one ticket.
CREATE UNIQUE INDEX assignments_live ON assignments (account, ticket) WHERE state IN ('committed', 'confirmed');
CREATE INDEX assignments_agent ON assignments (account, agent_id, assigned_at);
CREATE TABLE decisions (
    account      text NOT NULL,
    id           text NOT NULL,
    sequence     bigint NOT NULL,
    ticket       bigint NOT NULL,
    outcome      text NOT NULL,
    agent_id     bigint,
    group_id     bigint,
    queue        text NOT NULL,
    mechanism    text NOT NULL,
    model        text NOT NULL,
    command      text NOT NULL,
    as_of        timestamptz NOT NULL,
    detail       jsonb NOT NULL,
    candidates   integer NOT NULL,
    rule_version bigint NOT NULL,
    rank         integer NOT NULL,
    write        text NOT NULL,
    hash         bytea NOT NULL,
    PRIMARY KEY (account, id)
);
CREATE UNIQUE INDEX decisions_sequence ON decisions (account, sequence);
CREATE INDEX decisions_ticket ON decisions (account, ticket);
CREATE TABLE rotation (
    account text NOT NULL,
    queue   text NOT NULL,
    agent_id bigint NOT NULL,
    balance bigint NOT NULL,
    PRIMARY KEY (account, queue, agent_id)
);
CREATE TABLE outbox (
    account     text NOT NULL,
    id          text NOT NULL,
    ticket      bigint NOT NULL,
    agent_id    bigint NOT NULL,
    group_id    bigint,
    read_at     timestamptz NOT NULL,
    queue       text NOT NULL,
    as_of       timestamptz NOT NULL,
    state       text NOT NULL,
    attempts    integer NOT NULL,
    fence       bigint NOT NULL,
    lease_until timestamptz NOT NULL,
    PRIMARY KEY (account, id)
);
CREATE INDEX outbox_pending ON outbox (account) WHERE state = 'pending';
CREATE TABLE invocations (
    account text NOT NULL,
    id      text NOT NULL,
    at      timestamptz NOT NULL,
    PRIMARY KEY (account, id)
);
"""


def upgrade() -> None:
    op.execute(_DDL)
    for statement in DATA_KEYS_DDL:
        op.execute(statement)
    op.execute(LEASES_DDL)
    op.execute(REQUESTS_DDL)
    op.execute(ERASURES_DDL)
