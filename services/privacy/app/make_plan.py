"""What an erasure would do: every alias of the person, counts over all participants, one hash (facts: §5, §6)."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from libs.crypto.chain import canonical
from libs.kernel.ids import AccountId
from services.privacy.app.people import People
from services.privacy.app.ports import (
    Counts,
    ParticipantMissingError,
    Participants,
    StepRefusedError,
    Zendesk,
)
from services.privacy.domain.identity import MAXIMUM_IDENTITIES, Identity, normalised, users
from services.privacy.domain.plan import PARTICIPANTS

END_USER = "end-user"
ZENDESK = "zendesk"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan of an erasure.

    Attributes:
        identities: of the person, with every alias that was found.
        tokens: of those, in the same order.
        counts: what would go and stay; tables are `{participant}.{table}`.
        hash: of all that was seen; empty while somebody could not be asked.
        missing: who could not be asked.
        refusal: why the person cannot be erased, empty when he can.
    """

    identities: tuple[Identity, ...]
    tokens: tuple[str, ...] = ()
    counts: tuple[dict[str, Any], ...] = ()
    hash: str = ""
    missing: tuple[str, ...] = ()
    refusal: str = ""


def count(
    table: str, *, erased: int = 0, pseudonymised: int = 0, retained: int = 0, ground: str = ""
) -> dict[str, Any]:
    """Return one row of `Counts`."""
    return {
        "table": table,
        "column": "",
        "erased": erased,
        "pseudonymised": pseudonymised,
        "retained": retained,
        "retained_ground": ground,
    }


def counted_at(name: str, counts: Counts) -> Counts:
    """Return a participant's counts with its name before the tables."""
    return [{**row, "table": f"{name}.{row['table']}"} for row in counts]


class MakePlan:
    """Asks everybody, changes nothing."""

    def __init__(self, participants: Participants, zendesk: Zendesk, people: People) -> None:
        self._participants = participants
        self._zendesk = zendesk
        self._people = people

    async def __call__(self, account: AccountId, identities: Sequence[Identity]) -> Plan:
        """Return the plan for a person; who does not answer, or refuses to, is among the missing."""
        missing: set[str] = set()
        known = await self._resolve(account, identities, missing)
        if len(known) > MAXIMUM_IDENTITIES:
            why = f"the person has more than {MAXIMUM_IDENTITIES} identities: split the request"
            return Plan(tuple(identities), refusal=why)
        tokens = tuple(await self._people.tokens(account, known))
        roles, tickets = [], []
        for user in users(known):
            roles.append(await _asked(ZENDESK, self._zendesk.role(account, user), missing))
            tickets += await _asked(ZENDESK, self._zendesk.tickets(account, user), missing) or []
        other = next((role for role in roles if role not in (None, END_USER)), None)
        if other is not None:
            why = f"the person is `{other}` in Zendesk: only end users can be erased, make him one first"
            return Plan(known, tokens, refusal=why)
        previews = await asyncio.gather(
            *(
                _asked(name, self._participants.preview(name, account, known), missing)
                for name in PARTICIPANTS
            )
        )
        counts: Counts = [
            count("zendesk.tickets", erased=len(tickets)),
            count("zendesk.users", erased=sum(role is not None for role in roles)),
        ]
        hashes: dict[str, str] = {}
        for name, preview in zip(PARTICIPANTS, previews, strict=True):
            if preview is not None:
                counts += counted_at(name, preview[0])
                hashes[name] = preview[1]
        seen = {
            "people": sorted(tokens),
            "participants": hashes,
            "tickets": sorted(map(str, tickets)),
            "users": counts[1]["erased"],
        }
        digest = "" if missing else hashlib.sha256(canonical(seen)).hexdigest()
        return Plan(known, tokens, tuple(counts), digest, tuple(sorted(missing)))

    async def _resolve(
        self, account: AccountId, identities: Sequence[Identity], missing: set[str]
    ) -> tuple[Identity, ...]:
        """Ask every participant for aliases until nobody knows a new one."""
        known = dict.fromkeys((kind, normalised(kind, value)) for kind, value in identities)
        before = 0
        while before < len(known) <= MAXIMUM_IDENTITIES:
            before = len(known)
            answers = await asyncio.gather(
                *(
                    _asked(name, self._participants.resolve(name, account, tuple(known)), missing)
                    for name in PARTICIPANTS
                )
            )
            known |= dict.fromkeys((k, normalised(k, v)) for answer in answers for k, v in answer or [])
        return tuple(known)


async def _asked(name: str, call: Awaitable[T], missing: set[str]) -> T | None:
    """Return the answer; None, and the name among the missing, when there is none."""
    try:
        return await call
    except (ParticipantMissingError, StepRefusedError):
        missing.add(name)
        return None
