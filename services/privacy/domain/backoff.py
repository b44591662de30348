"""How long a step waits before it is run again, and when it is given up."""

from __future__ import annotations

FIRST_SECONDS = 0.2
LONGEST_SECONDS = 60.0
MAXIMUM_ATTEMPTS = 40
"""For somebody who does not answer: about half an hour."""
GROWTH = 1.5
MAXIMUM_REFUSALS = 10
"""For somebody who refuses: some 15 seconds, since a state may be lagging."""


def wait_seconds(before: int) -> float:
    """Return the wait after as many waits (or failures): 0.2 s, then half as much more each, at most a minute."""
    return min(LONGEST_SECONDS, FIRST_SECONDS * GROWTH ** min(before, 20))
