"""What the process makes of its settings."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from libs.crypto.envelope import Envelope
from libs.service.run import StartError
from services.auth.adapters.file_journal import FileJournal
from services.auth.adapters.memory.journal import MemoryJournal
from services.auth.adapters.memory.sealer import memory_sealer
from services.auth.main import evict, journal_of
from services.auth.settings import AuthSettings

ELSEWHERE = SecretStr("postgresql://db/auth")


def test_the_journal_lies_where_it_is_told_or_beside_an_embedded_database(tmp_path: Path) -> None:
    told = AuthSettings(journal_dir=tmp_path / "told", database_url=ELSEWHERE)
    beside = AuthSettings(state_dir=tmp_path / "state")

    assert isinstance(journal_of(told), FileJournal)
    assert isinstance(journal_of(beside), FileJournal)
    assert (tmp_path / "told").is_dir()
    assert (tmp_path / "state" / "journal").is_dir()


def test_without_a_disk_of_its_own_a_replica_shares_none(tmp_path: Path) -> None:
    settings = AuthSettings(database_url=ELSEWHERE, state_dir=tmp_path)

    assert isinstance(journal_of(settings), MemoryJournal)
    assert list(tmp_path.iterdir()) == []


def test_a_journal_that_cannot_be_kept_stops_the_start_with_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(
        StartError, match=r"the journal's folder `.*/file/journal` cannot be used: Not a directory"
    ):
        journal_of(AuthSettings(journal_dir=tmp_path / "file" / "journal"))


async def test_a_notice_drops_one_account_and_a_missed_one_all() -> None:
    sealer: Envelope = memory_sealer()
    for account in ("acc-1", "acc-2", "acc-3"):
        await sealer.seal(account, "oauth", "grants", "access", "1", b"x")

    evict(sealer, "acc-1")
    assert {account for account, _ in sealer._ready} == {"acc-2", "acc-3"}
    evict(sealer, "")
    assert not sealer._ready
    assert not sealer._writing
