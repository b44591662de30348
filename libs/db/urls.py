"""One spelling of a database address.

Everywhere in this house a database is named by a libpq address, `postgresql://user:password@host:port/name`,
which `psql` understands too; only here it becomes SQLAlchemy's.
"""

from __future__ import annotations

from sqlalchemy.engine import URL, make_url


def sqlalchemy_url(url: str) -> URL:
    """Return SQLAlchemy's form of `url`, with psycopg 3 as its driver.

    Raises:
        ValueError: when `url` is not an address of a PostgreSQL database. The text never holds the address,
            which may carry a password.
    """
    try:
        parsed = make_url(url)
    except Exception as error:
        raise ValueError("the database address is not a URL such as `postgresql://user@host/name`") from error
    if parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise ValueError(f"the database address starts with `{parsed.drivername}`, not with `postgresql`")
    return parsed.set(drivername="postgresql+psycopg")


def libpq_url(url: str) -> str:
    """Return `url` as libpq wants it (password included)."""
    return sqlalchemy_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def with_database(url: str, name: str) -> str:
    """Return `url` with another database name."""
    return libpq_url(sqlalchemy_url(url).set(database=name).render_as_string(hide_password=False))


def shown(url: str) -> str:
    """Return `url` without its password, for people."""
    return sqlalchemy_url(url).set(drivername="postgresql").render_as_string(hide_password=True)
