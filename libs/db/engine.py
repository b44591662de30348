"""The one way a service talks to its database.

SQLAlchemy Core on psycopg 3, asynchronous, with a bounded pool. Repositories get the connection of an open
transaction; they never open, commit or roll back.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Literal

from sqlalchemy import event, exc, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import QueuePool

from libs.db.failures import translate
from libs.db.urls import shown, sqlalchemy_url

CLOSE_SECONDS = 2.0
"""How long closing waits for connections that are in use."""
Isolation = Literal["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]


class Database:
    """A bounded pool of connections to one PostgreSQL database.

    Nothing is connected before the first transaction, so a process may start before its database.

    Args:
        url: `postgresql://user:password@host:port/name`.
        pool_size: connections at most; the callers beyond wait.
        name: shown as `application_name` in `pg_stat_activity`.
        pool_timeout_seconds: how long they wait before the call is shed.
        statement_timeout_seconds: the database ends a longer statement.
        lock_timeout_seconds: the database ends a longer wait for a lock.
        idle_timeout_seconds: the database ends a transaction that does nothing for longer.
        search_path: schemas, e.g. `("public", "jobs")`; None leaves the role's own.
    """

    def __init__(
        self,
        url: str,
        pool_size: int = 10,
        *,
        name: str = "setlist",
        pool_timeout_seconds: float = 5.0,
        statement_timeout_seconds: float = 5.0,
        lock_timeout_seconds: float = 4.0,
        idle_timeout_seconds: float = 30.0,
        search_path: tuple[str, ...] | None = None,
    ) -> None:
        self.url = url
        settings = {
            "timezone": "UTC",
            "statement_timeout": f"{int(statement_timeout_seconds * 1000)}ms",
            "lock_timeout": f"{int(lock_timeout_seconds * 1000)}ms",
            "idle_in_transaction_session_timeout": f"{int(idle_timeout_seconds * 1000)}ms",
        }
        if search_path is not None:
            settings["search_path"] = ",".join(search_path)
        self._engine = create_async_engine(
            sqlalchemy_url(url),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=pool_timeout_seconds,
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={
                "application_name": name,
                "connect_timeout": 5,
                "options": " ".join(f"-c {key}={value}" for key, value in settings.items()),
            },
        )

    def __repr__(self) -> str:
        return f"Database({shown(self.url)})"

    def transaction(
        self, *, isolation: Isolation = "READ COMMITTED", read_only: bool = False
    ) -> AbstractAsyncContextManager[AsyncConnection]:
        """Open a transaction; a clean exit commits, an exception rolls back.

        A commit that has begun is waited for even when the caller is cancelled, so that its outcome is known
        to the database and the connection stays usable.

        Raises:
            ConcurrentChangeError: serialization failure, deadlock, or a lock that did not come in time.
            DependencyUnavailableError: the database is away, or a statement took too long.
            OverloadedError: no connection became free in time.
        """
        return self._transaction(isolation, read_only)

    @asynccontextmanager
    async def _transaction(self, isolation: Isolation, read_only: bool) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._engine.connect() as connection:
                options: dict[str, object] = {"isolation_level": isolation}
                if read_only:
                    options["postgresql_readonly"] = True
                if isolation != "READ COMMITTED" or read_only:
                    await connection.execution_options(**options)
                await connection.begin()
                yield connection
                await _finish(connection)
        except (exc.DBAPIError, exc.TimeoutError) as error:
            if (known := translate(error)) is not None:
                raise known from error
            raise

    async def ping(self) -> None:
        """Ask the database for an answer.

        Raises:
            DependencyUnavailableError: it does not give one.
            OverloadedError: no connection became free in time.
        """
        async with self.transaction() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close every connection; the object is of no use afterwards.

        What is in use is waited for, `CLOSE_SECONDS` at most: SQLAlchemy leaves a connection that comes back later to
        the garbage collector. Of a cancelled call it comes back after the call has ended.
        """
        pool, returned = self._engine.sync_engine.pool, asyncio.Event()
        event.listen(pool, "checkin", lambda *_: returned.set())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                while isinstance(pool, QueuePool) and pool.checkedout():
                    returned.clear()
                    await returned.wait()
        await self._engine.dispose()


async def _finish(connection: AsyncConnection) -> None:
    commit = asyncio.ensure_future(connection.commit())
    try:
        await asyncio.shield(commit)
    except asyncio.CancelledError:
        if not commit.done():
            await asyncio.wait([commit])
        raise
