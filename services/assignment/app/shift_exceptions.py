"""Leave and overtime: who may see and change them, and what is refused (facts: §5.8, §2.10)."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from libs.kernel.errors import FieldViolation, InvalidRequestError, NotFoundError, PermissionDeniedError
from libs.kernel.ids import AccountId
from libs.rpc.identity import Caller
from services.assignment.app.ports import Policy, Store
from services.assignment.domain.shifts import ShiftException, fault


class ShiftExceptions:
    """Lists and replaces agents' exceptions to their schedules.

    Admins may for everybody; delegated administrators for whom policy lets them change settings; everybody may see
    his own, but agrees it with somebody else.
    """

    def __init__(self, store: Store, policy: Policy) -> None:
        self._store = store
        self._policy = policy

    async def all(self, account: AccountId, caller: Caller, agent: int | None) -> list[ShiftException]:
        """Return exceptions of one agent, or of all, by agent and time.

        Raises:
            PermissionDeniedError: the caller may not see them.
            NotFoundError: no such agent.
        """
        if agent is None or agent != caller.user:
            await self._require(account, caller, agent)
        async with self._store.transaction(account) as tx:
            if agent is not None and await tx.directory.agent(agent) is None:
                raise _unknown(account, agent)
            return await tx.schedules.exceptions(agents=() if agent is None else (agent,))

    async def replace(
        self,
        account: AccountId,
        caller: Caller,
        agent: int,
        exceptions: Sequence[ShiftException],
        *,
        validate_only: bool,
    ) -> Collection[ShiftException]:
        """Replace an agent's exceptions; return them in their order.

        Raises:
            PermissionDeniedError: the caller may not change them.
            InvalidRequestError: nobody can go by one of them.
            NotFoundError: no such agent.
        """
        await self._require(account, caller, agent)
        faults = [
            FieldViolation(f"exceptions[{place}]", said)
            for place, one in enumerate(exceptions)
            if (said := fault(one))
        ]
        if faults:
            raise InvalidRequestError("the exceptions cannot be used", violations=faults)
        async with self._store.transaction(account) as tx:
            await tx.decisions.lock()
            if await tx.directory.agent(agent) is None:
                raise _unknown(account, agent)
            if not validate_only:
                await tx.schedules.put_exceptions(agent, exceptions)
        return sorted(set(exceptions))

    async def _require(self, account: AccountId, caller: Caller, agent: int | None) -> None:
        if caller.user is None or caller.is_admin:
            return
        if agent is None:
            raise PermissionDeniedError("only admins may see everybody's leave: name one agent")
        if await self._policy.may_update_settings(account, caller.user, agent) is None:
            raise PermissionDeniedError("policy does not let you change this agent's settings")


def _unknown(account: AccountId, agent: int) -> NotFoundError:
    return NotFoundError("no such agent", metadata={"name": f"accounts/{account}/agents/{agent}"})
