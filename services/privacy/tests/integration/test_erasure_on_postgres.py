"""A whole erasure on PostgreSQL: two replicas at once, and nothing in any row afterwards."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
from sqlalchemy import text

from libs.crypto.documents import document_verifies
from libs.crypto.envelope import Envelope, LocalKeyProvider
from libs.db.data_keys import SqlDataKeys
from libs.db.engine import Database
from libs.kernel.clock import SystemClock
from libs.kernel.ids import RandomIds
from services.privacy.adapters.sql.store import SqlStore
from services.privacy.adapters.vault import EnvelopeVault
from services.privacy.app.background import Runner
from services.privacy.app.create_request import Asked
from services.privacy.app.use_cases import UseCases, wire
from services.privacy.domain.states import RUNNING, State
from services.privacy.tests.house import ACCOUNT, ADMIN, EMAIL, TICKETS, USER, WHO, House

pytestmark = pytest.mark.integration


def replica(database: Database, house: House) -> tuple[UseCases, Runner]:
    """Return one replica on the database; the world outside is the house's."""
    clock, wake = SystemClock(), asyncio.Event()
    store = SqlStore(database)
    vault = EnvelopeVault(database, Envelope(LocalKeyProvider([bytes(32)]), SqlDataKeys(database)))
    use = wire(store, vault, house.participants, house.zendesk, clock, RandomIds(clock), wake)
    return use, Runner(store, use.execute, wake, 0.05)


async def rows_of(database: Database) -> str:
    """Return every row of every table as text."""
    found = []
    async with database.transaction(read_only=True) as connection:
        tables = await connection.execute(
            text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        )
        for table in tables.scalars().all():
            rows = await connection.execute(text(f'SELECT t::text FROM "{table}" t'))
            found += [f"{table}: {row}" for row in rows.scalars()]
    return "\n".join(found)


async def test_two_replicas_erase_a_person_once(database: Database) -> None:
    house = House(SystemClock())
    (one, first), (two, second) = replica(database, house), replica(database, house)
    runners = [asyncio.create_task(runner.run()) for runner in (first, second)]
    request = await one.create(ACCOUNT, Asked("ERASURE", WHO), ADMIN)
    planned = (await two.read.one(ACCOUNT, request)).row
    assert planned.state is State.AWAITING_APPROVAL

    await two.approve(ACCOUNT, request, planned.plan_hash, ADMIN)
    async with asyncio.timeout(30):
        while (view := await one.read.one(ACCOUNT, request)).row.state in RUNNING:
            await asyncio.wait(runners, timeout=0.05)
    for runner in runners:
        runner.cancel()
    ended = await asyncio.gather(*runners, return_exceptions=True)
    assert all(isinstance(error, asyncio.CancelledError) for error in ended)

    assert view.row.state is State.COMPLETED, view
    assert (view.row.identities, house.left()) == (None, 0)
    assert set(TICKETS) == house.zendesk.destroyed
    certificate = await one.read.certificate(ACCOUNT, request)
    document = json.loads(certificate.document)
    assert document_verifies(document, certificate.signature, certificate.key_pem.encode())
    assert document["ledger"] == {"intents": 7, "outcomes": 7}
    length, fault, _ = await two.verify_chain(ACCOUNT)
    assert (length, fault) == (len(view.steps) + 4, 0)
    kept = await rows_of(database)
    assert request in kept
    for secret in (str(USER), EMAIL, *map(str, TICKETS)):
        # As a word: digits of hashes and of fractions of seconds are nobody's.
        assert re.search(rf"(?<![0-9A-Za-z.]){re.escape(secret)}(?![0-9A-Za-z])", kept) is None
    assert "snapshot-" not in kept
