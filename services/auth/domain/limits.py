"""Token buckets: how often somebody may do something."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

MAXIMUM_KEYS = 10_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class Buckets:
    """One bucket per key; the keys that were used longest ago are forgotten, which only favours them.

    Args:
        per_second: tokens that come back.
        burst: tokens of a full bucket.
    """

    def __init__(self, per_second: float, burst: float, *, maximum_keys: int = MAXIMUM_KEYS) -> None:
        if per_second <= 0 or burst < 1:
            raise ValueError("a bucket that never fills lets nobody through")
        self._rate = per_second
        self._burst = burst
        self._maximum = maximum_keys
        self._buckets: OrderedDict[Hashable, _Bucket] = OrderedDict()

    def take(self, key: Hashable, now: float) -> float:
        """Take one token; return 0, or the seconds until there is one.

        Args:
            now: seconds on a clock that only goes forward.
        """
        bucket = self._filled(key, now)
        if bucket.tokens < 1:
            return (1 - bucket.tokens) / self._rate
        bucket.tokens -= 1
        return 0.0

    def empty(self, key: Hashable, now: float) -> bool:
        """Tell whether there is no token, and take none."""
        return key in self._buckets and self._filled(key, now).tokens < 1

    def _filled(self, key: Hashable, now: float) -> _Bucket:
        bucket = self._buckets.setdefault(key, _Bucket(self._burst, now))
        self._buckets.move_to_end(key)
        bucket.tokens = min(self._burst, bucket.tokens + max(0.0, now - bucket.at) * self._rate)
        bucket.at = now
        if len(self._buckets) > self._maximum:
            self._buckets.popitem(last=False)
        return bucket
