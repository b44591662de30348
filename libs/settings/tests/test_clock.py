"""All processes of a played day share one clock through a file."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from libs.kernel.clock import SystemClock
from libs.settings.clock import SharedClock, clock_from_environment

DAY = datetime(2026, 1, 5, 9, tzinfo=UTC)


def test_without_a_file_the_machine_tells_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SETLIST_CLOCK_FILE", raising=False)
    assert isinstance(clock_from_environment(), SystemClock)


@pytest.mark.parametrize("instant", [DAY, DAY + timedelta(days=4000), DAY - timedelta(days=4000)])
def test_one_process_sets_the_clock_of_all(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, instant: datetime
) -> None:
    path = tmp_path / "clock"
    player = SharedClock.create(path)
    monkeypatch.setenv("SETLIST_CLOCK_FILE", str(path))
    other = clock_from_environment()
    assert abs(other.now() - datetime.now(UTC)) < timedelta(seconds=5)

    player.set(instant)

    assert timedelta(0) <= other.now() - instant < timedelta(seconds=5)


def test_the_shared_clock_goes_on(tmp_path: Path) -> None:
    clock = SharedClock.create(tmp_path / "clock")
    clock.set(DAY)
    first = clock.now()
    while clock.now() == first:
        pass

    assert clock.now() > first


def test_a_file_that_is_not_a_clock_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "clock").write_bytes(b"")
    monkeypatch.setenv("SETLIST_CLOCK_FILE", str(tmp_path / "clock"))
    with pytest.raises(ValueError, match="is not a clock file"):
        clock_from_environment()

    monkeypatch.setenv("SETLIST_CLOCK_FILE", str(tmp_path / "nothing"))
    with pytest.raises(FileNotFoundError, match="nothing"):
        clock_from_environment()
