"""Sessions: one person in one installation (facts: auth §1, decision 3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from libs.kernel.ids import AccountId, UserId

IDLE = timedelta(minutes=60)
ABSOLUTE = timedelta(hours=12)
MARGIN = timedelta(hours=1)
"""How long what ended is still kept, so that a replica whose clock lags does not believe it is new."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session; the token itself is never kept.

    Attributes:
        token_hash: SHA-256 of the token.
        generation: of the installation when it was opened.
    """

    account: AccountId
    token_hash: bytes
    installation_id: int
    user: UserId
    generation: int
    opened_at: datetime
    seen_at: datetime

    @property
    def ends_at(self) -> datetime:
        """When it ends at the latest."""
        return self.opened_at + ABSOLUTE

    def alive(self, now: datetime, generation: int) -> bool:
        """Tell whether it may be used now."""
        return now < self.ends_at and now < self.seen_at + IDLE and self.generation == generation
