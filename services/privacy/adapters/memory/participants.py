"""The other services in memory: rows per person, erased once per request and node, fenced by the attempt."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from libs.kernel.ids import AccountId
from services.privacy.app.ports import Counts, ParticipantMissingError, StepRefusedError
from services.privacy.domain.identity import Identity, users


@dataclass(slots=True)
class Holding:
    """Rows about one person in one table.

    Attributes:
        kept: the ground on which an erasure leaves them; empty = they go.
    """

    rows: int
    kept: str = ""


class MemoryParticipants:
    """Implements the port `Participants`.

    Attributes:
        holdings: (participant, account, user id, table) -> what is held.
        aliases: (participant, account, user id) -> further identities that it knows.
        away: who does not answer.
        erasures: (participant, request, node) -> (attempt, counts).
    """

    def __init__(self) -> None:
        self.holdings: dict[tuple[str, str, int, str], Holding] = {}
        self.aliases: dict[tuple[str, str, int], list[Identity]] = {}
        self.away: set[str] = set()
        self.erasures: dict[tuple[str, str, str], tuple[int, Counts]] = {}

    def _require(self, name: str) -> None:
        if name in self.away:
            raise ParticipantMissingError(name, "UNAVAILABLE")

    async def resolve(self, name: str, account: AccountId, identities: Sequence[Identity]) -> list[Identity]:
        self._require(name)
        return [i for user in users(identities) for i in self.aliases.get((name, account, user), ())]

    def _counts(self, name: str, account: AccountId, identities: Sequence[Identity]) -> Counts:
        people, counts = users(identities), []
        for table in sorted({key[3] for key in self.holdings if key[0] == name}):
            held = [self.holdings.get((name, account, user, table), Holding(0)) for user in people]
            kept = sum(h.rows for h in held if h.kept)
            counts.append(
                {
                    "table": table,
                    "column": "",
                    "erased": sum(h.rows for h in held if not h.kept),
                    "pseudonymised": 0,
                    "retained": kept,
                    "retained_ground": next((h.kept for h in held if h.kept and h.rows), ""),
                }
            )
        return counts

    async def preview(
        self, name: str, account: AccountId, identities: Sequence[Identity]
    ) -> tuple[Counts, str]:
        self._require(name)
        counts = self._counts(name, account, identities)
        return counts, hashlib.sha256(json.dumps(counts, sort_keys=True).encode()).hexdigest()

    async def erase(
        self, name: str, account: AccountId, identities: Sequence[Identity], request: str, step: str, run: int
    ) -> tuple[Counts, str]:
        self._require(name)
        attempt, counts = self.erasures.get((name, request, step), (run, None))
        if run < attempt:
            raise StepRefusedError(f"PARTICIPANT_REFUSED: {name}: CONCURRENT_CHANGE")
        if counts is None:
            counts = self._counts(name, account, identities)
            for user in users(identities):
                for key in [
                    k for k, h in self.holdings.items() if k[:3] == (name, account, user) and not h.kept
                ]:
                    self.holdings[key] = Holding(0)
        self.erasures[name, request, step] = (run, counts)
        return counts, hashlib.sha256(name.encode()).hexdigest()

    async def verify(
        self, name: str, account: AccountId, identities: Sequence[Identity]
    ) -> list[dict[str, Any]]:
        self._require(name)
        found: dict[str, int] = {}
        for (participant, tenant, user, table), held in self.holdings.items():
            if participant == name and not held.kept:
                mine = tenant == account and user in users(identities)
                found[table] = found.get(table, 0) + (held.rows if mine else 0)
        return [
            {"table": table, "column": "", "result": "present" if rows else "absent", "rows": rows}
            for table, rows in sorted(found.items())
        ]
