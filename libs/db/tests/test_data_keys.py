"""One conformance suite for the store of data keys, over memory and SQL."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from libs.crypto.data_keys import DataKeys, MemoryDataKeys, StoredKey
from libs.crypto.envelope import Envelope, LocalKeyProvider
from libs.db.data_keys import SqlDataKeys
from libs.db.engine import Database

pytestmark = pytest.mark.integration


@pytest.fixture(params=["memory", "sql"])
def keys(request: pytest.FixtureRequest, database: Database) -> DataKeys:
    return MemoryDataKeys() if request.param == "memory" else SqlDataKeys(database)


def key(number: int) -> bytes:
    return number.to_bytes(16, "big")


async def test_the_first_key_wins_and_everybody_gets_it(keys: DataKeys) -> None:
    made = await asyncio.gather(*(keys.add("first", "oauth", key(n), b"w", None) for n in range(1, 6)))

    current = await keys.current("first", "oauth")
    assert current is not None
    assert {stored.id for stored in made} == {current.id}


async def test_a_key_is_replaced_once(keys: DataKeys) -> None:
    await keys.add("twice", "oauth", key(1), b"w", None)

    second = await keys.add("twice", "oauth", key(2), b"w", key(1))
    late = await keys.add("twice", "oauth", key(3), b"w", key(1))

    assert second.id == late.id == key(2)
    old = await keys.find("twice", key(1))
    assert old is not None
    assert (old.account, old.purpose, old.wrapped) == ("twice", "oauth", b"w")


async def test_writes_add_up_and_a_missing_key_has_none(keys: DataKeys) -> None:
    await keys.add("counted", "oauth", key(1), b"w", None)

    assert [await keys.reserve("counted", key(1), 5) for _ in range(2)] == [5, 10]
    assert await keys.reserve("counted", key(9), 5) == 0


async def test_a_rewrap_needs_the_old_form(keys: DataKeys) -> None:
    await keys.add("rewrapped", "oauth", key(1), b"old", None)

    assert await keys.rewrap("rewrapped", key(1), b"old", b"new")
    assert not await keys.rewrap("rewrapped", key(1), b"old", b"newer")
    found = await keys.find("rewrapped", key(1))
    assert found is not None
    assert found.wrapped == b"new"


async def test_only_a_key_that_is_not_current_can_be_dropped(keys: DataKeys) -> None:
    await keys.add("dropped", "oauth", key(1), b"w", None)
    assert not await keys.drop("dropped", key(1))

    await keys.add("dropped", "oauth", key(2), b"w", key(1))

    assert await keys.drop("dropped", key(1))
    assert await keys.find("dropped", key(1)) is None


async def test_a_shred_takes_one_purpose_or_all_of_one_account(keys: DataKeys) -> None:
    for number, (account, purpose) in enumerate(
        [("s", "oauth"), ("s", "contact"), ("s", "search"), ("t", "oauth")], 1
    ):
        await keys.add(account, purpose, key(number), b"w", None)

    assert await keys.shred("s", "contact") == [key(2)]
    assert sorted(await keys.shred("s", None)) == [key(1), key(3)]
    assert await keys.shred("s", None) == []
    assert await keys.find("t", key(4)) is not None


async def test_an_accounts_keys_are_all_of_its_purposes(keys: DataKeys) -> None:
    for number, purpose in ((1, "oauth"), (2, "contact")):
        await keys.add("owner", purpose, key(number), b"w", None)
    await keys.add("owner", "oauth", key(3), b"w", key(1))
    await keys.add("neighbour", "oauth", key(4), b"w", None)

    assert sorted(await keys.of_account("owner")) == [key(1), key(2), key(3)]
    assert await keys.of_account("nobody") == []


async def test_all_goes_through_every_key(keys: DataKeys) -> None:
    before = {(stored.account, stored.id) async for stored in keys.all()}
    await keys.add("all-1", "oauth", key(1), b"w", None)
    await keys.add("all-2", "oauth", key(1), b"w", None)

    after = {(stored.account, stored.id) async for stored in keys.all()}

    assert after - before == {("all-1", key(1)), ("all-2", key(1))}


async def test_an_envelope_seals_and_shreds_over_it(keys: DataKeys) -> None:
    place = ("enveloped", "oauth", "grants", "token", "1")
    one, two = (Envelope(LocalKeyProvider([bytes(32)]), keys) for _ in range(2))

    sealed = await asyncio.gather(one.seal(*place, b"a"), two.seal(*place, b"b"))

    assert [await two.open(*place, sealed[0]), await one.open(*place, sealed[1])] == [b"a", b"b"]
    assert sealed[0][1:17] == sealed[1][1:17]


async def ids(found: AsyncIterator[StoredKey]) -> set[tuple[str, bytes]]:
    return {(stored.account, stored.id) async for stored in found}


async def test_current_keys_are_told_by_their_age(keys: DataKeys) -> None:
    await keys.add("aged", "oauth", key(1), b"w", None)
    await keys.add("aged", "oauth", key(2), b"w", key(1))
    between = await keys.now()
    await keys.add("aged", "contact", key(3), b"w", None)

    assert ("aged", key(2)) in await ids(keys.aged(between))
    found = {place for place in await ids(keys.aged(await keys.now())) if place[0] == "aged"}
    assert found == {("aged", key(2)), ("aged", key(3))}


async def test_retired_keys_are_told_by_the_age_of_their_successor(keys: DataKeys) -> None:
    await keys.add("retired", "oauth", key(1), b"w", None)
    await keys.add("retired", "contact", key(2), b"w", None)
    assert not {place for place in await ids(keys.retired(0)) if place[0] == "retired"}

    await keys.add("retired", "oauth", key(3), b"w", key(1))

    assert {place for place in await ids(keys.retired(0)) if place[0] == "retired"} == {("retired", key(1))}
    assert not {place for place in await ids(keys.retired(3600)) if place[0] == "retired"}
