"""What a verifier must learn at once (facts: auth §6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from libs.kernel.ids import AccountId

PLATFORM = AccountId("platform")
"""Stands for the suite itself: owner of the signing keys and of the chain that records what became of them."""

FEED_KEPT = timedelta(days=7)
"""How long an entry can be resumed from; who comes later gets a snapshot."""


@dataclass(frozen=True, slots=True)
class Revocation:
    """One entry of the feed: an account's generation, a distrusted key, or a changed key set.

    Attributes:
        position: of the entry; positions are committed in their order, none is skipped over.
        account: empty when the entry is about keys.
        generation: tokens of the account with a lower one are dead.
        kid: a key that is not trusted any more.
    """

    position: int
    account: str = ""
    generation: int = 0
    kid: str = ""

    @property
    def key_set_changed(self) -> bool:
        """Whether verifiers must ask for the keys again."""
        return not self.account
