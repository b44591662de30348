"""Databases on the server of a run: templates that are migrated once, and clones of them."""

from __future__ import annotations

import re
import secrets

import psycopg
from psycopg import sql

from libs.db.migrate import migrate
from libs.db.urls import sqlalchemy_url, with_database

PREFIX = "setlist_test_"


class PostgresServer:
    """A server on which this run makes and drops databases with our prefix, and touches nothing else.

    Args:
        url: address of a maintenance database, for a role that may create databases.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._run = secrets.token_hex(4)
        self._templates: dict[str, str] = {}
        self._made: set[str] = set()
        self._count = 0

    def version(self) -> str:
        """Return the server's version, e.g. `18.4`."""
        with psycopg.connect(self.url) as connection:
            row = connection.execute("SHOW server_version").fetchone()
        return str(row[0]).split()[0] if row else "unknown"

    def clone(self, package: str | None = None) -> str:
        """Return the address of a new database with the schema of `package`, or an empty one."""
        template = None if package is None else self._template(package)
        self._count += 1
        return self._create(f"{PREFIX}{self._run}_{self._count}", template)

    def drop(self, url: str) -> None:
        """Drop a database that `clone` made, connected or not."""
        name = sqlalchemy_url(url).database or ""
        if name in self._made:
            with psycopg.connect(self.url, autocommit=True) as connection:
                connection.execute(
                    sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
                )
            self._made.remove(name)

    def drop_all(self) -> None:
        """Drop every database of this run."""
        for name in list(self._made):
            self.drop(with_database(self.url, name))

    def _template(self, package: str) -> str:
        if package not in self._templates:
            shown = re.sub(r"[^a-z0-9]+", "_", package.lower())[-30:].strip("_")
            name = f"{PREFIX}{self._run}_t{len(self._templates)}_{shown}"
            migrate(self._create(name, None), package)
            self._templates[package] = name
        return self._templates[package]

    def _create(self, name: str, template: str | None) -> str:
        source = sql.SQL("") if template is None else sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}{}").format(sql.Identifier(name), source))
        self._made.add(name)
        return with_database(self.url, name)
