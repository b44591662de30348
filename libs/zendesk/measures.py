"""What is measured of calls to Zendesk: OpenTelemetry, without the account (its id goes to logs alone)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from opentelemetry import metrics


@dataclass(frozen=True, slots=True)
class _Instruments:
    calls: metrics.Counter
    left: metrics.Histogram
    minute: metrics.Histogram


@cache  # one set per process: accounts share it
def _instruments(get_meter: Callable[[str], metrics.Meter]) -> _Instruments:
    meter = get_meter("setlist.zendesk")
    return _Instruments(
        meter.create_counter("zendesk.client.calls", "{call}", "calls that were sent, by route and status"),
        meter.create_histogram(
            "zendesk.client.budget.left",
            "1",
            "part of a bucket of an account's budget that nobody has leased",
        ),
        meter.create_histogram(
            "zendesk.client.account.calls", "{call}", "calls of one account in one run of its minute job"
        ),
    )


class Measures:
    """Measures one account's client.

    Attributes:
        calls: how many were sent since the client was made.
    """

    def __init__(self) -> None:
        self._to = _instruments(metrics.get_meter)
        self._told = 0
        self.calls = 0

    def sent(self, route: str, status: int) -> None:
        """Count a call.

        Args:
            route: method and template: without ids.
            status: of the answer; 0 = there was none.
        """
        self.calls += 1
        self._to.calls.add(1, {"route": route, "status": status})

    def left(self, bucket: str, left: int, capacity: int) -> None:
        """Tell what is left of a bucket over all replicas, when a lease is taken out of it."""
        self._to.left.record(left / capacity, {"bucket": bucket.partition("/")[0]})

    def minute(self, *, at_rest: bool) -> int:
        """Tell the calls since the last time; return how many.

        Args:
            at_rest: whether nothing happened in the account.
        """
        made, self._told = self.calls - self._told, self.calls
        self._to.minute.record(made, {"at_rest": at_rest})
        return made
