"""Statuses that ended, as reports ask for them (facts: §1.2 and §2.7), and agents' own idle rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

RECORDS_KEPT = timedelta(days=396)
"""How long a status that ended can be reported; ours: a year and the month in which it is looked back on."""


@dataclass(frozen=True, slots=True)
class StatusRecord:
    """A status that an agent had, from the change to it until the next one.

    Attributes:
        id: place in the account's history, from 1 and without gaps but for what was forgotten.
        updater_id: who gave it; None = a rule or an integration did.
        ended_at: never before `started_at`, whatever the replicas' clocks said.
    """

    id: int
    user_id: int
    status: str
    updater_id: int | None
    started_at: datetime
    ended_at: datetime

    @property
    def seconds(self) -> int:
        """How long it lasted, in whole seconds."""
        return int((self.ended_at - self.started_at).total_seconds())


@dataclass(frozen=True, slots=True)
class IdleRule:
    """What of the account's idle rule an agent has differently.

    Attributes:
        enabled: None = as in the account.
        minutes: None = as in the account.
    """

    enabled: bool | None = None
    minutes: int | None = None


class Statuses(Protocol):
    """Statuses that ended, and agents' own idle rules. `Directory.set_statuses` writes the records.

    INVARIANT: who can read a record can read every one with a smaller id that was not forgotten: ids are given
    under a lock that is held until the change commits, so that nothing ever appears behind a reader.
    """

    async def head(self) -> int:
        """Return the id of the newest record there ever was; 0 = none."""
        ...

    async def page(self, after: int, limit: int) -> list[StatusRecord]:
        """Return records behind an id, by id."""
        ...

    async def behind(self, start: datetime) -> int:
        """Return the id behind which every record is that ends at an instant or later, now and to come."""
        ...

    async def forget(self, before: datetime, limit: int) -> int:
        """Forget at most so many records that ended before an instant, the oldest first; return how many."""
        ...

    async def idle_rules(self) -> Mapping[int, IdleRule]:
        """Return the rule of every agent who has his own."""
        ...

    async def put_idle_rule(self, agent: int, rule: IdleRule) -> None:
        """Give an agent a rule of his own; one that says nothing is none."""
        ...
