"""The port `Subjects` on PostgreSQL, from a handful of statements per service."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.engine import Database
from libs.kernel.errors import ErrorKind, SetlistError
from libs.kernel.ids import AccountId, UserId
from libs.participant.data_map import DataMap, Strategy
from libs.participant.subjects import Count, Record

ERASURES_DDL = """
CREATE TABLE erasures (
    account text NOT NULL,
    request text NOT NULL,
    node    text NOT NULL,
    attempt bigint NOT NULL,
    counts  jsonb NOT NULL,
    PRIMARY KEY (account, request, node)
)
"""
"""What was answered to each erasure, so that the same call gives the same answer; for a service's migration."""
ERASURES_COLUMNS = "account request node attempt counts"

# Columns that can hold a person's id, told by type and name from the catalogue alone.
_CATALOGUE = """
SELECT table_name, column_name, udt_name FROM information_schema.columns
WHERE table_schema = 'public' AND (
    (udt_name = 'int8' AND column_name ~ '(user|requester|submitter|agent|assignee|actor|subject|updater)_id$')
    OR (udt_name = '_int8' AND column_name ~ '(user|agent|assignee|actor|subject)(s|_ids)$')
    OR (udt_name IN ('text', 'jsonb')
        AND column_name ~ '(actor|subject|source|target|detail|facts|principal|_by$)')
) ORDER BY 1, 2
"""
_SCHEMA = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"


_NEWER = (
    "UPDATE erasures SET attempt = :attempt WHERE account = :account AND request = :request AND node = :node"
)


class StaleAttemptError(SetlistError):
    """A newer run of this step was seen: this one was given up for dead meanwhile."""

    kind = ErrorKind.STALE
    reason = "CONCURRENT_CHANGE"


@dataclass(frozen=True, slots=True)
class Place:
    """One place where a service holds something about a person.

    Attributes:
        table: the table.
        column: empty when whole rows go.
        strategy: what the erasure does.
        where: SQL condition with `:user` and `:subject` (`user:{id}`); the account is added.
        change: SQL after SET; empty for DELETE_ROW and KEEP.
        ground: why it is kept, for KEEP.
        shown: columns that an export shows; empty = none.
    """

    table: str
    column: str
    strategy: Strategy
    where: str
    change: str = ""
    ground: str = ""
    shown: str = ""
    third_party: bool = False

    def count(self, rows: int) -> Count:
        """Return the rows under the strategy's heading."""
        match self.strategy:
            case Strategy.PSEUDONYMISE:
                return Count(self.table, self.column, pseudonymised=rows)
            case Strategy.KEEP:
                return Count(self.table, self.column, retained=rows, ground=self.ground if rows else "")
            case _:
                return Count(self.table, self.column, erased=rows)

    @property
    def statement(self) -> str:
        """The statement that erases, empty for KEEP."""
        condition = f"WHERE account = :account AND ({self.where})"
        if self.strategy is Strategy.KEEP:
            return ""
        if self.strategy is Strategy.DELETE_ROW:
            return f"DELETE FROM {self.table} {condition}"  # noqa: S608 - written by us, in code
        return f"UPDATE {self.table} SET {self.change} {condition}"  # noqa: S608 - the same

    @property
    def counting(self) -> str:
        """The statement that counts."""
        return f"SELECT count(*) FROM {self.table} WHERE account = :account AND ({self.where})"  # noqa: S608 - the same


