"""The process is killed at every await of a refresh: authorised, or told to authorise anew, never in silence.

Everything is real: PostgreSQL, the Zendesk simulator that deletes the old pair, HTTP between them, SIGKILL.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx2
import pytest
from sqlalchemy import text

from libs.crypto.envelope import Envelope, LocalKeyProvider
from libs.db.data_keys import SqlDataKeys
from libs.db.engine import Database
from libs.kernel.clock import SystemClock
from libs.kernel.ids import AccountId, RandomIds
from libs.testing.postgres import FreshDatabase
from libs.zendesk.client import new_pool
from services.auth.adapters.file_journal import FileJournal
from services.auth.adapters.sql.store import SqlStore
from services.auth.adapters.zendesk import HttpZendesk
from services.auth.app.audit_chain import verify_rows
from services.auth.app.authorize import OAuthClient
from services.auth.app.pairs import Pairs
from services.auth.app.refresh_ahead import RefreshAhead
from services.auth.app.refresh_grant import RefreshGrant
from services.auth.app.zendesk_access import GetZendeskAccess
from services.auth.domain.authorization import authorize_url
from services.auth.domain.errors import ReauthorizationNeededError
from services.auth.domain.grant import GrantState
from services.auth.domain.installation import Installation, InstallationState

pytestmark = pytest.mark.integration

ACCOUNT, SECRET = AccountId("acc-killed"), "s3cret-of-the-client"
MORE_THAN_ENOUGH = 500
SPEC = {
    "subdomain": "acme",
    "plan": "unlimited",
    "oauth_clients": [
        {"identifier": "setlist", "secret": SECRET, "redirect_uri": ["https://edge.test/cb"]},
    ],
    "users": [{"id": 7, "name": "Ada", "email": "ada@acme.test", "role": "admin"}],
}


def _path() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}


@pytest.fixture(scope="module")
def zendesk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The simulator as a process of its own: it outlives whoever is killed."""
    seed = tmp_path_factory.mktemp("zendesk") / "seed.json"
    seed.write_text(json.dumps(SPEC))
    command = [sys.executable, "-m", "tools.zendesk_simulator", "--port", "0", "--seed", str(seed)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # tracebacks about callers who died in the middle of their request
        text=True,
        env=_path(),
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[1]
    finally:
        process.terminate()
        process.communicate(timeout=20)


class Child:
    """The replica that is killed."""

    def __init__(self, settings: dict[str, str]) -> None:
        command = [sys.executable, "-m", "tests.failure.refresh_child", json.dumps(settings)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=_path()
        )

    def refresh(self, killed_at: int) -> str:
        """Refresh, with a kill at one await; return how it ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{killed_at}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def end(self) -> None:
        """Close its input and wait for it."""
        self._process.communicate(timeout=20)


@contextmanager
def replica_to_kill(settings: dict[str, str]) -> Iterator[Child]:
    child = Child(settings)
    try:
        yield child
    finally:
        child.end()


@dataclass
class Survivor:
    """The replica that lives on, and what a test needs to prepare and to look."""

    database: Database
    store: SqlStore
    pairs: Pairs
    access: GetZendeskAccess
    ahead: RefreshAhead
    journal: FileJournal
    pool: httpx2.AsyncClient
    zendesk: HttpZendesk
    simulator: str

    @classmethod
    def on(cls, url: str, simulator: str, journal: Path) -> Survivor:
        clock, database, pool = SystemClock(), Database(url, 4), new_pool()
        store, disk = SqlStore(database), FileJournal(journal)
        pairs = Pairs(Envelope(LocalKeyProvider([bytes(range(32))]), SqlDataKeys(database)))
        http = HttpZendesk(pool, OAuthClient("setlist", SECRET, "https://edge.test/cb", "read write"))
        template = f"{simulator}/_accounts/{{subdomain}}"
        refresh = RefreshGrant(store, http, pairs, disk, clock, RandomIds(clock), template)
        access = GetZendeskAccess(store, pairs, refresh, clock)
        ahead = RefreshAhead(store, access, refresh, disk, clock)
        return cls(database, store, pairs, access, ahead, disk, pool, http, simulator)

    async def close(self) -> None:
        await self.access.drain()
        await self.pool.aclose()
        await self.database.close()

    async def authorize(self) -> None:
        """Give the account a living pair, as a completed authorisation does."""
        base, verifier = f"{self.simulator}/_accounts/acme", secrets.token_urlsafe(48)
        page = authorize_url(base, "setlist", "https://edge.test/cb", "read write", "state", verifier)
        form = dict(parse_qsl(urlsplit(page).query)) | {"decision": "allow"}
        confirmed = await self.pool.post(
            f"{base}/oauth/authorizations/new", data=form, headers={"cookie": "_zendesk_session=7"}
        )
        [code] = parse_qs(urlsplit(confirmed.headers["location"]).query)["code"]
        pair = await self.zendesk.exchange_code(base, code, verifier)
        now = datetime.now(UTC)
        async with self.store.transaction(ACCOUNT) as tx:
            old = await tx.grants.get()
        version = old.version if old else 0
        grant = await self.pairs.seal(ACCOUNT, version + 1, pair, now)
        async with self.store.transaction(ACCOUNT) as tx:
            state = InstallationState.AUTHORIZED
            await tx.installations.put(Installation(ACCOUNT, 4242, 55, "acme", now, state=state))
            assert await tx.grants.replace(grant, expected_version=version)

    async def time_passes(self) -> None:
        """Let the dead holder's lease end on the database's clock."""
        async with self.database.transaction() as connection:
            await connection.execute(text("UPDATE grants SET lease_until = lease_until - interval '31 s'"))

    async def version(self) -> int:
        async with self.store.transaction(ACCOUNT) as tx:
            grant = await tx.grants.get()
        assert grant is not None
        return grant.version

    async def verdict(self) -> str:
        """Return `authorised` or `re-authorise`; anything else is a lost account."""
        await self.ahead.once()
        async with self.store.transaction(ACCOUNT) as tx:
            installation, grant = await tx.installations.get(), await tx.grants.get()
            rows = await tx.audit.page(0, 10_000)
        assert installation is not None
        assert grant is not None
        if rows:
            verify_rows(ACCOUNT, rows)
        try:
            token = (await self.access(ACCOUNT)).token
        except ReauthorizationNeededError:
            assert installation.state is InstallationState.NEEDS_REAUTHORIZATION
            assert [row.action for row in rows][-1] == "grant.lost"
            return "re-authorise"
        assert (grant.state, installation.state) == (GrantState.OK, InstallationState.AUTHORIZED)
        assert await self.zendesk.alive(f"{self.simulator}/_accounts/acme", token)
        return "authorised"


@dataclass(frozen=True)
class Killed:
    """What became of one kill.

    Attributes:
        safe: the new pair was on the disk or in the database when the process died.
    """

    at: int
    safe: bool
    verdict: str


def _kill_everywhere(url: str, zendesk: str, dead: Path, living: Path) -> list[Killed]:
    """Kill at the first await, the second, … until a refresh ends before its kill."""
    settings = {
        "database": url,
        "secret": SECRET,
        "journal": str(dead),
        "template": f"{zendesk}/_accounts/{{subdomain}}",
        "account": ACCOUNT,
    }
    found: list[Killed] = []

    async def one(child: Child, survivor: Survivor, at: int) -> str:
        await survivor.authorize()
        before = await survivor.version()
        ended = await asyncio.to_thread(child.refresh, at)
        await survivor.time_passes()
        safe = bool(await FileJournal(dead).entries()) or await survivor.version() > before
        found.append(Killed(at, safe, await survivor.verdict()))
        return ended

    async def everywhere() -> None:
        survivor = Survivor.on(url, zendesk, living)
        with replica_to_kill(settings) as child:
            for at in range(1, MORE_THAN_ENOUGH):
                if (ended := await one(child, survivor, at)) != "killed":
                    assert ended == "done"
                    break
        await survivor.close()

    asyncio.run(everywhere())
    return found


def test_a_killed_replica_that_comes_back_with_its_disk_loses_only_an_answer_it_never_read(
    fresh_database: FreshDatabase, zendesk: str, tmp_path: Path
) -> None:
    url = fresh_database("services.auth.migrations")

    found = _kill_everywhere(url, zendesk, tmp_path / "disk", tmp_path / "disk")

    assert len(found) > 30
    assert {one.verdict for one in found} == {"authorised", "re-authorise"}
    assert (found[0].verdict, found[-1].verdict) == ("authorised", "authorised")
    # A pair that reached the disk or the database is never lost.
    assert {one.verdict for one in found if one.safe} == {"authorised"}
    assert any(one.safe for one in found[:-1])


def test_another_replica_finds_the_account_authorised_or_says_that_it_is_not(
    fresh_database: FreshDatabase, zendesk: str, tmp_path: Path
) -> None:
    url = fresh_database("services.auth.migrations")

    found = _kill_everywhere(url, zendesk, tmp_path / "dead", tmp_path / "living")

    assert len(found) > 30
    assert {one.verdict for one in found} == {"authorised", "re-authorise"}
    assert (found[0].verdict, found[-1].verdict) == ("authorised", "authorised")
