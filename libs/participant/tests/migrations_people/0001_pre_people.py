"""A service that holds something about people in every way the contract knows."""

from alembic import op

from libs.participant.sql import ERASURES_DDL

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        "CREATE TABLE agents (account text NOT NULL, user_id bigint NOT NULL, status text, "
        "PRIMARY KEY (account, user_id))"
    )
    op.execute(
        "CREATE TABLE notes (account text NOT NULL, id int NOT NULL, at int NOT NULL, requester_id bigint, "
        "facts jsonb NOT NULL, PRIMARY KEY (account, id))"
    )
    op.execute(
        "CREATE TABLE routes (account text NOT NULL, id int NOT NULL, agents bigint[] NOT NULL, "
        "PRIMARY KEY (account, id))"
    )
    op.execute(
        "CREATE TABLE audit (account text NOT NULL, id int NOT NULL, actor text, agent_id bigint, "
        "PRIMARY KEY (account, id))"
    )
    op.execute(ERASURES_DDL)
