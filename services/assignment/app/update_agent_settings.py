"""UpdateAgentSettings: delegated administration. Policy decides, the server writes (seed 000)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from libs.kernel.errors import NotFoundError, PermissionDeniedError
from libs.kernel.ids import AccountId
from libs.rpc.identity import Caller
from services.assignment.app.ports import Policy, Store, Zendesk
from services.assignment.app.rows import AgentRow
from services.assignment.domain.errors import FieldNotManagedError

FIELDS = {"rule_id": "playlist_rule_id", "manager": "playlist_manager", "autoplay": "playlist_autoplay"}


class UpdateAgentSettings:
    """Writes the three Playlist fields of an agent with the account's token, never the caller's."""

    def __init__(self, store: Store, zendesk: Zendesk, policy: Policy) -> None:
        self._store = store
        self._zendesk = zendesk
        self._policy = policy

    async def __call__(
        self,
        account: AccountId,
        caller: Caller,
        agent: int,
        values: Mapping[str, object],
        *,
        validate_only: bool,
    ) -> tuple[AgentRow, str]:
        """Change an agent's settings; return him and why policy allowed it.

        Args:
            values: new values by `rule_id`, `manager`, `autoplay`.

        Raises:
            FieldNotManagedError: another field is named.
            PermissionDeniedError: policy does not allow it.
            NotFoundError: no such agent.
            ZendeskError: Zendesk refused the change; nothing was changed.
        """
        unknown = values.keys() - FIELDS.keys()
        if unknown or not values:
            name = min(unknown) if unknown else "nothing"
            raise FieldNotManagedError(f"`{name}` is not one of rule_id, manager, autoplay")
        reason = await self._reason(account, caller, agent)
        async with self._store.transaction(account) as tx:
            row = await tx.directory.agent(agent)
        if row is None:
            raise NotFoundError("no such agent", metadata={"name": f"accounts/{account}/agents/{agent}"})
        changed = _changed(row, values)
        if not validate_only:
            client = await self._zendesk.of(account)
            clean = {"rule_id": changed.rule, "manager": changed.manager, "autoplay": changed.autoplay}
            await client.users.set_user_fields(agent, {FIELDS[k]: clean[k] for k in values})
        async with self._store.transaction(account, dry=validate_only) as tx:
            await tx.decisions.lock()  # the other fields may have changed while Zendesk was asked
            row = await tx.directory.agent(agent) or row
            changed = _changed(row, values)
            after = await tx.directory.put_settings(
                agent, changed.rule, manager=changed.manager, autoplay=changed.autoplay
            )
            everybody = await tx.directory.agents()
        if "manager" in values and not validate_only:
            # At once, not at the next sync: who is no delegated administrator any more may change nobody.
            await self._policy.publish(account, everybody)
        return after or changed, reason

    async def _reason(self, account: AccountId, caller: Caller, agent: int) -> str:
        if caller.user is None:
            raise PermissionDeniedError("only a person may change an agent's settings")
        reason = await self._policy.may_update_settings(account, caller.user, agent)
        if reason is None:
            raise PermissionDeniedError("policy does not let you change this agent's settings")
        return reason


def _changed(row: AgentRow, values: Mapping[str, object]) -> AgentRow:
    return replace(
        row,
        rule=_number(values["rule_id"]) if "rule_id" in values else row.rule,
        manager=bool(values["manager"]) if "manager" in values else row.manager,
        autoplay=bool(values["autoplay"]) if "autoplay" in values else row.autoplay,
    )


def _number(value: object) -> int | None:
    return int(str(value)) if value else None
