"""Rate limits, with the headers of both generations and of the endpoints (facts: Zendesk §2.1, §2.4)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from tools.zendesk_simulator.errors import too_many_requests
from tools.zendesk_simulator.state import Account

PLANS = {
    "team": 200,
    "growth": 400,
    "professional": 400,
    "enterprise": 700,
    "enterprise_plus": 2500,
    "high_volume": 2500,
    "support_essential": 10,
    "support_team": 200,
    "support_professional": 400,
    "support_enterprise": 700,
    "sandbox": 700,
    "trial": 200,
    "unlimited": 0,
}
"""Calls a minute and account by plan; 0 = without limits, for load tests."""
MINUTE, TEN_MINUTES = 60, 600
WINDOWS_KEPT = 50_000


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of an endpoint.

    Attributes:
        methods: HTTP methods that it counts.
        pattern: of the path without `/api/v2/`; its groups are part of what is counted apart.
        name: in the headers.
        most: calls in a window; None = no limit.
        high_volume: the same with the High-Volume add-on.
        trial: the same in sandboxes and trials.
        seconds: length of the window.
        per_user: whether each user counts apart.
        from_page: counts only pages from this one on.
        header: how the endpoint spells its header; both spellings occur.
    """

    methods: tuple[str, ...]
    pattern: re.Pattern[str]
    name: str
    most: int | None
    high_volume: int | None = None
    trial: int | None = None
    seconds: int = MINUTE
    per_user: bool = False
    from_page: int = 0
    header: str = "zendesk-ratelimit"


def _limit(methods: str, pattern: str, name: str, most: int | None, **more: Any) -> Limit:
    return Limit(tuple(methods.split()), re.compile(pattern), name, most, **more)


_DASHED = "zendesk-rate-limit"
LIMITS = (
    _limit(
        "PUT",
        r"tickets/(?:\d+|update_many)",
        "tickets-update",
        100,
        high_volume=300,
        trial=20,
        header=_DASHED,
    ),
    _limit("PUT", r"tickets/(\d+)", "per-ticket-updates", 30, seconds=TEN_MINUTES, per_user=True),
    _limit("GET", r"tickets", "tickets-index", 50, from_page=501),
    _limit("GET", r"tickets", "tickets-index", None, trial=100),
    _limit("GET", r"views/(\d+)/(?:execute|count)", "views-execute", 5, per_user=True),
    _limit("POST", r"views/preview(?:/count)?", "views-preview", 5, per_user=True),
    _limit("GET", r"views/count_many", "views-count-many", 6, seconds=300),
    _limit("GET", r"incremental/(?!.*/sample$).+", "incremental", 10, high_volume=30),
    _limit("GET", r"incremental/.+/sample", "incremental-sample", 10, seconds=2 * TEN_MINUTES),
    _limit("GET", r"search/export", "search-export", 100),
    _limit("GET", r"search", "search-index", 2500),
    _limit("PUT", r"users/(\d+)", "users-update", 5),
    _limit("PUT", r"users/\d+", "users-write", 1, seconds=1),
    _limit("POST", r"users/create_or_update", "users-write", 1, seconds=1),
    _limit("GET", r"deleted_tickets", "deleted-tickets-index", 10),
    _limit("GET", r"deleted_tickets", "deleted-tickets-index", 5, from_page=101),
    _limit("DELETE", r"tickets/\d+", "tickets-destroy", 400),
    _limit("DELETE", r"deleted_tickets/\d+", "deleted-tickets-destroy", 1000, header=_DASHED),
    _limit("DELETE", r"deleted_tickets/destroy_many", "deleted-tickets-destroy-many", 300, header=_DASHED),
    _limit("DELETE", r"deleted_users/\d+", "deleted-users-destroy", 700, seconds=TEN_MINUTES),
    _limit("GET", r"ticket_audits", "ticket-audits-index", 500),
    _limit("GET", r"tickets/\d+/audits", "ticket-audits-index", 500),
    _limit("GET POST PUT PATCH DELETE", r"webhooks(?:/.+)?", "webhooks", 100),
    _limit("POST", r"apps/notify", "apps-notify", 100),
)


def _by_word() -> dict[tuple[str, str], tuple[Limit, ...]]:
    found: dict[tuple[str, str], tuple[Limit, ...]] = {}
    for limit in LIMITS:
        word = re.match(r"[a-z_]+", limit.pattern.pattern)
        for method in limit.methods:
            key = method, word[0] if word else ""
            found[key] = (*found.get(key, ()), limit)
    return found


_BY_WORD = _by_word()
"""The limits that may count a call, by its method and the first word of its path."""


def spend(
    account: Account, method: str, path: str, user_id: int | None = None, page: int = 1
) -> dict[str, str]:
    """Count one call and return the headers.

    Args:
        path: without `/api/v2/`.
        user_id: who calls.
        page: which page of a list he asks for.

    Raises:
        Refusal: 429, over a limit.
    """
    most = PLANS[account.plan]
    if most == 0:
        return {}
    now = account.now().timestamp()
    used, left = _use(account, "account", now, MINUTE)
    remaining = str(max(0, most - used))
    total, reset = str(most), str(left)
    headers = {
        "x-rate-limit": total,
        "x-rate-limit-remaining": remaining,
        "rate-limit": total,
        "rate-limit-remaining": remaining,
        "rate-limit-reset": reset,
        "ratelimit-limit": total,
        "ratelimit-remaining": remaining,
        "ratelimit-reset": reset,
    }
    if used > most:
        raise too_many_requests(left, headers)
    for limit in _BY_WORD.get((method, path.partition("/")[0]), ()):
        _count(account, limit, path, user_id, page, now, headers)
    return headers


def _count(
    account: Account,
    limit: Limit,
    path: str,
    user_id: int | None,
    page: int,
    now: float,
    headers: dict[str, str],
) -> None:
    found = limit.pattern.fullmatch(path)
    if found is None or page < limit.from_page:
        return
    most = limit.most
    if account.plan == "high_volume":
        most = limit.high_volume or most
    elif account.plan in ("trial", "sandbox"):
        most = limit.trial or most
    if most is None:
        return
    parts = [limit.name, str(limit.from_page), str(limit.seconds), *(g or "" for g in found.groups())]
    if limit.per_user:
        parts.append(str(user_id))
    used, left = _use(account, "/".join(parts), now, limit.seconds)
    headers[f"{limit.header}-{limit.name}"] = f"total={most}; remaining={max(0, most - used)}; resets={left}"
    if used > most:
        raise too_many_requests(left, headers)


def _use(account: Account, name: str, now: float, seconds: int) -> tuple[int, int]:
    """Count one use in the present window; return how many there are and the seconds left of it."""
    end = (int(now // seconds) + 1) * seconds
    until, used = account.windows.get(name, (end, 0))
    used = used + 1 if until == end else 1
    account.windows[name] = (end, used)
    if len(account.windows) > WINDOWS_KEPT:  # a name per ticket and user: forget what is over
        account.windows = {n: w for n, w in account.windows.items() if w[0] > now}
    return used, max(1, int(end - now))
