"""LintPolicies: holes and oddities of an account's policies."""

from __future__ import annotations

from libs.kernel.ids import AccountId
from services.policy.app.ports import OBJECT, RELATIONSHIP, Store
from services.policy.domain.lint import LintWarning, lint


class LintPolicies:
    """Looks over every policy; warns, never refuses."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(self, account: AccountId) -> list[LintWarning]:
        """Return warnings by type."""
        async with self._store.snapshot(account) as tx:
            types, users = await tx.types(), await tx.users()
        return lint(
            {row.key: row.permissions for row in types if row.kind == OBJECT},
            {row.key: row.permissions for row in types if row.kind == RELATIONSHIP},
            {user.custom_role_id for user in users if user.custom_role_id is not None},
        )
