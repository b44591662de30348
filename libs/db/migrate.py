"""Migrations: alembic without a per-service `env.py`.

A service's `migrations` package holds scripts `NNNN_pre_what.py` and `NNNN_post_what.py`. `NNNN` is alembic's
revision id, so "new enough" is a comparison of numbers. `pre` scripts run before the new code is rolled out,
`post` scripts after the old code is gone (procrastinate's habit). The run is guarded like warehouse's: one
advisory lock around it, a short lock timeout, a short statement timeout, one transaction per script.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Literal

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, NullPool, create_engine, exc, inspect, text

from libs.db.engine import Database
from libs.db.failures import sqlstate
from libs.db.locks import advisory_key
from libs.db.urls import sqlalchemy_url

Phase = Literal["pre", "all"]

_NAME = re.compile(r"(?P<revision>\d{4})_(?P<phase>pre|post)_[a-z0-9_]+\.py")
_VERSION_TABLE = "schema_version"
_LOCK_NOT_AVAILABLE = "55P03"


class MigrationError(RuntimeError):
    """A migration cannot be run or is badly named; the text names it."""


def migrate(url: str, package: str, *, phase: Phase = "all", wait_seconds: float = 120.0) -> list[str]:
    """Bring the database at `url` to the newest revision of `package`, once, however many call at a time.

    Args:
        url: of a role that owns the database; connect directly, not through a transaction pooler.
        package: the package that holds the scripts, e.g. `services.policy.migrations`.
        phase: `pre` stops before the first `post` script that is not applied yet.
        wait_seconds: how long to wait for another run to end.

    Returns:
        the revisions that this call applied, oldest first.

    Raises:
        MigrationError: a script is badly named, or did not get its lock in time; those before it stay
            applied.
    """
    scripts = load_scripts(package)
    engine = create_engine(
        sqlalchemy_url(url), poolclass=NullPool, connect_args={"application_name": "setlist-migrate"}
    )
    with engine.connect() as connection:
        _lock(connection, wait_seconds)
        try:
            return _run(connection, scripts, phase)
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock_all()"))
            connection.commit()


async def schema_revision(database: Database) -> str | None:
    """Return the newest revision applied to `database`, None when it has none; for readiness."""
    async with database.transaction() as connection:
        if not await connection.run_sync(lambda sync: inspect(sync).has_table(_VERSION_TABLE)):
            return None
        found = await connection.execute(text(f"SELECT version_num FROM {_VERSION_TABLE}"))  # noqa: S608 — a constant
        return found.scalar_one_or_none()


def newest_revision(package: str) -> str | None:
    """Return the newest revision that `package` holds, None when it holds no script."""
    return load_scripts(package).get_current_head()


def pending(url: str, package: str) -> list[str]:
    """Return the revisions of `package` that the database at `url` does not have yet, oldest first."""
    scripts = load_scripts(package)
    engine = create_engine(sqlalchemy_url(url), poolclass=NullPool)
    with engine.connect() as connection:
        current = _current(connection)
    return [str(script.revision) for script in _after(scripts, current)]


def load_scripts(package: str) -> ScriptDirectory:
    """Return the scripts of `package` after checking their names.

    Raises:
        MigrationError: no such package, a bad file name, or a revision that differs from its file's number.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MigrationError(f"there is no package `{package}`")
    folder = Path(next(iter(spec.submodule_search_locations)))
    names = sorted(path.name for path in folder.glob("*.py") if path.name != "__init__.py")
    for name in names:
        if not _NAME.fullmatch(name):
            raise MigrationError(
                f"`{name}` in `{package}` is not named `NNNN_pre_what.py` or `NNNN_post_what.py`"
            )
    scripts = ScriptDirectory(str(folder), version_locations=[str(folder)])
    for script in scripts.walk_revisions():
        name = Path(script.path).name
        if script.revision != name[:4]:
            raise MigrationError(f"`{name}` in `{package}` has revision `{script.revision}`")
    return scripts


def _lock(connection: Connection, wait_seconds: float) -> None:
    """Wait for the run of another process; session-wide, because every script commits."""
    try:
        _set(connection, lock_timeout=f"{int(wait_seconds * 1000)}ms", statement_timeout="0")
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": advisory_key("setlist.migrate")})
    except exc.OperationalError as error:
        if sqlstate(error) == _LOCK_NOT_AVAILABLE:
            raise MigrationError(f"another migration has been running for {wait_seconds:g} s") from error
        raise
    _set(connection, lock_timeout="4s", statement_timeout="5s")
    connection.commit()


def _set(connection: Connection, **settings: str) -> None:
    for name, value in settings.items():
        connection.execute(text("SELECT set_config(:name, :value, false)"), {"name": name, "value": value})


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(
        connection, opts={"version_table": _VERSION_TABLE}
    ).get_current_revision()


def _after(scripts: ScriptDirectory, current: str | None) -> list[Script]:
    return [
        script
        for script in reversed(list(scripts.walk_revisions()))
        if current is None or script.revision > current
    ]


def _target(scripts: ScriptDirectory, current: str | None, phase: Phase) -> str | None:
    target = current
    for script in _after(scripts, current):
        if phase == "pre" and Path(script.path).name[5:].startswith("post"):
            break
        target = script.revision
    return target


def _run(connection: Connection, scripts: ScriptDirectory, phase: Phase) -> list[str]:
    current = _current(connection)
    connection.rollback()
    target = _target(scripts, current, phase)
    if target is None or target == current:
        return []
    applied: list[str] = []
    config = Config()
    with EnvironmentContext(
        config,
        scripts,
        fn=lambda revision, _: scripts._upgrade_revs(target, revision),  # noqa: SLF001 — what alembic's own `upgrade` does
        destination_rev=target,
    ) as environment:
        environment.configure(
            connection=connection,
            transaction_per_migration=True,
            version_table=_VERSION_TABLE,
            on_version_apply=lambda *, step, **_: applied.append(step.up_revision_id),
        )
        try:
            environment.run_migrations()
        except exc.OperationalError as error:
            if sqlstate(error) in {_LOCK_NOT_AVAILABLE, "57014"}:
                after = f" after `{applied[-1]}`" if applied else ""
                raise MigrationError(
                    f"a script{after} waited too long for a lock or ran too long; run again"
                ) from error
            raise
    return applied
