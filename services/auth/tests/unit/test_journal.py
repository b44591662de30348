"""The journal on disk, and what a process that was killed between Zendesk's answer and the commit gets from it."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from libs.kernel.ids import AccountId
from services.auth.adapters.file_journal import FileJournal
from services.auth.adapters.memory.journal import MemoryJournal
from services.auth.adapters.memory.zendesk import Fault
from services.auth.app import refresh_ahead
from services.auth.app.journal import Journal, JournalEntry
from services.auth.domain.errors import ReauthorizationNeededError
from services.auth.domain.grant import LEASE_SECONDS, Grant, GrantState
from services.auth.domain.installation import InstallationState
from services.auth.tests.house import BASE, House


@pytest.fixture(params=["memory", "disk"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Journal:
    return MemoryJournal() if request.param == "memory" else FileJournal(tmp_path / "journal")


async def entry_of(house: House, intent: str = "int-1") -> JournalEntry:
    """An answer of Zendesk that was written down and not committed."""
    account = (await house.authorized()).account
    grant = await house.grant(account)
    pair = await house.zendesk.refresh(BASE, await house.pairs.refresh(grant) or "")
    return JournalEntry(intent, BASE, await house.pairs.successor(grant, pair, house.clock.now()))


async def test_what_was_kept_comes_back_whole_and_in_order(house: House, journal: Journal) -> None:
    first = await entry_of(house)
    bare = replace(first.grant, refresh=None, access_expires_at=None, refresh_expires_at=None)
    second = JournalEntry("int-2", BASE, bare)

    await journal.keep(first)
    await journal.keep(second)
    await journal.keep(second)

    assert list(await journal.entries()) == [first, second]
    await journal.drop("int-1")
    await journal.drop("int-unknown")
    assert list(await journal.entries()) == [second]


async def test_the_disk_holds_no_token_and_is_ours_alone(house: House, tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    journal = FileJournal(folder)
    entry = await entry_of(house)
    await journal.keep(entry)

    [path] = folder.iterdir()
    text = path.read_text()
    assert await house.pairs.access(entry.grant) not in text
    assert await house.pairs.refresh(entry.grant) not in (text, None)
    assert (folder.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)


@pytest.mark.parametrize("rubbish", ["", "{", "[]", "null", '{"base": 1}'])
async def test_a_file_that_is_no_entry_hides_no_other(house: House, tmp_path: Path, rubbish: str) -> None:
    journal = FileJournal(tmp_path)
    (tmp_path / "int-0.json").write_text(rubbish)
    (tmp_path / "int-9.new").write_text(json.dumps({}))
    entry = await entry_of(house)
    await journal.keep(entry)

    assert list(await journal.entries()) == [entry]


async def test_an_intent_names_no_file_elsewhere(house: House, tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "journal")
    entry = replace(await entry_of(house), intent="../outside")

    with pytest.raises(ValueError, match="no file name"):
        await journal.keep(entry)

    assert not (tmp_path / "outside.json").exists()


async def left_behind(house: House) -> tuple[AccountId, JournalEntry]:
    """A process that wrote the journal and died before its commit."""
    account = (await house.authorized()).account
    grant = await house.grant(account)
    async with house.store.transaction(account) as tx:
        await tx.grants.take_lease(1, "int-dead", LEASE_SECONDS)
    pair = await house.zendesk.refresh(BASE, await house.pairs.refresh(grant) or "")
    entry = JournalEntry("int-dead", BASE, await house.pairs.successor(grant, pair, house.clock.now()))
    await house.journal.keep(entry)
    return account, entry


async def test_the_next_start_commits_what_the_dead_process_wrote_down(house: House) -> None:
    account, _ = await left_behind(house)

    await house.ahead.once()

    assert (await house.access(account)).version == 2
    assert {(await house.access(account)).token} == house.zendesk.living(BASE)
    assert list(await house.journal.entries()) == []


async def test_whoever_recovers_looks_into_the_journal_before_he_asks_zendesk(house: House) -> None:
    account, _ = await left_behind(house)
    house.clock.advance(timedelta(seconds=LEASE_SECONDS + 1))

    access = await house.access(account, known_version=1)

    assert (access.version, house.zendesk.probes) == (2, 0)


async def test_a_journal_that_comes_late_lifts_the_state_that_was_given_without_it(house: House) -> None:
    account, _ = await left_behind(house)
    other = house.replica()  # has another disk
    house.clock.advance(timedelta(seconds=LEASE_SECONDS + 1))
    with pytest.raises(ReauthorizationNeededError):
        await other.access(account, known_version=1)

    await house.ahead.once()

    assert (await house.installation(account)).state is InstallationState.AUTHORIZED
    assert (await other.access(account)).version == 2


async def test_a_pair_of_the_journal_that_nobody_will_use_dies_at_zendesk(house: House) -> None:
    account, entry = await left_behind(house)
    await house.revoke.installation(account, "service:ops")
    assert house.zendesk.living(BASE) == {await house.pairs.access(entry.grant)}
    await house.access.drain()

    await house.ahead.once()

    assert house.zendesk.living(BASE) == set()
    assert (await house.grant(account)).state is GrantState.REVOKED
    assert list(await house.journal.entries()) == []


class FullDisk(MemoryJournal):
    """A disk that takes nothing more."""

    async def keep(self, entry: JournalEntry) -> None:
        raise OSError(28, "No space left on device")


async def test_a_full_disk_loses_no_pair(house: House) -> None:
    account = (await house.authorized()).account
    full = House(house.store, house.sealer, house.clock, house.zendesk, house.keys, journal=FullDisk())

    assert (await full.access(account, known_version=1)).version == 2


async def test_the_entry_is_on_the_disk_before_the_database_has_the_pair(house: House) -> None:
    account = (await house.authorized()).account
    seen: list[tuple[int, int]] = []

    class Watching(MemoryJournal):
        async def keep(self, entry: JournalEntry) -> None:
            await super().keep(entry)
            seen.append((entry.grant.version, (await house.grant(account)).version))

    watched = House(house.store, house.sealer, house.clock, house.zendesk, house.keys, journal=Watching())
    await watched.access(account, known_version=1)

    assert seen == [(2, 1)]
    assert list(await watched.journal.entries()) == []


async def test_a_refresh_is_made_ahead_although_nobody_asks(house: House) -> None:
    account = (await house.authorized()).account
    grant = await house.grant(account)
    assert await house.ahead.once() == 0
    house.clock.advance(timedelta(minutes=20))

    await asyncio.gather(*(one.ahead.once() for one in (house, house.replica(), house.replica())))

    assert (await house.grant(account)).version == 2
    assert house.zendesk.refreshes == 1
    assert await house.ahead.once() == 0
    assert grant.due(house.clock.now())


async def test_what_a_dead_holder_left_is_settled_without_any_caller(house: House) -> None:
    account = (await house.authorized()).account
    house.clock.advance(timedelta(minutes=20))
    house.zendesk.faults = [Fault.LOST_ANSWER]
    await house.ahead.once()
    assert (await house.grant(account)).state is GrantState.UNCERTAIN
    assert await house.ahead.once() == 0  # the call may still run at Zendesk
    house.clock.advance(timedelta(seconds=LEASE_SECONDS + 1))

    await house.ahead.once()

    assert (await house.installation(account)).state is InstallationState.NEEDS_REAUTHORIZATION
    assert ("grant.lost", "needs_reauthorization") in await house.said(account)
    assert await house.ahead.once() == 0


async def test_one_account_in_trouble_stops_no_other(house: House) -> None:
    first = (await house.authorized()).account
    other = (await house.authorized(subdomain="globex")).account
    house.clock.advance(timedelta(minutes=20))
    house.zendesk.faults = [Fault.NOT_SENT]

    assert await house.ahead.once() == 2
    assert await house.ahead.once() == 1

    assert {(await house.grant(a)).version for a in (first, other)} == {2}


def test_accounts_authorised_together_are_not_refreshed_together() -> None:
    house = House()
    begin = house.clock.now()
    grants = [
        Grant(AccountId(f"acc-{n}"), 1, b"", b"r", begin, begin + timedelta(seconds=1000), None)
        for n in range(200)
    ]

    def due(seconds: float) -> int:
        return sum(grant.due(begin + timedelta(seconds=seconds)) for grant in grants)

    assert (due(539), due(661)) == (0, 200)
    assert 50 < due(600) < 150


async def test_accounts_whose_zendesk_is_gone_do_not_stand_before_the_others(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh_ahead, "BATCH", 2)
    places = ["acme", "globex", "initech", "umbrella"]
    accounts = [(await house.authorized(subdomain=place)).account for place in places]
    house.zendesk.closed |= {f"https://{place}.zendesk.com" for place in places[:3]}
    house.clock.advance(timedelta(minutes=20))

    for _ in range(2):
        await house.ahead.once()

    assert [(await house.grant(account)).version for account in accounts] == [1, 1, 1, 2]
