"""Commands that come again with the same `request_id`: they get the first answer (AIP-155)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from libs.kernel.ids import AccountId
from services.policy.app.ports import Transaction


@dataclass(frozen=True, slots=True)
class Repeat:
    """What tells a command that comes again from another one.

    Attributes:
        method: full name of the RPC.
        request_id: the caller's; empty = it is never taken for a repeat.
        body: the request without its id, serialised deterministically.
    """

    method: str = ""
    request_id: str = ""
    body: bytes = b""


NO_REPEAT = Repeat()


class AnsweredError(Exception):
    """Ends a transaction that has nothing to do: the command was answered before.

    Args:
        answer: what was remembered of it.
    """

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__()
        self.answer = answer


async def require_new(tx: Transaction, account: AccountId, repeat: Repeat) -> None:
    """Let a command pass that was not answered before.

    Raises:
        AnsweredError: it was.
        RequestIdReusedError: its id was used for another command.
    """
    if repeat.request_id:
        found = await tx.requests.find(account, repeat.request_id, repeat.method, repeat.body)
        if found is not None:
            raise AnsweredError(json.loads(found))


async def remember(tx: Transaction, account: AccountId, repeat: Repeat, **answer: Any) -> None:
    """Keep what the answer is made of, in the transaction of the command itself."""
    if repeat.request_id:
        raw = json.dumps(answer).encode()
        await tx.requests.remember(account, repeat.request_id, repeat.method, repeat.body, raw)
