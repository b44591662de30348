"""Rate limits per minute, with the headers of both generations (facts: Zendesk §2.1, §2.4)."""

from __future__ import annotations

import re

from tools.zendesk_simulator.errors import too_many_requests
from tools.zendesk_simulator.state import Account

PLANS = {
    "team": 200,
    "growth": 400,
    "professional": 400,
    "enterprise": 700,
    "enterprise_plus": 2500,
    "high_volume": 2500,
    "unlimited": 0,
}
# (method, pattern) -> name in the headers, calls a minute, calls a minute with high volume
_ENDPOINTS = (
    ("PUT", re.compile(r"tickets/(\d+|update_many)"), "tickets-update", 100, 300),
    ("GET", re.compile(r"incremental/.+"), "incremental", 10, 30),
    ("GET", re.compile(r"views/\d+/(execute|count)"), "views-execute", 5, 5),
    ("DELETE", re.compile(r"tickets/\d+"), "tickets-destroy", 400, 400),
    ("DELETE", re.compile(r"deleted_tickets/.+"), "deleted-tickets-destroy", 1000, 1000),
    ("GET", re.compile(r"deleted_tickets"), "deleted-tickets-index", 10, 10),
)


def spend(account: Account, method: str, path: str) -> dict[str, str]:
    """Count one call and return the headers; refuses what is over a limit."""
    limit = PLANS[account.plan]
    if limit == 0:
        return {}
    second = int(account.now().timestamp())
    minute, left = second // 60, 60 - second % 60
    used = _use(account, "account", minute)
    rest = max(0, limit - used)
    headers = {
        "x-rate-limit": str(limit),
        "x-rate-limit-remaining": str(rest),
        "rate-limit": str(limit),
        "rate-limit-remaining": str(rest),
        "rate-limit-reset": str(left),
        "ratelimit-limit": str(limit),
        "ratelimit-remaining": str(rest),
        "ratelimit-reset": str(left),
    }
    if used > limit:
        raise too_many_requests(left, headers)
    for verb, pattern, name, usual, high in _ENDPOINTS:
        if verb == method and pattern.fullmatch(path):
            most = high if account.plan == "high_volume" else usual
            used = _use(account, name, minute)
            headers[f"zendesk-ratelimit-{name}"] = (
                f"total={most}; remaining={max(0, most - used)}; resets={left}"
            )
            if used > most:
                raise too_many_requests(left, headers)
    return headers


def _use(account: Account, name: str, minute: int) -> int:
    window, used = account.windows.get(name, (minute, 0))
    used = used + 1 if window == minute else 1
    account.windows[name] = (minute, used)
    return used
