"""The real policy service behind the edge: its servicer over memory, real gRPC, real tokens."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx2

from libs.decision.rows import OBJECT, RELATIONSHIP, RelationshipRow, User, user_end
from libs.kernel.clock import SystemClock
from libs.kernel.ids import AccountId, CountingIds
from libs.rpc.pages import PageTokens
from services.edge.tests.house import open_edge
from services.policy.adapters.memory import MemoryStore
from services.policy.rpc.servicer import PolicyServicer
from services.policy.rpc.use_cases import UseCases

ACCOUNT = AccountId("acc-1")
OWNER = "user_to_many_products"
USERS = (User(10001, "admin"), User(10002, "agent"), User(10003, "end_user"), User(10004, "agent", 8237))


@dataclass(frozen=True)
class Served:
    """An account and the way to it.

    Attributes:
        http: the edge.
        use: policy's use cases, to prepare and to compare.
    """

    http: httpx2.AsyncClient
    use: UseCases


async def prepare(use: UseCases) -> None:
    """Make an object type `product`, a relationship type to it, and a user of each kind."""
    await use.types.create(ACCOUNT, OBJECT, "product")
    await use.types.create(ACCOUNT, RELATIONSHIP, OWNER, source="zen:user", target="product", many=True)
    await use.sync_users(ACCOUNT, USERS, (), complete=True)


async def relate(use: UseCases, pairs: Sequence[tuple[int, str]]) -> None:
    """Make relationships from users to products."""
    for user, record in pairs:
        row = RelationshipRow(use.ids.new("rel"), OWNER, user_end(user), record, use.clock.now())
        await use.write_relationships.create(ACCOUNT, row, None)


@contextlib.asynccontextmanager
async def served_policy(folder: Path) -> AsyncIterator[Served]:
    """Serve a fresh account."""
    clock = SystemClock()
    use = UseCases.on(MemoryStore(), PageTokens(), clock, CountingIds())
    await prepare(use)
    async with open_edge(folder, PolicyServicer(use)) as http:
        yield Served(http, use)
