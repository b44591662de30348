"""The vault: rotation of data keys resumes after a kill anywhere, shredding outlives a restored backup."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

from libs.crypto.data_keys import StoredKey
from libs.crypto.envelope import Envelope, LocalKeyProvider, key_id_of
from libs.crypto.errors import InvalidCiphertextError
from libs.db.data_keys import SqlDataKeys
from libs.db.engine import Database
from libs.db.notify import Listener
from libs.kernel.ids import AccountId
from services.auth.adapters.memory.vault import MemoryRotations, MemorySealedValues
from services.auth.adapters.sql.store import SqlStore
from services.auth.adapters.sql.vault import EVICTIONS, SEALED, SqlEvictions, SqlRotations, SqlSealedValues
from services.auth.app.rotate_data_keys import RotateDataKeys
from services.auth.app.shred_account import ShredAccount
from services.auth.app.vault_ports import DataKeys, Rotation, Rotations, SealedValues
from services.auth.domain.errors import NotAuthorizedError
from services.auth.domain.revocation import PLATFORM
from services.auth.main import evict
from services.auth.tests.house import TEMPLATE, House

pytestmark = pytest.mark.integration

KEK, NEW_KEK = bytes(range(32)), bytes(range(32, 64))


@dataclass
class Place:
    """One kind of store and what rotates on it."""

    house: House
    values: SealedValues
    rotations: Rotations
    keys: DataKeys
    numbers: list[int] = field(default_factory=list)

    def keeper(self, *, grace_seconds: float = 0.0, holder: str = "proc-1") -> RotateDataKeys:
        house = self.house
        return RotateDataKeys(
            house.store,
            house.sealer,
            self.keys,
            self.values,
            self.rotations,
            house.clock,
            house.ids,
            holder=holder,
            grace_seconds=grace_seconds,
        )

    async def account(self) -> AccountId:
        """An account with a grant, a contact and an authorisation under way."""
        self.numbers.append(len(self.numbers))
        subdomain = f"vault{self.house.ids.new('s')[-8:]}"
        done = await self.house.authorized(subdomain=subdomain)
        await self.house.popup(subdomain=subdomain)
        return done.account

    async def ids_of(self, account: AccountId) -> set[bytes]:
        return set(await self.keys.of_account(account))

    async def readable(self, account: AccountId) -> int:
        """Open every value of the account; return how many there are."""
        found = 0
        async for key in _all(self.keys):
            if key.account != account:
                continue
            for value in await self.values.under(account, key.id, 100):
                place = (account, key.purpose, value.table, value.column, value.row)
                await self.house.sealer.open(*place, value.sealed)
                found += 1
        return found


def _all(keys: DataKeys) -> AsyncIterator[StoredKey]:
    return keys.all()  # type: ignore[attr-defined,no-any-return]  # both stores can; the use case need not


def sql_envelope(database: Database, *keks: bytes) -> Envelope:
    return Envelope(LocalKeyProvider(keks or [KEK]), SqlDataKeys(database))


def sql_place(database: Database, envelope: Envelope | None = None) -> Place:
    keys = SqlDataKeys(database)
    house = House(SqlStore(database), envelope or sql_envelope(database), data_keys=keys)
    return Place(house, SqlSealedValues(database), SqlRotations(database), keys)


@pytest_asyncio.fixture(autouse=True)
async def _nobodys_turn(database: Database) -> None:
    """The test before was another process: its turn has ended."""
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE leases SET expires_at = clock_timestamp()"))


@pytest.fixture(params=["memory", "sql"])
def place(request: pytest.FixtureRequest, database: Database) -> Place:
    if request.param == "sql":
        return sql_place(database)
    house = House()
    values = MemorySealedValues(lambda: house.memory.rows)
    return Place(house, values, MemoryRotations(house.clock), house.data_keys)


async def begin(place: Place, keeper: RotateDataKeys) -> Rotation:
    """Begin a rotation after the keys that are there."""
    if place.house.data_keys is place.keys and not isinstance(place.keys, SqlDataKeys):
        place.house.clock.advance(timedelta(seconds=1))
    return (await keeper("service:ops"))[1]


async def test_a_rotation_seals_everything_anew_and_removes_the_old_keys(place: Place) -> None:
    account, keeper = await place.account(), place.keeper()
    before, values = await place.ids_of(account), await place.readable(account)
    assert values == 6  # a pair, two contacts, two verifiers
    rotation = await begin(place, keeper)

    assert not await keeper.once()

    after = await place.ids_of(account)
    assert (len(before), len(after)) == (2, 2)
    assert not before & after
    assert await place.readable(account) == values
    done = await place.rotations.get(rotation.id)
    assert done is not None
    assert done.finished_at is not None
    assert min(done.renewed, done.dropped) >= 2
    assert done.resealed >= values
    assert (await place.house.access(account)).version == 1
    assert ("data_keys.rotation", "finished") in await place.house.said(PLATFORM)


async def test_calling_again_joins_the_rotation_under_way(place: Place) -> None:
    await place.account()
    keeper = place.keeper(grace_seconds=3600)
    first = await begin(place, keeper)

    assert await keeper.once()  # old keys must wait
    again = (await keeper("service:ops"))[1]

    assert again.id == first.id
    assert again.resealed >= 6
    assert again.finished_at is None
    assert not await place.keeper().once()
    assert (await begin(place, keeper)).id != first.id
    await place.keeper().once()


async def test_a_retired_key_is_kept_while_a_replica_may_write_under_it(place: Place) -> None:
    account = await place.account()
    before = await place.ids_of(account)
    patient = place.keeper(grace_seconds=900)
    await begin(place, patient)

    assert await patient.once()

    assert before < await place.ids_of(account)
    assert await place.readable(account) == 6
    assert not await place.keeper().once()
    assert not before & await place.ids_of(account)


async def test_one_replica_works_at_a_time(place: Place) -> None:
    account = await place.account()
    await begin(place, place.keeper())
    assert await place.rotations.take_turn("proc-other", 60)
    before = await place.ids_of(account)

    assert await place.keeper().once()
    assert await place.ids_of(account) == before

    assert not await place.keeper(holder="proc-other").once()


class KilledError(Exception):
    """The process ended here."""


class Dying(SqlSealedValues):
    """Sealed values whose process is killed at the nth write, before or after it."""

    def __init__(self, database: Database, at: int, *, after: bool) -> None:
        super().__init__(database)
        self._at = at
        self._after = after

    async def replace(self, account: str, value: Any, sealed: bytes) -> bool:
        self._at -= 1
        if self._at == 0 and not self._after:
            raise KilledError
        done = await super().replace(account, value, sealed)
        if self._at == 0:
            raise KilledError
        return done


@pytest.mark.parametrize("after", [False, True])
async def test_a_rotation_that_is_killed_at_any_value_goes_on(database: Database, after: bool) -> None:
    place = sql_place(database)
    account = await place.account()
    for at in range(1, 7):
        before = await place.ids_of(account)
        whole, place.values = place.values, Dying(database, at, after=after)
        await begin(place, place.keeper())
        with pytest.raises(KilledError):
            await place.keeper().once()
        place.values = whole
        assert await place.readable(account) == 6

        assert not await sql_place(database).keeper().once()  # another process, with nothing in its memory

        assert not before & await place.ids_of(account)
        place.house.sealer.forget_all()
        assert await place.readable(account) == 6


async def test_a_key_encryption_key_is_replaced_by_one_call(database: Database) -> None:
    account = await sql_place(database).account()
    both = sql_place(database, sql_envelope(database, NEW_KEK, KEK))

    rewrapped, _ = await both.keeper()("service:ops")
    assert rewrapped >= 2
    assert (await both.keeper()("service:ops"))[0] == 0

    alone = sql_place(database, sql_envelope(database, NEW_KEK))
    assert await alone.readable(account) == 6
    back = sql_place(database, sql_envelope(database, KEK, NEW_KEK))
    await back.keeper()("service:ops")
    await back.keeper().once()


async def test_every_ciphertext_of_the_schema_is_sealed_anew(database: Database) -> None:
    """A new column of bytes must be named as a hash or a ciphertext: a forgotten one would lose its key."""
    query = (
        "SELECT table_name, column_name FROM information_schema.columns "
        "WHERE table_schema = 'public' AND data_type = 'bytea'"
    )
    async with database.transaction() as connection:
        found = {(table, column) for table, column in await connection.execute(text(query))}
    hashes = {
        *(("authorizations", f"{what}_hash") for what in ("ticket", "state", "cookie")),
        ("sessions", "token_hash"),
        ("used_signed_urls", "key"),
        ("audit_events", "hash"),
    }
    keys = {("data_keys", "id"), ("data_keys", "wrapped"), ("signing_keys", "sealed")}

    assert found == {(table, column) for table, column, _ in SEALED} | hashes | keys


async def test_signing_keys_rotate_with_the_platforms_data_key(database: Database) -> None:
    place = sql_place(database)
    sealer = place.house.sealer
    sealed = await sealer.seal(PLATFORM, "signing", "signing_keys", "vaulted", "kid-1", b"private")
    async with database.transaction() as connection:
        await connection.execute(
            text(
                "INSERT INTO signing_keys (kind, kid, sealed, phase, created_at) "
                "VALUES ('vaulted', 'kid-1', :sealed, 'retiring', now())"
            ),
            {"sealed": sealed},
        )
    await begin(place, place.keeper())
    assert not await place.keeper().once()

    async with database.transaction() as connection:
        query = text("SELECT sealed FROM signing_keys WHERE kind = 'vaulted'")
        fresh = bytes((await connection.execute(query)).scalar_one())
    assert key_id_of(fresh) != key_id_of(sealed)
    assert await sealer.open(PLATFORM, "signing", "signing_keys", "vaulted", "kid-1", fresh) == b"private"


async def test_a_pair_that_is_sealed_anew_between_commit_and_its_answer_stays_alive(
    database: Database,
) -> None:
    place = sql_place(database)
    house, account = place.house, await place.account()
    grant, base = (
        await house.grant(account),
        TEMPLATE.format(subdomain=(await house.installation(account)).subdomain),
    )
    pair = await house.zendesk.refresh(base, await house.pairs.refresh(grant) or "")
    await house.refresh._keep(base, grant, "int-a", pair)
    newer = await house.pairs.successor(grant, pair, house.clock.now())
    await begin(place, place.keeper())
    await place.keeper().once()

    assert await house.refresh._commit(newer, pair.access)

    assert house.zendesk.living(base) == {pair.access}


def shredder(place: Place, database: Database) -> ShredAccount:
    house = place.house
    return ShredAccount(
        house.store, house.sealer, SqlDataKeys(database), SqlEvictions(database), house.revoke, house.clock
    )


async def test_a_restored_backup_of_a_shredded_account_stays_unreadable(database: Database) -> None:
    place = sql_place(database)
    account, neighbour = await place.account(), await place.account()
    grant, installation = await place.house.grant(account), await place.house.installation(account)
    ids = await place.ids_of(account)

    receipt = await shredder(place, database)(account, "service:privacy")

    assert set(receipt.keys) == {key.hex() for key in ids}
    assert await place.ids_of(account) == set()
    async with database.transaction() as connection:  # the data comes back from before, its keys do not
        await connection.execute(
            text(
                "UPDATE grants SET version = :v, access = :a, refresh = :r, state = 'ok' WHERE account = :account"
            ),
            {"v": grant.version, "a": grant.access, "r": grant.refresh, "account": account},
        )
        await connection.execute(
            text(
                "UPDATE installations SET contact_email = :e, state = 'authorized' WHERE account = :account"
            ),
            {"e": installation.contact_email, "account": account},
        )
    with pytest.raises(InvalidCiphertextError):
        await place.house.sealer.open(account, "oauth", "grants", "access", "1", grant.access)
    with pytest.raises(InvalidCiphertextError):
        await place.house.sealer.open(
            account, "contact", "installations", "contact_email", account, installation.contact_email or b""
        )
    assert await place.readable(neighbour) == 6


async def test_every_replica_drops_the_keys_of_a_shredded_account(database: Database) -> None:
    place, other = sql_place(database), sql_place(database)
    account = await place.account()
    grant = await place.house.grant(account)
    at = (account, "oauth", "grants", "access", "1")
    assert await other.house.sealer.open(*at, grant.access)
    heard: asyncio.Queue[str] = asyncio.Queue()

    def hear(said: str) -> None:
        evict(other.house.sealer, said)
        heard.put_nowait(said)

    listening = asyncio.create_task(Listener(database.url, EVICTIONS, hear).listen())
    async with asyncio.timeout(10):
        assert await heard.get() == ""  # connected: whatever was missed is forgotten
        assert await other.house.sealer.open(*at, grant.access)
        await shredder(place, database)(account, "service:privacy")
        assert await heard.get() == account
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)

    with pytest.raises(InvalidCiphertextError):
        await other.house.sealer.open(*at, grant.access)
    with pytest.raises(NotAuthorizedError):
        await other.house.access(account)
