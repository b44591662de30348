"""Every fault mode with its options and their defaults: the list that the control API shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SCOPE = ("method", "path", "skip", "every", "times")
"""What every fault knows: see `faults.Fault`."""


@dataclass(frozen=True, slots=True)
class Mode:
    """One way to break.

    Attributes:
        name: as the control API calls it.
        what: one sentence.
        options: with their defaults; the default's kind is the option's kind.
        choices: the values that an option may take, where they are few.
        method: default of the scope.
        path: default of the scope.
        times: default of the scope; None = until it is switched off.
    """

    name: str
    what: str
    options: Mapping[str, Any] = field(default_factory=dict)
    choices: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    method: str | None = None
    path: str = ""
    times: int | None = None

    def shown(self) -> dict[str, Any]:
        """Return it as the control API lists it."""
        scope = {"method": self.method, "path": self.path, "skip": 0, "every": 1, "times": self.times}
        return {"mode": self.name, "what": self.what, "options": {**scope, **self.options}}


_WHEN: dict[str, tuple[Any, ...]] = {"when": ("before", "after")}
MODES: Mapping[str, Mode] = {
    mode.name: mode
    for mode in (
        Mode(
            "rate_limit",
            "Answers 429 before anything is done; `retry_after` in seconds, null = without the header.",
            {"retry_after": 1},
        ),
        Mode(
            "error",
            "Answers an error, before or after the request was carried out.",
            {"status": 503, "retry_after": None, "when": "before"},
            {**_WHEN, "status": (500, 502, 503, 504)},
        ),
        Mode("delay", "Waits before it does anything (real seconds).", {"seconds": 1.0}),
        Mode(
            "slow_body",
            "Sends the head at once and the body in pieces over `seconds` (real).",
            {"seconds": 1.0, "pieces": 10},
        ),
        Mode(
            "cut",
            "Carries the request out, sends that share of the body (0: the head alone) and cuts the connection.",
            {"share": 0.5},
        ),
        Mode(
            "duplicate_webhooks",
            "Sends a webhook again right after it was delivered, under the same invocation id or a new one.",
            {"copies": 1, "new_id": False},
        ),
        Mode(
            "reorder_webhooks",
            "Holds webhooks until `window` of them wait, nothing else is on its way, and sends the last one first.",
            {"window": 2},
        ),
        Mode("lose_webhooks", "Never sends a webhook; Zendesk's own log says that it was sent."),
        Mode(
            "stale_views",
            "Views answer what they answered first, for so many seconds (virtual).",
            {"seconds": 600.0},
            method="GET",
            path="views/",
        ),
        Mode(
            "clock_skew",
            "The account's clock is wrong by so many seconds: Date, timestamps.",
            {"seconds": 120.0},
        ),
        Mode(
            "revoke_tokens",
            "Kills every living token of the account at once, or the access tokens alone.",
            {"refresh_too": True},
        ),
        Mode(
            "refuse_tokens",
            "Answers 401 invalid_token although the token lives.",
        ),
        Mode(
            "lose_refresh",
            "Rotates the pair and then cuts the connection before the answer, or answers an error instead.",
            {"how": "cut"},
            {"how": ("cut", "error")},
            method="POST",
            path="oauth/tokens",
            times=1,
        ),
        Mode(
            "half_done_job",
            "The job does its first `rows` rows and fails; it tells no results.",
            {"rows": 1},
            path="tickets/",
        ),
        Mode(
            "endless_job",
            "The job does its first `rows` rows (null = all) and works for ever.",
            {"rows": None},
            path="tickets/",
        ),
    )
}
JOBS = ("half_done_job", "endless_job")
