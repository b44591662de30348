"""The states of a request and what may follow what (facts: privacy §5)."""

from __future__ import annotations

from enum import StrEnum

from services.privacy.domain.errors import RequestStateError


class State(StrEnum):
    """Where a request stands."""

    RECEIVED = "RECEIVED"
    PLANNED = "PLANNED"
    AWAITING_APPROVAL = "AWAITING_APPROVAL"
    EXECUTING = "EXECUTING"
    VERIFYING = "VERIFYING"
    STUCK = "STUCK"
    COMPLETED = "COMPLETED"
    COMPLETED_WITH_RETENTION = "COMPLETED_WITH_RETENTION"
    REFUSED = "REFUSED"
    CANCELLED = "CANCELLED"


_NEXT = {
    State.RECEIVED: {State.PLANNED, State.REFUSED, State.CANCELLED, State.STUCK},
    State.PLANNED: {State.AWAITING_APPROVAL, State.EXECUTING, State.REFUSED, State.CANCELLED},
    State.AWAITING_APPROVAL: {State.EXECUTING, State.REFUSED, State.CANCELLED},
    State.EXECUTING: {State.VERIFYING, State.STUCK},
    State.VERIFYING: {State.COMPLETED, State.COMPLETED_WITH_RETENTION, State.STUCK},
    State.STUCK: {State.RECEIVED, State.EXECUTING, State.VERIFYING},
}
RUNNING = frozenset({State.RECEIVED, State.EXECUTING, State.VERIFYING})
"""States in which steps are taken."""
ENDED = frozenset({State.COMPLETED, State.COMPLETED_WITH_RETENTION, State.REFUSED, State.CANCELLED})


def moved(state: State, to: State) -> State:
    """Return the next state.

    Raises:
        RequestStateError: the move is not allowed; e.g. there is no way back once execution began.
    """
    if to not in _NEXT.get(state, set()):
        raise RequestStateError(
            f"a request in state {state} cannot become {to}", metadata={"state": state.value}
        )
    return to


class NodeState(StrEnum):
    """Where a step stands. There is no SKIPPED."""

    PENDING = "PENDING"
    WAITING = "WAITING"
    DONE = "DONE"
    RETAINED = "RETAINED"
    DEAD_LETTER = "DEAD_LETTER"


FINISHED = frozenset({NodeState.DONE, NodeState.RETAINED})
"""States of a step after which the next one comes."""
