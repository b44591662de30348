"""Zendesk's limits per endpoint (facts: Zendesk §2.4), as buckets that a call is charged to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

ACCOUNT = "account"
"""The bucket of the account's plan; its capacity is what Zendesk's answers say."""
JOBS = "jobs"
"""Held while 30 jobs are queued or running; it counts nothing."""

OWN = "own"
"""What we take of an account's plan at most, so that other apps of the customer have the rest."""
BACKGROUND = "own-background"
"""What copying and catching up take of that at most: the rest is for changes, and for what a person waits for."""
BACKGROUND_SHARE = 0.5
"""Of our own calls; ours."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How many calls fit into a bucket.

    Attributes:
        bucket: its name, which is the name in Zendesk's header where there is one; may have `{id}` places.
        capacity: calls per period with a plain plan; 0 = Zendesk's header says it. A header that names
            another total wins (High-Volume add-on, sandboxes, trials).
        period_seconds: length of the window.
    """

    bucket: str
    capacity: int
    period_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Charge:
    """What a call takes out of one bucket."""

    bucket: str
    capacity: int
    period_seconds: float
    cost: int = 1


_INCREMENTAL = Limit("incremental", 10)
_VIEW = Limit("views-execute/{id}", 5)
_DESTROY = Limit("deleted-tickets-destroy", 1000)
_JOBS = Limit(JOBS, 0)

_BY_ROUTE: Mapping[str, tuple[Limit, ...]] = {
    "PUT tickets/{id}": (Limit("tickets-update", 100),),
    "PUT tickets/update_many": (Limit("tickets-update", 100), _JOBS),
    "PUT tickets/{id}/tags": (Limit("tickets-update", 100),),
    "POST tickets/create_many": (_JOBS,),
    "DELETE tickets/destroy_many": (_JOBS,),
    "DELETE tickets/{id}": (Limit("tickets-destroy", 400),),
    "GET tickets/{id}/audits": (Limit("ticket-audits-index", 500),),
    "GET deleted_tickets": (Limit("deleted-tickets-index", 10),),
    "DELETE deleted_tickets/{id}": (_DESTROY, _JOBS),
    "DELETE deleted_tickets/destroy_many": (Limit("deleted-tickets-destroy-many", 300), _JOBS),
    "DELETE deleted_users/{id}": (Limit("deleted-users-destroy", 700, 600.0),),
    "PUT users/{id}": (Limit("users-write", 1, 1.0),),
    "GET views/{id}/execute": (_VIEW,),
    "GET views/{id}/count": (_VIEW,),
    "GET views/count_many": (Limit("views-count-many", 6, 300.0),),
    "GET search": (Limit("search-index", 2500),),
    "GET search/export": (Limit("search-export", 100),),
    "POST apps/notify": (Limit("apps-notify", 100),),
}
_ANY_WEBHOOK = Limit("webhooks", 100)
_PLACE = re.compile(r"\{[a-z_]+\}")

_BACKGROUND_ROUTE = re.compile(
    r"GET (incremental/.*|views(/.*)?|routing/.*|business_hours/.*|users|groups|group_memberships|organizations"
    r"|user_fields|ticket_fields|webhooks|triggers)"
)


def own_charges(route: str, capacity: int, share: float) -> tuple[Charge, ...]:
    """Return what a call is charged to of our own share of an account's plan; nothing when the share is all.

    Args:
        route: method and template, e.g. `GET views/{id}/tickets`.
        capacity: calls a minute of the account's plan; 0 = not known.
        share: over 0, at most 1.
    """
    if share >= 1 or not capacity:
        return ()
    own = max(1, int(capacity * share))
    if not _BACKGROUND_ROUTE.fullmatch(route):
        return (Charge(OWN, own, 60.0),)
    return (Charge(OWN, own, 60.0), Charge(BACKGROUND, max(1, int(own * BACKGROUND_SHARE)), 60.0))


def charges_of(
    method: str, template: str, ids: Mapping[str, object] | None = None, cost: int = 1
) -> tuple[Charge, ...]:
    """Return what a call is charged to: the account's bucket first, then the endpoint's.

    Args:
        method: HTTP method.
        template: path with places, e.g. `tickets/{id}`.
        ids: values of the places; a bucket per view is named by them.
        cost: how many of the endpoint's calls it may count as (`update_many`: one per ticket; facts,
            decision 11).
    """
    limits = _BY_ROUTE.get(f"{method} {template}", ())
    if template.startswith("incremental/"):
        limits = (_INCREMENTAL,)
    elif template.startswith("webhooks"):
        limits = (_ANY_WEBHOOK,)
    endpoint = (
        Charge(
            limit.bucket.format_map(ids or {}) if _PLACE.search(limit.bucket) else limit.bucket,
            limit.capacity,
            limit.period_seconds,
            cost if limit.capacity else 1,
        )
        for limit in limits
    )
    return (Charge(ACCOUNT, 0, 60.0), *endpoint)
