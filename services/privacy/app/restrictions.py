"""Restrictions of use, in force before they are answered (GDPR Art. 18, 21; facts: privacy §12)."""

from __future__ import annotations

from collections.abc import Sequence

from libs.kernel.clock import Clock
from libs.kernel.errors import FieldViolation, InvalidRequestError
from libs.kernel.ids import AccountId
from services.privacy.app.create_request import require_identities
from services.privacy.app.evidence import EventType
from services.privacy.app.people import People
from services.privacy.app.ports import Store
from services.privacy.domain.identity import Identity
from services.privacy.domain.purposes import Purpose, forbidden_once_erased

Forbidden = list[tuple[Identity, list[int]]]
"""For each person, which of the uses asked for are forbidden; others are not listed."""


class Restrictions:
    """The register. It is read for each answer: nothing of it is cached here."""

    def __init__(self, store: Store, people: People, clock: Clock) -> None:
        self._store = store
        self._people = people
        self._clock = clock

    async def set(
        self,
        account: AccountId,
        identity: Identity,
        purposes: Sequence[int],
        subject: str,
        *,
        restricted: bool,
    ) -> int:
        """Forbid or allow uses of a person's data; return the register's revision.

        An erased person's suppression stays whatever is allowed here.

        Raises:
            InvalidRequestError: an identity or a use is none.
        """
        _require_purposes(purposes)
        require_identities([identity], "subject")
        token = (await self._people.tokens(account, [identity]))[0]
        actor, now = await self._people.actor(account, subject), self._clock.now()
        chosen = sorted(set(purposes))
        async with self._store.transaction(account) as tx:
            revision = await tx.restrict(token, chosen, restricted=restricted)
            kind = EventType.RESTRICTED if restricted else EventType.RESTRICTION_LIFTED
            names = ",".join(Purpose(p).name for p in chosen)
            await tx.event(kind, "", {"person": token, "purposes": names, "actor": actor}, now)
        return revision

    async def check(
        self, account: AccountId, identities: Sequence[Identity], purposes: Sequence[int]
    ) -> tuple[Forbidden, int]:
        """Return what is forbidden, and the register's revision.

        Raises:
            InvalidRequestError: an identity or a use is none.
        """
        _require_purposes(purposes)
        require_identities(identities, "subjects")
        tokens = await self._people.tokens(account, identities)
        async with self._store.transaction(account) as tx:
            # The revision first: a change between the reads then shows in the next answer.
            revision = await tx.restriction_revision()
            restricted = set(await tx.restricted(tokens, purposes))
            erased = set(await tx.suppressed(tokens))
        found: Forbidden = []
        for identity, token in zip(identities, tokens, strict=True):
            uses = {p for p in purposes if (token, p) in restricted}
            if token in erased:
                uses |= forbidden_once_erased(identity[0]) & set(purposes)
            if uses:
                found.append((identity, sorted(uses)))
        return found, revision


def _require_purposes(purposes: Sequence[int]) -> None:
    bad = [
        FieldViolation(f"purposes[{place}]", "must be a use that the contract names")
        for place, purpose in enumerate(purposes)
        if purpose not in set(Purpose)
    ]
    if bad:
        raise InvalidRequestError("the request names an unknown use", violations=bad)
