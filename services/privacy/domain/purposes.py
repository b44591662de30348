"""What data about a person may be used for, and what an erasure forbids for ever (facts: privacy §12, §24.23)."""

from __future__ import annotations

from enum import IntEnum

from services.privacy.domain.identity import USER


class Purpose(IntEnum):
    """The uses; numbers as in the contract."""

    ASSIGN_BASIC = 1
    SKILL_SCORING = 2
    SAME_AGENT_AFFINITY = 3
    PERFORMANCE_REPORTS = 4
    SYNC_PROFILE = 5
    ANALYTICS = 6


def forbidden_once_erased(kind: str) -> frozenset[int]:
    """Return the uses that are forbidden for an identity of an erased person.

    The erased profile's own id: every use. Any other identity: only copying profiles, so that no sync brings
    the person back, while somebody who writes anew from the same address is served.
    """
    return frozenset(Purpose) if kind == USER else frozenset({Purpose.SYNC_PROFILE})
