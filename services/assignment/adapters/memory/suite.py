"""Auth and policy in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from libs.kernel.errors import DependencyUnavailableError
from libs.kernel.ids import AccountId
from services.assignment.app.rows import AgentRow
from services.assignment.domain.model import Restrictions


class MemoryInstallations:
    """Implements the port `Installations`."""

    def __init__(self) -> None:
        self.by_account: dict[AccountId, Restrictions] = {}

    async def restrictions(self, account: AccountId) -> Restrictions:
        return self.by_account.get(account, Restrictions())


class MemoryPrivacy:
    """Implements the port `Privacy`; `down` stands for a privacy that does not answer."""

    def __init__(self) -> None:
        self.basic: set[int] = set()
        self.scoring: set[int] = set()
        self.no_affinity: set[int] = set()
        self.revision = 1
        self.down = False

    async def agents(
        self, account: AccountId, agents: Sequence[int]
    ) -> tuple[int, Collection[int], Collection[int]]:
        self._require_up()
        return self.revision, self.basic & set(agents), self.scoring & set(agents)

    async def may_have_affinity(self, account: AccountId, requester: int) -> bool:
        self._require_up()
        return requester not in self.no_affinity

    def _require_up(self) -> None:
        if self.down:
            raise DependencyUnavailableError("privacy does not answer")


class MemoryPolicy:
    """Implements the port `Policy` with the rules that `adapters.suite` publishes: admins may change everybody,
    delegated administrators everybody they were related to, and nobody else anybody."""

    def __init__(self) -> None:
        self._agents: dict[AccountId, dict[int, AgentRow]] = {}

    async def may_update_settings(self, account: AccountId, user: int, agent: int) -> str | None:
        known = self._agents.get(account, {})
        acting = known.get(user)
        if acting is None:
            return None
        if acting.role == "admin":
            return "admins may"
        return "manages_agent_settings" if acting.manager and agent in known else None

    async def publish(self, account: AccountId, agents: Sequence[AgentRow]) -> None:
        self._agents[account] = {a.user_id: a for a in agents}
