"""One conformance suite for the port `Vault`, over memory and PostgreSQL."""

from __future__ import annotations

import asyncio
import itertools
import json

import pytest
from sqlalchemy import text

from libs.crypto.documents import document_verifies
from libs.crypto.envelope import Envelope, LocalKeyProvider
from libs.crypto.errors import InvalidCiphertextError
from libs.db.data_keys import SqlDataKeys
from libs.db.engine import Database
from libs.kernel.ids import AccountId
from services.privacy.adapters.memory.vault import MemoryVault
from services.privacy.adapters.vault import EnvelopeVault
from services.privacy.app.ports import Vault
from services.privacy.domain.identity import Identity

pytestmark = pytest.mark.integration
WHO: list[Identity] = [("zendesk_user_id", "770011"), ("email", "cy@example.com")]
_accounts = itertools.count(1)


def sql_vault(database: Database) -> EnvelopeVault:
    return EnvelopeVault(database, Envelope(LocalKeyProvider([bytes(32)]), SqlDataKeys(database)))


@pytest.fixture(params=["memory", "sql"])
def vault(request: pytest.FixtureRequest, database: Database) -> Vault:
    return MemoryVault() if request.param == "memory" else sql_vault(database)


@pytest.fixture
def account() -> AccountId:
    return AccountId(f"acc-{next(_accounts)}")


async def test_a_snapshot_opens_until_its_own_key_is_destroyed(vault: Vault, account: AccountId) -> None:
    one, two = [await vault.seal(account, request, WHO) for request in ("req-1", "req-2")]
    assert await vault.open(account, "req-1", one) == WHO
    with pytest.raises(InvalidCiphertextError):
        await vault.open(account, "req-2", one)

    for _ in range(2):
        await vault.drop(account, "req-1")

    with pytest.raises(InvalidCiphertextError):
        await vault.open(account, "req-1", one)
    assert await vault.open(account, "req-2", two) == WHO


async def test_an_account_has_one_ledger_key(vault: Vault, account: AccountId) -> None:
    keys = await asyncio.gather(*(vault.ledger_key(account) for _ in range(4)))

    assert len(set(keys)) == 1
    assert keys[0] != await vault.ledger_key(AccountId(f"{account}-b"))


async def test_a_document_verifies(vault: Vault) -> None:
    document: dict[str, object] = {"b": 1, "a": ["é"]}

    canonical, signature, pem = await vault.sign(document)

    assert (canonical, json.loads(canonical)) == ('{"a":["é"],"b":1}', document)
    assert document_verifies(document, signature, pem.encode())
    assert (await vault.sign({}))[2] == pem


async def test_replicas_agree_on_keys_and_the_database_holds_none_in_clear(
    database: Database, account: AccountId
) -> None:
    one, two = sql_vault(database), sql_vault(database)

    first, second = await asyncio.gather(one.ledger_key(account), two.ledger_key(account))
    signed = await asyncio.gather(one.sign({}), two.sign({}))

    assert first == second
    assert signed[0] == signed[1]
    async with database.transaction() as connection:
        sealed = (await connection.execute(text("SELECT sealed FROM secrets"))).scalars().all()
        wrapped = (await connection.execute(text("SELECT wrapped FROM data_keys"))).scalars().all()
    assert sealed
    assert not any(first in bytes(value) or b"PRIVATE KEY" in bytes(value) for value in [*sealed, *wrapped])
