"""Which database failures callers may handle; every other one is a fault of ours and stays what it is."""

from __future__ import annotations

import psycopg
from sqlalchemy import exc

from libs.kernel.errors import (
    ConcurrentChangeError,
    DependencyUnavailableError,
    OverloadedError,
    SetlistError,
)

CONCURRENT = frozenset({"40001", "40P01", "55P03"})
"""Serialization failure, deadlock, lock not available (PostgreSQL, appendix A)."""

AWAY = frozenset({"57P01", "57P02", "57P03", "57P05", "53300", "57014", "25P03"})
"""Shut down, starting, no connection left, statement or idle transaction ended by its time limit."""


def sqlstate(error: BaseException) -> str | None:
    """Return the five-character SQLSTATE of a database error, None when it has none."""
    origin = error.orig if isinstance(error, exc.DBAPIError) else error
    return origin.sqlstate if isinstance(origin, psycopg.Error) else None


def constraint(error: exc.IntegrityError) -> str | None:
    """Return the name of the constraint that a write broke, for adapters that handle it."""
    return error.orig.diag.constraint_name if isinstance(error.orig, psycopg.Error) else None


def translate(error: exc.SQLAlchemyError | psycopg.Error) -> SetlistError | None:
    """Return the house's error for a failure that a caller may handle, None for any other."""
    if isinstance(error, exc.TimeoutError):
        return OverloadedError("no database connection became free in time", retry_after_seconds=1.0)
    state = sqlstate(error)
    if state in CONCURRENT:
        return ConcurrentChangeError("another transaction changed the same rows")
    away = state in AWAY or (state is not None and state.startswith("08"))
    lost = isinstance(error, exc.DBAPIError) and error.connection_invalidated
    driver = error.orig if isinstance(error, exc.DBAPIError) else error
    refused = state is None and isinstance(driver, psycopg.OperationalError)
    if away or lost or refused:
        return DependencyUnavailableError("the database does not answer", retry_after_seconds=1.0)
    return None
