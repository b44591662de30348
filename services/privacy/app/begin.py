"""The two ways out of planning: execution begins, or the request ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from services.privacy.app.evidence import EventType
from services.privacy.app.ports import RequestRow, StepRow, Transaction
from services.privacy.domain.plan import steps
from services.privacy.domain.states import NodeState, State, moved


async def begin_execution(
    tx: Transaction, row: RequestRow, tokens: Sequence[str], actor: str, now: datetime
) -> None:
    """Begin an erasure: from here there is no way back, and no sync may bring the person back.

    Args:
        row: locked in this transaction.
        tokens: of every identity of the person.
        actor: who approved, as a token or a service.

    Raises:
        RequestStateError: the request does not wait for this.
    """
    state = moved(row.state, State.EXECUTING)
    await tx.add_steps(
        [StepRow(row.id, name, place, NodeState.PENDING, now) for place, name in enumerate(steps(), 1)]
    )
    await tx.put_request(replace(row, state=state, approved_by=actor, updated_at=now))
    await tx.suppress(tokens, row.id, now)
    facts = {"plan_hash": row.plan_hash, "actor": actor}
    await tx.event(EventType.APPROVED, row.id, facts, now)


async def end_request(
    tx: Transaction, row: RequestRow, state: State, facts: Mapping[str, str], now: datetime, refusal: str = ""
) -> None:
    """End a request without an erasure, and let the snapshot go; its key is dropped afterwards.

    Raises:
        RequestStateError: execution began, or the request ended otherwise.
    """
    ended = replace(row, state=moved(row.state, state), identities=None, refusal=refusal, updated_at=now)
    await tx.put_request(ended)
    await tx.event(EventType(state.value), row.id, facts, now)
