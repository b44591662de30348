"""The tables of the job queue, in a schema of their own inside the service's database."""

from __future__ import annotations

import procrastinate
from procrastinate.schema import SchemaManager
from sqlalchemy import Connection, text

SCHEMA = "jobs"


def create_jobs_schema(connection: Connection) -> None:
    """Make procrastinate's tables; for a migration: `create_jobs_schema(op.get_bind())`.

    The script holds the schema of the pinned version and is not idempotent. A later version's steps each become
    a migration of their own: `pre` before the new code, `post` after it.
    """
    before = connection.execute(text("SELECT current_setting('search_path')")).scalar_one()
    script = SchemaManager(procrastinate.PsycopgConnector()).get_schema()
    connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
    connection.execute(text("SELECT set_config('search_path', :path, true)"), {"path": SCHEMA})
    connection.exec_driver_sql(script.replace("%", "%%"))
    connection.execute(text("SELECT set_config('search_path', :path, true)"), {"path": before})
