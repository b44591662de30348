"""One account's budget as one process sees it: spends leases of what all replicas share."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from libs.kernel.clock import Clock, SystemClock
from libs.kernel.errors import SetlistError
from libs.telemetry.logs import get_logger
from libs.zendesk.limits import ACCOUNT, JOBS, Charge, own_charges
from libs.zendesk.measures import Measures
from libs.zendesk.rate_headers import told
from libs.zendesk.windows import LONGEST_HOLD_SECONDS, Ask, MemoryWindows, Seen, Windows

ASK_AGAIN_SECONDS = 1.0
"""While a bucket is empty it is asked about no more often: others may give back what they did not need."""
BLIND_SECONDS = 1.0
"""While the store is away a call goes without a lease: Zendesk counts too, and answers 429."""
ROUNDING_SECONDS = 1.0
"""Zendesk tells the rest of a window in whole seconds, rounded down: a call that comes early is refused."""
_MEASURED_FROM = 2
"""A batch of at least so many shows by Zendesk's header whether it counts as one call or as many."""


@dataclass(slots=True)
class _Share:
    """What this process has of one bucket. Times are Unix seconds of business time."""

    calls: int = 0
    ends_at: float = 0.0
    window: int = 0
    capacity: int = 0
    empty_until: float = 0.0
    asked_at: float = 0.0
    held_until: float = 0.0
    seen: Seen | None = None
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)


