"""The edge as every test here finds it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.edge.tests.house import open_edge
from services.edge.tests.naive_policy import House, NaivePolicy


@pytest_asyncio.fixture(scope="session")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """The edge with both services, for the whole run."""
    naive = NaivePolicy()  # type: ignore[abstract]  # the other methods answer UNIMPLEMENTED
    async with open_edge(tmp_path_factory.mktemp("edge"), naive) as http:
        yield House(http, naive)


@pytest_asyncio.fixture
async def house(running: House) -> House:
    """The same with a fresh account: a product type with two ReBAC policies' worth of facts."""
    naive = running.policy
    fresh = NaivePolicy(  # type: ignore[abstract]  # the other methods answer UNIMPLEMENTED
        types={
            "product": {"admin": "crud", "agent": "cru", "end_user": "", "custom/8237": "r"},
            "ticket": {"admin": "crud", "agent": "crud", "end_user": "r"},
            "relationship:owner": {"admin": "crud", "agent": "crud", "end_user": ""},
        },
        rebac={"product": {"owner": {"admin": "ru", "agent": "", "end_user": "u"}}},
        users={10001: "admin", 10002: "agent", 10003: "end_user"},
        related={("owner", 10003, "p1")},
        records={("product", f"p{n}") for n in range(1, 8)},
    )
    for name in fresh.__dataclass_fields__:
        setattr(naive, name, getattr(fresh, name))
    return running
