"""An account to decide about: types, people of every kind, and every use case over one store."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import yaml

from libs.decision.rows import ACTIONS, User, user_end
from libs.kernel.clock import ManualClock
from libs.kernel.ids import AccountId, CountingIds
from libs.rpc.pages import PageTokens
from services.policy.adapters.memory import MemoryStore
from services.policy.app.asked import Asked, Question
from services.policy.app.engine import Limits
from services.policy.app.ports import OBJECT, RELATIONSHIP, Answer, RelationshipRow, Store, TypeRow
from services.policy.app.tokens import ConsistencyTokens
from services.policy.rpc.use_cases import UseCases

ACCOUNT = AccountId("acc-1")
PRODUCT = "product"
K, L = "user_to_many_products", "user_follows_product"
RELATIONSHIP_TYPES = (
    (K, "zen:user", PRODUCT),
    (L, "zen:user", PRODUCT),
    ("ticket_to_product", "zen:ticket", PRODUCT),
    ("user_to_car", "zen:user", "car"),
)
USERS = {
    "admin": User(1, "admin"),
    "agent": User(2, "agent"),
    "agent8237": User(3, "agent", 8237),
    "agent9001": User(4, "agent", 9001),
    "end_user": User(5, "end_user"),
    "admin8237": User(6, "admin", 8237),
    "end_user8237": User(7, "end_user", 8237),
}
GOLDEN = Path(__file__).parent / "golden"


def cases(name: str) -> list[Any]:
    """Return the golden cases of a file."""
    found: list[Any] = yaml.safe_load((GOLDEN / name).read_text(encoding="utf-8"))
    return found


class World:
    """One account, as one replica has it.

    Args:
        beside: another replica over the same database: they share clock, ids and the key of tokens.
        monotonic: seconds, for how fresh the state at hand is.
    """

    def __init__(
        self,
        store: Store,
        account: AccountId = ACCOUNT,
        *,
        beside: World | None = None,
        limits: Limits | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.account = account
        self.store = store
        self.clock: ManualClock = beside.clock if beside else ManualClock()
        self.ids: CountingIds = beside.ids if beside else CountingIds()
        self.tokens: ConsistencyTokens = beside.tokens if beside else ConsistencyTokens()
        pages = PageTokens()
        self.use = UseCases.on(store, pages, self.clock, self.ids, self.tokens, limits, monotonic)

    @classmethod
    async def fresh(cls, store: Store | None = None, account: AccountId = ACCOUNT, **more: Any) -> Self:
        """Return an account with object types, relationship types and users, and no relationship."""
        world = cls(store or MemoryStore(), account, **more)
        for key in (PRODUCT, "car"):
            await world.use.types.create(account, OBJECT, key)
        for key, source, target in RELATIONSHIP_TYPES:
            await world.use.types.create(account, RELATIONSHIP, key, source=source, target=target, many=True)
        await world.use.sync_users(account, list(USERS.values()), (), complete=True)
        return world

    async def patch(self, data: object, *, kind: str = OBJECT, key: str = PRODUCT, etag: str = "") -> TypeRow:
        """Patch permissions."""
        changed = await self.use.types.update_permissions(self.account, kind, key, json.dumps(data), etag)
        return changed.row

    async def get(self, kind: str = OBJECT, key: str = PRODUCT) -> TypeRow:
        """Return a type."""
        return await self.use.read_types.get(self.account, kind, key)

    def row(self, source: int | str, target: str, key: str = K, **more: Any) -> RelationshipRow:
        """Return a new relationship record, not stored yet."""
        end = source if isinstance(source, str) else user_end(source)
        return RelationshipRow(self.ids.new("rel"), key, end, target, self.clock.now(), **more)

    async def relate(self, source: int | str, target: str, key: str = K, **more: Any) -> RelationshipRow:
        """Store a relationship record."""
        row = self.row(source, target, key, **more)
        kept, _ = await self.use.write_relationships.create(self.account, row, None, validate_only=False)
        return kept

    async def ask(
        self, user: int, action: str, record: str = "p1", kind: str = PRODUCT, acting: User | None = None
    ) -> Answer:
        """Ask one question."""
        (answer,) = await self.use.check(self.account, [Question(user, action, kind, record)], Asked(acting))
        return answer

    async def rights(self, user: int, record: str = "p1", kind: str = PRODUCT) -> str:
        """Return letters of create, read, update, delete."""
        questions = [Question(user, action, kind, record) for action in ACTIONS]
        return letters(await self.use.check(self.account, questions))

    async def revision(self) -> int:
        """Return the account's revision."""
        async with self.store.snapshot(self.account) as tx:
            return (await tx.state()).revision


def letters(answers: Sequence[Answer]) -> str:
    """Return `T` or `F` for each answer."""
    return "".join("T" if answer.decided.allowed else "F" for answer in answers)


def named(data: Any) -> Any:
    """Return golden data with `K` and `L` written out as keys of `rebac`."""
    if not isinstance(data, dict) or not isinstance(data.get("rebac"), dict):
        return data
    return {**data, "rebac": {{"K": K, "L": L}.get(key, key): value for key, value in data["rebac"].items()}}
