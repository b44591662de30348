"""The schema: from nothing to the newest revision, step by step, and what it promises."""

from __future__ import annotations

import psycopg
import pytest

from libs.db.migrate import load_scripts, migrate
from libs.testing.postgres import FreshDatabase
from services.policy.main import DEFINITION

pytestmark = pytest.mark.integration
PACKAGE = "services.policy.migrations"


def test_an_empty_database_is_brought_to_the_newest_revision_once(fresh_database: FreshDatabase) -> None:
    url = fresh_database(None)

    assert migrate(url, PACKAGE) == ["0001", "0002", "0003"]
    assert migrate(url, PACKAGE) == []
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        )
        assert {name for (name,) in rows} == {
            "change_log",
            "decision_log",
            "erasures",
            "objects",
            "past_objects",
            "past_relationships",
            "past_types",
            "past_users",
            "relationships",
            "requests",
            "revisions",
            "schema_version",
            "settings",
            "types",
            "users",
        }


def test_the_service_asks_for_a_revision_that_exists() -> None:
    revisions = {script.revision for script in load_scripts(PACKAGE).walk_revisions()}

    assert DEFINITION.minimum_revision in revisions
    assert DEFINITION.migrations == PACKAGE


def test_every_table_is_keyed_by_account_first(fresh_database: FreshDatabase) -> None:
    with psycopg.connect(fresh_database(PACKAGE)) as connection:
        rows = connection.execute(
            "SELECT c.relname, a.attname FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid "
            "JOIN pg_namespace n ON n.oid = c.relnamespace "
            "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0] "
            "WHERE n.nspname = 'public' AND c.relname <> 'schema_version'"
        ).fetchall()

    assert len(rows) >= 20
    assert {column for _, column in rows} == {"account"}