class SqlSubjects:
    """Implements the port `Subjects`.

    Args:
        places: in the order in which they are erased.
        data_map: tells which columns are kept on purpose, and which tables hold what the person provided.
        first: done in the erasure's own transaction before anything is erased, e.g. to take a lock, and to
            tell those who keep copies.
    """

    def __init__(
        self,
        database: Database,
        places: Sequence[Place],
        data_map: DataMap,
        first: Callable[[AsyncConnection, AccountId], Awaitable[None]] | None = None,
    ) -> None:
        self._database = database
        self._first = first
        self._places = places
        self._kept = data_map.kept()
        self._provided = {c.table for c in data_map.columns if c.provided}

    @staticmethod
    def _values(account: AccountId, user: UserId) -> dict[str, Any]:
        return {"account": account, "user": user, "subject": f"user:{user}"}

    async def preview(self, account: AccountId, user: UserId) -> Sequence[Count]:
        async with self._database.transaction(read_only=True) as connection:
            return [
                place.count(await _number(connection, place.counting, self._values(account, user)))
                for place in self._places
            ]

    async def erase(
        self, account: AccountId, user: UserId, request: str, node: str, attempt: int
    ) -> Sequence[Count]:
        key = {"account": account, "request": request, "node": node}
        async with self._database.transaction() as connection:
            await connection.execute(
                text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"),
                {"key": f"erase/{account}/{request}/{node}"},
            )
            done = (
                await connection.execute(
                    text(
                        "SELECT attempt, counts FROM erasures "
                        "WHERE account = :account AND request = :request AND node = :node"
                    ),
                    key,
                )
            ).one_or_none()
            if done is not None:
                if attempt < done.attempt:
                    raise StaleAttemptError("a newer run of this step was seen", metadata={"node": node})
                if attempt > done.attempt:
                    await connection.execute(text(_NEWER), {**key, "attempt": attempt})
                return [Count(**row) for row in done.counts]
            if self._first is not None:
                await self._first(connection, account)
            counts = []
            for place in self._places:
                rows = await self._apply(connection, place, self._values(account, user))
                counts.append(place.count(rows))
            await connection.execute(
                text(
                    "INSERT INTO erasures (account, request, node, attempt, counts) "
                    "VALUES (:account, :request, :node, :attempt, CAST(:counts AS jsonb))"
                ),
                {**key, "attempt": attempt, "counts": json.dumps([asdict(c) for c in counts])},
            )
            return counts

    @staticmethod
    async def _apply(connection: AsyncConnection, place: Place, values: dict[str, Any]) -> int:
        if not place.statement:
            return await _number(connection, place.counting, values)
        return (await connection.execute(text(place.statement), values)).rowcount

    async def search(self, account: AccountId, user: UserId) -> Mapping[tuple[str, str], int]:
        found: dict[tuple[str, str], int] = {}
        async with self._database.transaction(read_only=True) as connection:
            columns = (await connection.execute(text(_CATALOGUE))).all()
            with_account = {t for t, c in (await connection.execute(text(_SCHEMA))).all() if c == "account"}
            for table, column, kind in columns:
                if (table, column) in self._kept or table not in with_account:
                    continue
                match = {
                    "int8": f'"{column}" = :user',
                    "_int8": f':user = ANY("{column}")',
                    "text": f'"{column}" IN (:subject, :plain, :zen)',
                    "jsonb": f'"{column}"::text ~ :pattern',
                }[kind]
                query = f'SELECT count(*) FROM "{table}" WHERE account = :account AND {match}'  # noqa: S608 - names of the catalogue
                values = {
                    **self._values(account, user),
                    "plain": str(user),
                    "zen": f"zen:user:{user}",
                    "pattern": rf"\m{user}\M",
                }
                found[(table, column)] = await _number(connection, query, values)
        return found

    async def export(self, account: AccountId, user: UserId) -> AsyncIterator[Record]:
        async with self._database.transaction(read_only=True) as connection:
            for place in self._places:
                if not place.shown:
                    continue
                rows = await connection.execute(
                    text(
                        # a whole row orders without ties, so that a cursor finds its place again
                        f"SELECT * FROM (SELECT {place.shown} FROM {place.table} "  # noqa: S608 - written by us, in code
                        f"WHERE account = :account AND ({place.where})) AS shown ORDER BY shown"
                    ),
                    self._values(account, user),
                )
                for row in rows.mappings():
                    yield Record(place.table, dict(row), place.third_party, place.table in self._provided)


async def _number(connection: AsyncConnection, query: str, values: Mapping[str, Any]) -> int:
    return int((await connection.execute(text(query), values)).scalar_one())


async def catalogue(database: Database) -> set[tuple[str, str]]:
    """Return every (table, column) of the service's schema, for the census; alembic's own table left out."""
    async with database.transaction(read_only=True) as connection:
        rows = (await connection.execute(text(_SCHEMA))).all()
    return {(table, column) for table, column in rows if table != "schema_version"}
