"""What every adapter of the port `Windows` does; each test has an account of its own."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta

import pytest

from libs.kernel.clock import ManualClock
from libs.zendesk.windows import LEASE_SECONDS, LONGEST_HOLD_SECONDS, Ask, Seen, Windows

_NUMBERS = itertools.count(1)
BUCKET = "tickets-update"


def ask(cost: int = 1, capacity: int = 100, **more: object) -> Ask:
    """Return a question about a bucket of a minute."""
    return Ask(cost, capacity, 60.0, **more)  # type: ignore[arg-type]  # named as in Ask


class WindowsConformance:
    """Inherit it, and give fixtures `windows` and `clock`."""

    @pytest.fixture
    def account(self) -> str:
        return f"acc-{next(_NUMBERS)}"

    async def test_all_leases_of_a_window_together_are_its_capacity(
        self, windows: Windows, account: str
    ) -> None:
        leases = await asyncio.gather(*(windows.lease(account, BUCKET, ask()) for _ in range(120)))

        assert sum(lease.granted for lease in leases) == 100
        assert max(lease.granted for lease in leases) == 5
        empty = [lease for lease in leases if lease.granted == 0]
        assert empty
        assert all(0 < lease.wait_seconds < 60.5 for lease in empty)

    async def test_a_lease_lasts_some_seconds_and_never_longer_than_its_window(
        self, windows: Windows, clock: ManualClock, account: str
    ) -> None:
        assert (await windows.lease(account, BUCKET, ask())).seconds == pytest.approx(LEASE_SECONDS, abs=0.5)
        clock.advance(timedelta(seconds=58))
        assert (await windows.lease(account, BUCKET, ask())).seconds == pytest.approx(2, abs=0.5)

    async def test_a_new_window_gives_everything_anew(
        self, windows: Windows, clock: ManualClock, account: str
    ) -> None:
        first = await windows.lease(account, BUCKET, ask(cost=100))
        assert (await windows.lease(account, BUCKET, ask())).granted == 0
        clock.advance(timedelta(seconds=61))
        second = await windows.lease(account, BUCKET, ask(cost=100))

        assert (first.granted, second.granted) == (100, 100)
        assert second.window == first.window + 1

    async def test_what_is_left_of_a_lease_is_given_back_within_its_window_only(
        self, windows: Windows, clock: ManualClock, account: str
    ) -> None:
        first = await windows.lease(account, BUCKET, ask(cost=100))
        back = await windows.lease(account, BUCKET, ask(cost=60, returned=60, window=first.window))
        assert back.granted == 60
        clock.advance(timedelta(seconds=61))
        assert (await windows.lease(account, BUCKET, ask(cost=50))).granted == 50
        late = await windows.lease(account, BUCKET, ask(cost=60, returned=50, window=first.window))
        assert late.granted == 0

    async def test_nobody_calls_while_a_bucket_is_held(
        self, windows: Windows, clock: ManualClock, account: str
    ) -> None:
        await windows.hold(account, BUCKET, 30)
        await windows.hold(account, BUCKET, 10)
        held = await windows.lease(account, BUCKET, ask())

        assert held.granted == 0
        assert held.wait_seconds == pytest.approx(30, abs=0.5)
        assert (await windows.lease(account, "another", ask())).granted > 0
        assert (await windows.lease(f"{account}-b", BUCKET, ask())).granted > 0
        clock.advance(timedelta(seconds=31))
        assert (await windows.lease(account, BUCKET, ask())).granted > 0

    async def test_an_absurd_hold_ends(self, windows: Windows, clock: ManualClock, account: str) -> None:
        await windows.hold(account, BUCKET, 1e9)
        clock.advance(timedelta(seconds=LONGEST_HOLD_SECONDS + 1))

        assert (await windows.lease(account, BUCKET, ask())).granted > 0

    async def test_zendesk_knows_better_than_we(
        self, windows: Windows, clock: ManualClock, account: str
    ) -> None:
        ends = clock.now().timestamp() + 12
        first = await windows.lease(account, BUCKET, ask())
        seen = Seen(capacity=300, remaining=7, ends_at=ends)
        told = await windows.lease(account, BUCKET, ask(cost=7, seen=seen, window=first.window))

        assert (told.granted, told.capacity) == (7, 300)
        empty = await windows.lease(account, BUCKET, ask())
        assert empty.granted == 0
        assert empty.wait_seconds == pytest.approx(12, abs=0.5)
        clock.advance(timedelta(seconds=13))
        assert (await windows.lease(account, BUCKET, ask(cost=300))).granted == 300

    async def test_what_was_counted_in_a_window_that_is_over_counts_no_more(
        self, windows: Windows, clock: ManualClock, account: str
    ) -> None:
        seen = Seen(capacity=100, remaining=0, ends_at=clock.now().timestamp() - 1)

        assert (await windows.lease(account, BUCKET, ask(cost=100, seen=seen))).granted == 100

    async def test_what_was_said_of_the_last_window_does_not_close_the_next_one(
        self, windows: Windows, clock: ManualClock, account: str
    ) -> None:
        first = await windows.lease(account, BUCKET, ask(cost=100))
        clock.advance(timedelta(seconds=60.5))
        late = Seen(capacity=100, remaining=0, ends_at=clock.now().timestamp() + 0.5)
        next_ = await windows.lease(account, BUCKET, ask(cost=100, seen=late, window=first.window))

        assert next_.granted == 100

    async def test_a_window_that_zendesk_began_meanwhile_is_a_new_one(
        self, windows: Windows, clock: ManualClock, account: str
    ) -> None:
        first = await windows.lease(account, BUCKET, ask(cost=100))
        clock.advance(timedelta(seconds=50))
        begun = Seen(capacity=100, remaining=97, ends_at=clock.now().timestamp() + 58)
        told = await windows.lease(account, BUCKET, ask(cost=97, seen=begun, window=first.window))

        assert told.granted == 97
        assert told.window == first.window + 1

    async def test_without_a_known_capacity_nothing_is_counted(self, windows: Windows, account: str) -> None:
        leases = [await windows.lease(account, "account", ask(capacity=0)) for _ in range(3)]

        assert all(lease.granted >= 1000 for lease in leases)
        await windows.hold(account, "account", 5)
        assert (await windows.lease(account, "account", ask(capacity=0))).granted == 0

    async def test_a_cost_above_the_capacity_takes_the_whole_window(
        self, windows: Windows, account: str
    ) -> None:
        assert (await windows.lease(account, BUCKET, ask(cost=250))).granted == 100

    async def test_a_clock_that_is_set_back_leaves_no_window_open_for_ever(
        self, windows: Windows, clock: ManualClock, account: str
    ) -> None:
        await windows.lease(account, BUCKET, ask(cost=100))
        await windows.hold(account, BUCKET, 600)
        clock.advance(timedelta(days=-1))
        held = await windows.lease(account, BUCKET, ask())
        clock.advance(timedelta(seconds=LONGEST_HOLD_SECONDS + 1))

        assert held.wait_seconds <= LONGEST_HOLD_SECONDS
        assert (await windows.lease(account, BUCKET, ask(cost=100))).granted == 100
