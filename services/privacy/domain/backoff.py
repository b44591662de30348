"""How long a step waits before it is run again, and when it is given up."""

from __future__ import annotations

FIRST_SECONDS = 0.2
LONGEST_SECONDS = 60.0
MAXIMUM_ATTEMPTS = 40
"""For somebody who does not answer: half an hour and some minutes."""
MAXIMUM_REFUSALS = 6
"""For somebody who refuses: about half a minute, since a state may be lagging."""


def wait_seconds(before: int) -> float:
    """Return the wait after as many waits (or failures) before: 0.2 s, doubled each time, at most a minute."""
    return min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(before, 20))
