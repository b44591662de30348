"""LookupResources: the records that a user may act on."""

from __future__ import annotations

from dataclasses import dataclass

from libs.decision.lookups import allowed_records
from libs.decision.rows import OBJECT, User
from libs.decision.snapshot import Snapshot
from libs.kernel.ids import AccountId
from services.policy.app import needed
from services.policy.app.asked import Asked, Question
from services.policy.app.basis import Bases
from services.policy.app.ports import Reading


@dataclass(frozen=True, slots=True)
class RecordsPage:
    """A page of records.

    Attributes:
        every: whether a role allows every record of the type.
        ids: by id.
        more: whether there are further ones.
        total: how many there are on all pages.
        revision: that the next page must be of.
        now: second of the epoch that counts for the next page too.
    """

    every: bool
    ids: tuple[str, ...]
    more: bool
    total: int
    revision: int
    now: float


class LookupResources:
    """Lists exactly the known records that a check would allow, at one revision over all pages."""

    def __init__(self, bases: Bases) -> None:
        self._bases = bases

    async def __call__(
        self,
        account: AccountId,
        question: Question,
        asked: Asked,
        *,
        after: str,
        limit: int,
        list_all: bool = False,
    ) -> RecordsPage:
        """Return the records beyond `after`, at most `limit`.

        Args:
            question: its record does not count.
            list_all: list the known records also when a role allows every record.

        Raises:
            RevisionUnknownError, RevisionNotKeptError, DependencyUnavailableError: as `Bases.on`.
        """

        async def need(tx: Reading, revision: int, at: int | None) -> Snapshot:
            known = asked.acting if asked.acting is not None and asked.acting.id == question.user else None
            user = known or User(question.user, question.role)
            names = [question.object_type]
            return await needed.for_user(tx, user, names, revision, at, every_record=list_all)

        basis = await self._bases.on(account, asked.freshness, need)
        found = allowed_records(
            basis.snapshot,
            question.subject(basis.snapshot, asked),
            question.action,
            question.object_type,
            basis.now,
            question.given,
        )
        ids = sorted(found.ids)
        if found.every and list_all and (compiled := basis.snapshot.find(question.object_type)) is not None:
            ids = basis.snapshot.records(compiled.row.key) if compiled.row.kind == OBJECT else []
        page = [record for record in ids if record > after][: limit + 1]
        return RecordsPage(
            found.every, tuple(page[:limit]), len(page) > limit, len(ids), basis.revision, basis.now
        )
