"""A day on PostgreSQL, played again from what was kept of it; no table changes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from services.assignment.adapters.sql.store import SqlStore
from services.assignment.app.replay_days import Changed, ReplayDays
from services.assignment.tests.house import ACCOUNT, SUPPORT, House
from services.assignment.tests.integration.test_concurrent_rounds import LIMIT
from services.assignment.tests.integration.test_concurrent_rounds import replicas as replicas

pytestmark = pytest.mark.integration


async def dump(house: House) -> dict[str, list[Any]]:
    """Return every row of every table."""
    assert isinstance(house.store, SqlStore)
    async with house.store._database.transaction() as connection:
        names = (
            await connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
        ).scalars()
        return {
            name: [*(await connection.execute(text(f"SELECT t::text FROM {name} t ORDER BY 1"))).scalars()]
            for name in sorted(names)
        }


async def test_the_same_rules_give_the_same_day_and_others_another(replicas: list[House]) -> None:
    house = replicas[0]
    start = house.clock.now()
    await house.queue("all")
    for number in range(1, 41):
        house.zendesk.ticket(number, group_id=SUPPORT, priority=("low", "urgent")[number % 2])
        if number % 4 == 0:
            await replicas[number // 4 % 4].minute()
    house.zendesk.change(39, status="solved")  # by hand, while it waits
    await house.minute()
    end, before = house.clock.now() + timedelta(minutes=1), await dump(house)
    was = {d.ticket: d.agent_id for d in await house.decisions() if d.agent_id is not None}
    replay = ReplayDays(house.store)

    same = await replay(ACCOUNT, start, end, Changed())
    tight = await replay(ACCOUNT, start, end, Changed(inbox_limit=LIMIT // 2))

    assert {s.ticket: s.given.agent for s in same.steps} == was
    assert same.differences == []
    assert (same.replayed.given_up, same.replayed.waiting) == (1, 40 - len(was) - 1)
    assert len(tight.steps) < len(was) == len(same.steps)
    assert tight.replayed.waiting > same.replayed.waiting
    assert await dump(house) == before
