"""Widgets, leases, request log, data keys."""

from alembic import op

from libs.db.data_keys import DATA_KEYS_DDL
from libs.db.locks import LEASES_DDL
from libs.db.requests import REQUESTS_DDL

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute("CREATE TABLE widgets (account text, id bigint, size int NOT NULL, PRIMARY KEY (account, id))")
    op.execute(LEASES_DDL)
    op.execute(REQUESTS_DDL)
    for statement in DATA_KEYS_DDL:
        op.execute(statement)
