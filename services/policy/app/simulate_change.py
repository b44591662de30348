"""SimulateChange: which answers would differ, before anything is written."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeAlias

from libs.decision.build import Builder
from libs.decision.differences import Difference, Flip, differences
from libs.decision.rows import Change, Json
from libs.decision.snapshot import Snapshot
from libs.kernel.errors import OverloadedError
from libs.kernel.ids import AccountId
from services.policy.app import needed
from services.policy.app.asked import Freshness
from services.policy.app.basis import Bases
from services.policy.app.manage_types import extended, missing_type, patched
from services.policy.app.ports import OBJECT, RELATIONSHIP, AccountSettings, Reading, RelationshipRow, TypeRow
from services.policy.app.write_relationships import CREATES, DELETES, require_ends, require_single
from services.policy.domain.extensions import check_extensions
from services.policy.domain.lint import LintWarning, lint
from services.policy.domain.patch import parse_patch

Ends: TypeAlias = tuple[str, str, str]
"""Type, source and target of a relationship."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What would be changed.

    Attributes:
        kind: of the type; empty = no type changes.
        patch_json: merge patch; empty = none.
        extensions: instead of those of the type; None = they stay.
    """

    kind: str = ""
    key: str = ""
    patch_json: str = ""
    extensions: Json | None = None
    creates: Sequence[RelationshipRow] = ()
    deletes: Sequence[RelationshipRow] = ()


@dataclass(frozen=True, slots=True)
class Simulated:
    """What would come of it.

    Attributes:
        gained: answers that would become yes.
        lost: answers that would become no.
        gaining: users who would gain something.
        losing: users who would lose something.
        flips: a page of them.
        warnings: that lint would say and does not say now.
        revision: of the state that it was simulated on.
        now: second of the epoch that counts for the next page too.
    """

    gained: int
    lost: int
    gaining: int
    losing: int
    flips: tuple[Flip, ...]
    more: bool
    warnings: tuple[LintWarning, ...]
    revision: int
    now: float


class SimulateChange:
    """Makes the change on a copy of the account's state, and compares; nothing is stored.

    Args:
        most: relationships of an account at most: it is compared in memory, as a whole.
    """

    def __init__(self, bases: Bases, most: int) -> None:
        self._bases = bases
        self._most = most

    async def __call__(
        self, account: AccountId, proposal: Proposal, freshness: Freshness, *, skip: int, limit: int
    ) -> Simulated:
        """Return counts over everything, and the flips beyond the first `skip`, at most `limit`.

        Raises:
            NotFoundError: there is no such type.
            InvalidRequestError, PermissionsInvalidError, ExtensionsInvalidError, AlreadyExistsError: as the
                change itself would.
            OverloadedError: the account is too large to be compared.
        """

        async def need(tx: Reading, revision: int, at: int | None) -> Snapshot:
            if await tx.has_more_relationships_than(self._most):
                raise OverloadedError("the account is too large for a change to be simulated on it")
            return await needed.whole(tx, revision, at)

        basis = await self._bases.on(account, freshness, need)
        before = basis.snapshot
        changes = _changes(account, before, proposal, basis.settings, basis.now)
        after = Builder(before).apply(changes).finish(before.revision)
        found = list(differences(before, after, changes, basis.now))
        page = list(islice((flip for one in found for flip in one.flips()), skip, skip + limit + 1))
        gained, lost, gaining, losing = _totals(found)
        warned = set(_lint(before))
        return Simulated(
            gained,
            lost,
            gaining,
            losing,
            tuple(page[:limit]),
            len(page) > limit,
            tuple(one for one in _lint(after) if one not in warned),
            before.revision,
            basis.now,
        )


def _totals(found: Sequence[Difference]) -> tuple[int, int, int, int]:
    gained = lost = 0
    gaining, losing = set(), set()
    for one in found:
        more, less = one.count()
        gained += more
        lost += less
        if more:
            gaining.add(one.user)
        if less:
            losing.add(one.user)
    return gained, lost, len(gaining), len(losing)


def _changes(
    account: AccountId, before: Snapshot, proposal: Proposal, settings: AccountSettings, now: float
) -> list[Change]:
    """Return what the proposal would change, in the form of the change log."""
    changes: list[Change] = []
    revision = before.revision + 1
    if proposal.kind:
        found = before.types.get((proposal.kind, proposal.key))
        if found is None:
            raise missing_type(account, proposal.kind, proposal.key)
        row = _changed_type(before, found.row, proposal, settings)
        if row != found.row:
            changes.append(Change(revision, row))
    require_ends(account, _types(before), proposal.creates, CREATES)
    require_ends(account, _types(before), proposal.deletes, DELETES)
    deleted = set()
    for one in proposal.deletes:
        edge = before.edge(*_ends(one), now)
        if edge is not None:
            deleted.add(_ends(one))
            changes.append(Change(revision, replace(one, id=edge), gone=True))
    new = [one for one in proposal.creates if _ends(one) in deleted or before.edge(*_ends(one), now) is None]
    for kind in _types(before).values():
        if not kind.many:
            rows = [one for one in new if one.type == kind.key]
            require_single(account, kind, rows, _led_to(before, rows, deleted, now))
    return [*changes, *(Change(revision, one) for one in new)]


def _led_to(
    before: Snapshot, rows: Sequence[RelationshipRow], deleted: Collection[Ends], now: float
) -> dict[str, tuple[str, str]]:
    """Return where the sources of new records lead to already, and over which relationship."""
    found = {}
    for row in rows:
        for target in before.targets(row.type, row.source, now):
            edge = before.edge(row.type, row.source, target, now)
            if edge is not None and (row.type, row.source, target) not in deleted:
                found[row.source] = (target, edge)
    return found


def _ends(row: RelationshipRow) -> Ends:
    return row.type, row.source, row.target


def _types(snapshot: Snapshot) -> dict[str, TypeRow]:
    return {key: found.row for (kind, key), found in snapshot.types.items() if kind == RELATIONSHIP}


def _changed_type(before: Snapshot, row: TypeRow, proposal: Proposal, settings: AccountSettings) -> TypeRow:
    if proposal.patch_json:
        row, _ = patched(row, parse_patch(proposal.patch_json), _types(before), settings)
    if proposal.extensions is not None:
        check_extensions(proposal.extensions, row, _types(before))
        row = extended(row, proposal.extensions)
    return row


def _lint(snapshot: Snapshot) -> list[LintWarning]:
    rows = [found.row for found in snapshot.types.values()]
    return lint(
        {row.key: row.permissions for row in rows if row.kind == OBJECT},
        {row.key: row.permissions for row in rows if row.kind == RELATIONSHIP},
        {u.custom_role_id for u in snapshot.users.values() if u.custom_role_id is not None},
    )
