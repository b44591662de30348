"""The port of what is known of views; every call belongs to a transaction (`ports.Transaction`)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from services.assignment.domain.view_reads import News, ViewRead
from services.assignment.domain.webhook import TicketFacts


class Views(Protocol):
    """When views were read, and what may have changed in them since."""

    async def reads(self) -> dict[int, ViewRead]:
        """Return what is known of views."""
        ...

    async def put(self, read: ViewRead, before: datetime) -> bool:
        """Keep what is known of a view that was last read at `before`; False when another replica was faster."""
        ...

    async def forget(self, views: Collection[int]) -> None:
        """Forget views that no queue reads any more, and what they held."""
        ...

    async def amend(self, view: int, shown: Collection[int], asked: Collection[int]) -> None:
        """Keep that a view holds some tickets, and of those that were asked about no others."""
        ...

    async def heard(self, facts: Sequence[TicketFacts], at: datetime) -> None:
        """Note that tickets changed, unless so much was known; where no view feeds a queue nothing is kept."""
        ...

    async def news(self, since: datetime) -> list[News]:
        """Return the waiting tickets that were heard of since an instant."""
        ...

    async def forget_news(self, before: datetime) -> None:
        """Forget what was heard before an instant."""
        ...
