"""The steps of an erasure, in an order that leaves nothing behind (facts: privacy §5, Zendesk §10)."""

from __future__ import annotations

from collections.abc import Sequence
from graphlib import TopologicalSorter

from services.privacy.domain.states import State

PLAN = "plan"
CERTIFICATE = "certificate"
PARTICIPANTS = ("assignment", "policy", "auth")

# Each step with the steps that must be done before it. Remote systems first: they need our token, which
# auth's own step may end; a requester with tickets that are not closed cannot be deleted.
_AFTER: dict[str, set[str]] = {
    "zendesk/tickets": set(),
    "zendesk/tickets-permanent": {"zendesk/tickets"},
    "zendesk/user": {"zendesk/tickets-permanent"},
    "zendesk/user-permanent": {"zendesk/user"},
    "erase/assignment": {"zendesk/user-permanent"},
    "erase/policy": {"erase/assignment"},
    "erase/auth": {"erase/policy"},
    "verify/zendesk": {"erase/auth"},
    "verify/assignment": {"verify/zendesk"},
    "verify/policy": {"verify/assignment"},
    "verify/auth": {"verify/policy"},
    CERTIFICATE: {"verify/auth"},
}


def steps() -> Sequence[str]:
    """Return the steps of an erasure in order.

    Raises:
        CycleError: the table above has a cycle (found at import by a test).
    """
    return tuple(TopologicalSorter(_AFTER).static_order())


def phase(step: str) -> State:
    """Return the state of a request whose first open step is this one."""
    if step == PLAN:
        return State.RECEIVED
    return State.VERIFYING if step == CERTIFICATE or step.startswith("verify/") else State.EXECUTING
