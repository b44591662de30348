"""Background loops: one failure is survived, five quick ones in a row are not."""

import asyncio

import pytest

from libs.service import supervise as module
from libs.service.supervise import LoopFailedError, supervise


class Loop:
    """Fails as often as it is told, then lives; counts its starts."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.starts = 0
        self.lives = asyncio.Event()

    async def __call__(self) -> None:
        self.starts += 1
        if self.starts <= self.failures:
            raise ValueError("no")
        self.lives.set()
        await asyncio.Event().wait()


@pytest.fixture(autouse=True)
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seconds_waited: list[float] = []

    class Quick:
        """asyncio, but for a sleep that only writes down how long."""

        def __getattr__(self, name: str) -> object:
            return getattr(asyncio, name)

        @staticmethod
        async def sleep(seconds: float) -> None:
            seconds_waited.append(seconds)

    monkeypatch.setattr(module, "asyncio", Quick())
    return seconds_waited


async def test_a_loop_that_failed_is_started_again_after_longer_and_longer(
    waited: list[float],
) -> None:
    loop = Loop(4)
    task = asyncio.create_task(supervise("upkeep", loop))
    async with asyncio.timeout(5):
        await loop.lives.wait()
    task.cancel()
    await asyncio.wait([task])

    assert loop.starts == 5
    assert waited == [0.2, 0.4, 0.8, 1.6]
    assert task.cancelled()


async def test_five_quick_failures_are_the_end() -> None:
    loop = Loop(99)
    with pytest.raises(LoopFailedError, match="`upkeep` failed 5 times in a row, last: ValueError"):
        await supervise("upkeep", loop)

    assert loop.starts == 5


async def test_a_loop_that_ends_has_failed_too() -> None:
    async def brief() -> None:
        return

    with pytest.raises(LoopFailedError, match="failed 5 times in a row, last: ended"):
        await supervise("upkeep", brief)


async def test_failures_far_apart_are_not_in_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUICK_SECONDS", 0.0)
    loop = Loop(12)
    task = asyncio.create_task(supervise("upkeep", loop))
    async with asyncio.timeout(5):
        await loop.lives.wait()
    task.cancel()
    await asyncio.wait([task])

    assert loop.starts == 13