class Budget:
    """Lets calls through as long as all replicas together stay under Zendesk's limits.

    An account whose answers carry no rate header has no limits that could be kept to; its calls are counted
    from the first answer on that names one. Limits per ticket and per user (30 and 5 changes) are not
    counted: nobody reaches them in normal work, and a 429 that names one holds that ticket alone.

    Args:
        account: whose windows these are.
        windows: what is shared; by default of this process alone.
        clock: business time.
        share: of the account's plan that we take at most; over 0, at most 1. Background work has half of that, so
            that it waits first and changes last.
    """

    def __init__(
        self,
        account: str = "",
        windows: Windows | None = None,
        clock: Clock | None = None,
        share: float = 1.0,
    ) -> None:
        self._account = account
        self._plan_share = share
        self.measures = Measures()
        self._clock = clock or SystemClock()
        self._windows = windows or MemoryWindows(self._clock)
        self._shares: dict[str, _Share] = {}
        self._extra: dict[str, dict[str, Charge]] = {}
        self._batch_is_one: bool = False

    async def take(self, route: str, charges: Sequence[Charge]) -> float:
        """Take a call out of all its buckets, or out of none.

        Args:
            route: method and template; buckets that Zendesk named for it are charged too.
            charges: of `libs.zendesk.limits.charges_of`, the account's first.

        Returns:
            0 when the call may go; else how long to wait before asking again, in seconds.
        """
        due = self._due(route, charges)
        while True:
            if wait := await self._ready(due[0]):
                return wait
            metered = self._share(ACCOUNT).capacity > 0
            counted = due[:1] + [c for c in due[1:] if metered or self._held(c.bucket)]
            counted += own_charges(route, self._share(ACCOUNT).capacity, self._plan_share)
            for charge in counted[1:]:
                if wait := await self._ready(charge):
                    return wait
            # Nothing is awaited from here on, so what is there now is still there below.
            if all(self._enough(charge) for charge in counted):
                for charge in counted:
                    self._share(charge.bucket).calls -= self._cost(charge)
                return 0.0

    def learn(self, route: str, headers: Mapping[str, str], charges: Sequence[Charge]) -> None:
        """Read the rate headers of an answer; what they say reaches the other replicas with the next lease."""
        now, charges = self._now(), self._due(route, charges)
        for said in told(headers):
            bucket = _bucket(said.bucket, charges)
            if bucket is None:
                if "{" in route:
                    continue  # it may be the limit of this one ticket or user
                bucket = said.bucket
                self._extra.setdefault(route, {})[bucket] = Charge(bucket, said.capacity, 60.0)
            ends = None if said.resets_seconds is None else now + said.resets_seconds + ROUNDING_SECONDS
            share = self._share(bucket)
            share.seen = Seen(said.capacity, said.remaining, ends)
            if share.capacity != said.capacity:
                share.calls = 0  # a lease under another limit; ask anew
            share.calls = min(share.calls, said.remaining)
            for charge in charges:
                if charge.bucket == bucket and charge.cost >= _MEASURED_FROM:
                    self._batch_is_one |= said.capacity - said.remaining < charge.cost

    async def refused(
        self,
        route: str,
        headers: Mapping[str, str],
        charges: Sequence[Charge],
        seconds: float,
        *,
        jobs: bool,
    ) -> bool:
        """Hold back, on all replicas, what Zendesk answered 429 to.

        Args:
            route: of the call.
            headers: of the answer; they may say which limit it was.
            charges: of the call.
            seconds: how long.
            jobs: whether it was the limit of jobs.

        Returns:
            Whether anything is held; if not, the limit is of the one ticket or user, and its caller waits.
        """
        charges = self._due(route, charges)
        spent = [_bucket(said.bucket, charges) for said in told(headers) if said.remaining == 0]
        endpoint = [c.bucket for c in charges if c.bucket not in (ACCOUNT, JOBS)]
        if None in spent:
            return False
        buckets = [JOBS] if jobs else [b for b in spent if b] or endpoint[:1] or [ACCOUNT]
        until = self._now() + min(seconds, LONGEST_HOLD_SECONDS)
        for bucket in buckets:
            share = self._share(bucket)
            news = seconds > 0 and until > share.held_until + ASK_AGAIN_SECONDS
            share.held_until = max(share.held_until, until)
            share.calls = 0
            if news:
                await self._tell(bucket, seconds)
        return True

    def _due(self, route: str, charges: Sequence[Charge]) -> list[Charge]:
        return [*charges, *self._extra.get(route, {}).values()]

    def _cost(self, charge: Charge) -> int:
        share = self._shares.get(charge.bucket)
        cost = 1 if self._batch_is_one else charge.cost
        return min(cost, share.capacity) if share and share.capacity else cost

    def _held(self, bucket: str) -> bool:
        share = self._shares.get(bucket)
        return share is not None and share.held_until > self._now()

    def _enough(self, charge: Charge) -> bool:
        share = self._share(charge.bucket)
        return share.calls >= self._cost(charge) and self._now() < share.ends_at

    async def _ready(self, charge: Charge) -> float:
        share = self._share(charge.bucket)
        async with share.asking:  # one question answers everybody who waits
            now = self._now()
            if (held := min(share.held_until - now, LONGEST_HOLD_SECONDS)) > 0:
                return held
            if self._enough(charge):
                return 0.0
            if 0 <= now - share.asked_at < ASK_AGAIN_SECONDS and share.empty_until > now:
                return share.empty_until - now
            return await self._ask(charge, share)

    async def _ask(self, charge: Charge, share: _Share) -> float:
        ask = Ask(
            self._cost(charge),
            charge.capacity,
            charge.period_seconds,
            share.calls if share.capacity else 0,
            share.window,
            share.seen,
        )
        share.calls = 0
        asked_at = self._now()  # before the question: the store's window is never over later than we think
        try:
            lease = await self._windows.lease(self._account, charge.bucket, ask)
        except SetlistError as error:
            get_logger().warning("the shared budget is away", account=self._account, reason=error.reason)
            share.calls, share.ends_at = self._cost(charge), self._now() + BLIND_SECONDS
            return 0.0
        share.seen, share.window, share.capacity = None, lease.window, lease.capacity
        share.calls, share.ends_at = lease.granted, asked_at + lease.seconds
        if lease.capacity:
            self.measures.left(charge.bucket, lease.left, lease.capacity)
        if lease.granted:
            return 0.0
        if share.empty_until <= asked_at:  # once per window, however many wait
            get_logger().info(
                "no calls are left", account=self._account, bucket=charge.bucket, seconds=lease.wait_seconds
            )
        share.asked_at = self._now()
        share.empty_until = share.asked_at + lease.wait_seconds
        return lease.wait_seconds

    async def _tell(self, bucket: str, seconds: float) -> None:
        try:
            await self._windows.hold(self._account, bucket, seconds)
        except SetlistError as error:
            get_logger().warning("the shared budget is away", account=self._account, reason=error.reason)

    def _share(self, bucket: str) -> _Share:
        return self._shares.setdefault(bucket, _Share())

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _bucket(header: str, charges: Sequence[Charge]) -> str | None:
    """Return the bucket that a header speaks of; None when the call is not charged to it."""
    if not header:
        return ACCOUNT
    return next((c.bucket for c in charges if c.bucket.partition("/")[0] == header), None)
