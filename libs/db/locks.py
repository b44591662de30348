"""Doing a thing once although several replicas run.

An advisory lock lasts as long as its transaction and is right for short work inside the database. A lease
survives the death of its holder by ending on the database's clock and is right for work that calls the world
outside: its fencing number grows with every new holder, so that a holder who was only paused can be told
apart from the present one (Kleppmann, "How to do distributed locking").
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, DateTime, MetaData, Table, Text, func, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

LEASES_DDL = """
CREATE TABLE leases (
    name       text PRIMARY KEY,
    holder     text NOT NULL,
    fence      bigint NOT NULL,
    expires_at timestamptz NOT NULL
)
"""
"""The table of leases, for a service's first migration: `op.execute(LEASES_DDL)`."""


def leases_table(metadata: MetaData) -> Table:
    """Return the table of leases in `metadata`; its rows are few and stay."""
    return Table(
        "leases",
        metadata,
        Column("name", Text, primary_key=True),
        Column("holder", Text, nullable=False),
        Column("fence", BigInteger, nullable=False),
        Column("expires_at", DateTime(timezone=True), nullable=False),
    )


_LEASES = leases_table(MetaData())


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease that was taken.

    Attributes:
        name: what is leased, e.g. `assignment.minute`.
        holder: who holds it, unique per process.
        fence: grows by one with each new holder; write it beside what the work writes.
    """

    name: str
    holder: str
    fence: int


def advisory_key(name: str) -> int:
    """Return the 64-bit key of an advisory lock; keys are per database."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


async def try_advisory_lock(connection: AsyncConnection, name: str) -> bool:
    """Take the advisory lock `name` until the transaction ends; False when another one has it."""
    query = text("SELECT pg_try_advisory_xact_lock(:key)")
    return bool((await connection.execute(query, {"key": advisory_key(name)})).scalar_one())


async def advisory_lock(connection: AsyncConnection, name: str) -> None:
    """Wait for the advisory lock `name` and hold it until the transaction ends.

    Raises:
        DBAPIError: the lock did not come within the connection's lock timeout (`Database.transaction` turns
            that into ConcurrentChangeError).
    """
    await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": advisory_key(name)})


async def take_lease(connection: AsyncConnection, name: str, holder: str, seconds: float) -> Lease | None:
    """Take or renew the lease `name`; None while another holder's one lasts.

    The same holder renews without a new fence while its lease lasts; after it ended, everybody gets a new
    one. Commit before the work begins. Uses `clock_timestamp()`, never a replica's clock.
    """
    until = func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)
    ended = _LEASES.c.expires_at <= func.clock_timestamp()
    fresh = insert(_LEASES).values(name=name, holder=holder, fence=1, expires_at=until)
    statement = fresh.on_conflict_do_update(
        index_elements=[_LEASES.c.name],
        set_={
            "holder": holder,
            "expires_at": until,
            "fence": _LEASES.c.fence
            + text("(CASE WHEN leases.expires_at <= clock_timestamp() THEN 1 ELSE 0 END)"),
        },
        where=ended | (_LEASES.c.holder == holder),
    ).returning(_LEASES.c.fence)
    fence = (await connection.execute(statement)).scalar_one_or_none()
    return None if fence is None else Lease(name, holder, fence)


async def holds_lease(connection: AsyncConnection, lease: Lease) -> bool:
    """Tell whether `lease` still stands, and keep its row as it is until the transaction ends.

    Call it in the transaction that writes the work's result: no other holder can take over before the commit.
    """
    query = text(
        "SELECT 1 FROM leases WHERE name = :name AND holder = :holder AND fence = :fence"
        " AND expires_at > clock_timestamp() FOR SHARE"
    )
    row = await connection.execute(query, {"name": lease.name, "holder": lease.holder, "fence": lease.fence})
    return row.scalar_one_or_none() is not None


async def release_lease(connection: AsyncConnection, lease: Lease) -> None:
    """End `lease` now; nothing happens when it is no longer ours."""
    await connection.execute(
        text(
            "UPDATE leases SET expires_at = clock_timestamp()"
            " WHERE name = :name AND holder = :holder AND fence = :fence"
        ),
        {"name": lease.name, "holder": lease.holder, "fence": lease.fence},
    )
