"""Revisions, what changed with each, and the sweep of the past, in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from libs.db.notify import notify
from libs.decision.rows import Change
from libs.decision.rows import Row as Kept
from services.policy.adapters.sql.objects import object_of
from services.policy.adapters.sql.relationships import relationship_of
from services.policy.adapters.sql.rows import Rows
from services.policy.adapters.sql.types import type_of
from services.policy.adapters.sql.users import user_of
from services.policy.app.ports import AccountSettings, State, Written

CHANNEL = "policy_changes"
"""Notices with an account as payload: its revision was raised."""
_TABLES: tuple[tuple[str, Callable[[Row[Any]], Kept]], ...] = (
    ("types", type_of),
    ("users", user_of),
    ("objects", object_of),
    ("relationships", relationship_of),
)


class SqlHistory(Rows):
    """The part of `Transaction` about revisions and the past."""

    async def state(self) -> State:
        found = await self._run("SELECT revision, oldest, redacted FROM revisions WHERE account = :account")
        row = found.one_or_none()
        return State(row.revision, row.oldest, row.redacted) if row else State()

    async def next_revision(self, actor: str, now: datetime) -> int:
        found = await self._run(
            "INSERT INTO revisions AS r (account, revision) VALUES (:account, 1) "
            "ON CONFLICT (account) DO UPDATE SET revision = r.revision + 1 RETURNING revision"
        )
        self._revision = int(found.scalar_one())
        await self._run(
            "INSERT INTO change_log (account, revision, at, actor) VALUES (:account, :revision, :at, :actor)",
            at=now,
            actor=actor,
        )
        await notify(self._connection, CHANNEL, self._account)
        return self._revision

    async def settings(self) -> AccountSettings:
        found = await self._run("SELECT body, version FROM settings WHERE account = :account")
        row = found.one_or_none()
        if row is None:
            return AccountSettings()
        body = {**row.body, "audited_types": tuple(row.body.get("audited_types", ()))}
        return AccountSettings(**body, version=row.version)

    async def put_settings(self, settings: AccountSettings) -> None:
        body = {key: value for key, value in asdict(settings).items() if key != "version"}
        await self._run(
            "INSERT INTO settings AS s (account, body, version) VALUES (:account, CAST(:body AS jsonb), 1) "
            "ON CONFLICT (account) DO UPDATE SET body = excluded.body, version = s.version + 1",
            body=json.dumps(body),
        )

    async def written(self, revision: int) -> Written | None:
        return next(iter(await self.log_of(revision - 1, revision)), None)

    async def log_of(self, after: int, to: int) -> list[Written]:
        rows = await self._run(
            "SELECT revision, at, actor FROM change_log "
            "WHERE account = :account AND revision > :after AND revision <= :to ORDER BY revision",
            after=after,
            to=to,
        )
        return [Written(row.revision, row.at, row.actor) for row in rows]

    async def revision_at(self, instant: datetime) -> int | None:
        # the clocks of replicas may differ: the last one written until then, whatever came between
        found = await self._run(
            "SELECT max(revision) FROM change_log WHERE account = :account AND at <= :instant",
            instant=instant,
        )
        return found.scalar_one()  # type: ignore[no-any-return]  # bigint or NULL

    async def changes(self, after: int, to: int) -> list[Change]:
        found: list[Change] = []
        window = {"after": after, "to": to}
        for table, made in _TABLES:
            gone = await self._run(
                f"SELECT * FROM past_{table} WHERE account = :account AND to_rev > :after AND to_rev <= :to",  # noqa: S608 - ours
                **window,
            )
            found += [Change(row.to_rev, made(row), gone=True) for row in gone]
            for source in (table, f"past_{table}"):
                came = await self._run(
                    f"SELECT * FROM {source} WHERE account = :account AND from_rev > :after AND from_rev <= :to",  # noqa: S608 - ours
                    **window,
                )
                found += [Change(row.from_rev, made(row)) for row in came]
        return sorted(found, key=lambda change: (change.revision, not change.gone))

    async def forget_requests(self, age: timedelta) -> None:
        await self._run(
            "DELETE FROM requests WHERE account = :account AND created_at < clock_timestamp() - :age", age=age
        )

    async def forget_before(self, revision: int) -> None:
        for table, _ in _TABLES:
            await self._run(
                f"DELETE FROM past_{table} WHERE account = :account AND to_rev <= :before",  # noqa: S608 - ours
                before=revision,
            )
        await self._run(
            "DELETE FROM change_log WHERE account = :account AND revision < :before", before=revision
        )
        await self._run(
            "UPDATE revisions SET oldest = greatest(oldest, :before) WHERE account = :account",
            before=revision,
        )
