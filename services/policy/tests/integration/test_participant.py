"""What policy holds about people: every column has a verdict, and a person can be found, shown and erased."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import pytest_asyncio

from libs.db.engine import Database
from libs.decision.rows import User
from libs.kernel.ids import AccountId, UserId
from libs.participant.sql import SqlSubjects, catalogue
from services.policy.adapters.sql.store import SqlStore
from services.policy.adapters.sql.subjects import PEOPLE, PLACES, rewrite_history
from services.policy.app.asked import Asked, Freshness, Question
from services.policy.app.data_map import DATA_MAP
from services.policy.app.ports import OBJECT, RELATIONSHIP
from services.policy.tests.world import PRODUCT, K, World

pytestmark = pytest.mark.integration
_ACCOUNTS = itertools.count(1)
MANAGES = "manages_agent_settings"
MANAGER, AGENT = 40_001, 40_002


@pytest.fixture
def subjects(database: Database) -> SqlSubjects:
    return SqlSubjects(database, PLACES, DATA_MAP, rewrite_history)


@pytest_asyncio.fixture
async def world(database: Database) -> World:
    """A manager who may change an agent's settings, as assignment publishes it, and an end user's product."""
    world = await World.fresh(SqlStore(database), AccountId(f"acc-{next(_ACCOUNTS)}"))
    await world.use.sync_users(
        world.account,
        [User(MANAGER, "agent", None, (7,), 9), User(AGENT, "agent", 8237)],
        (),
        complete=False,
    )
    await world.use.types.create(world.account, OBJECT, PEOPLE)
    await world.use.types.create(
        world.account, RELATIONSHIP, MANAGES, source="zen:user", target=PEOPLE, many=True
    )
    await world.relate(MANAGER, str(AGENT), MANAGES)
    await world.relate(AGENT, "p1")
    await world.relate(MANAGER, str(AGENT), K)  # a product whose id happens to look like the agent's
    await world.ask(MANAGER, "update", str(AGENT), PEOPLE)
    await world.ask(AGENT, "read", "p1")
    await world.ask(MANAGER, "read", str(AGENT))
    await world.use.log.flush()
    gone = await world.relate(AGENT, "p2")
    await world.use.write_relationships.delete(world.account, gone.id, None, actor=f"user:{AGENT}")
    return world


async def test_every_column_has_a_verdict_and_every_verdict_a_column(database: Database) -> None:
    assert DATA_MAP.census(await catalogue(database)) == []


def test_every_place_has_the_strategy_of_the_data_map() -> None:
    verdicts = {(c.table, c.column): c.strategy for c in DATA_MAP.columns}
    for place in PLACES:
        if place.column:
            assert verdicts[place.table, place.column] is place.strategy
        else:
            personal = {s for (t, _), s in verdicts.items() if t == place.table and s != "not_personal"}
            assert personal == {place.strategy}


async def test_an_agent_is_erased_as_user_as_end_of_relationships_and_as_record(
    world: World, subjects: SqlSubjects
) -> None:
    user, account = UserId(AGENT), world.account
    expected = [
        ("relationships", 1, 0),
        ("relationships", 1, 0),
        ("users", 1, 0),
        ("objects", 0, 0),
        ("past_relationships", 1, 0),
        ("past_relationships", 0, 0),
        ("past_users", 0, 0),
        ("past_objects", 0, 0),
        ("change_log", 0, 1),
        ("decision_log", 0, 1),
        ("decision_log", 0, 1),
    ]
    preview = await subjects.preview(account, user)
    assert [(c.table, c.erased, c.pseudonymised) for c in preview] == expected
    found = await subjects.search(account, user)
    assert {place for place, rows in found.items() if rows} >= {
        ("users", "user_id"),
        ("decision_log", "user_id"),
        ("relationships", "source"),
    }

    erased = await subjects.erase(account, user, "request-1", "node-1", 1)

    assert list(erased) == list(preview)
    assert await subjects.erase(account, user, "request-1", "node-1", 2) == erased
    assert all(c.erased == c.pseudonymised == 0 for c in await subjects.preview(account, user))
    found = await subjects.search(account, user)
    assert found[("users", "user_id")] == found[("decision_log", "user_id")] == 0
    assert found[("relationships", "source")] == 0
    async with world.store.snapshot(account) as tx:
        kept = [(row.source, row.type, row.target) for row in await tx.relationships()]
        assert kept == [(f"zen:user:{MANAGER}", K, str(AGENT))], "a product is no person"
        log = {(r.user_id, r.object_type, r.record) for r in await tx.logged("", 9, None)}
        assert log == {(MANAGER, PEOPLE, ""), (None, PRODUCT, "p1"), (MANAGER, PRODUCT, str(AGENT))}


async def test_t21_the_erased_have_no_rights_left(world: World, subjects: SqlSubjects) -> None:
    await world.patch({"rebac": {K: {"agent": {"read": True}}}})
    before = (await world.ask(AGENT, "read", "p1")).decided.allowed

    revision = await world.revision()

    await subjects.erase(world.account, UserId(AGENT), "request-1", "node-1", 1)

    assert before
    question, past = Question(AGENT, "read", PRODUCT, "p1"), Freshness(exact=revision)
    (fresh,) = await world.use.check(world.account, [question], Asked(freshness=Freshness(fully=True)))
    (old,) = await world.use.check(world.account, [question], Asked(freshness=past))
    assert fresh.decided.reason == old.decided.reason == "UNKNOWN_USER", "history is rewritten"
    assert (fresh.redacted, old.redacted) == (False, True)
    assert fresh.revision == revision + 1


async def test_a_person_is_shown_everything_that_is_held(world: World, subjects: SqlSubjects) -> None:
    async def exported(user: int) -> list[tuple[str, bool, dict[str, Any]]]:
        found = [r async for r in subjects.export(world.account, UserId(user))]
        return [(r.category, r.third_party, dict(r.values)) for r in found]

    manager, agent = await exported(MANAGER), await exported(AGENT)

    assert (
        "users",
        False,
        {"role": "agent", "custom_role_id": None, "groups": [7], "organization": 9},
    ) in manager
    assert [(c, t) for c, t, _ in manager].count(("relationships", False)) == 2
    assert [(c, t) for c, t, _ in agent] == [
        ("relationships", False),
        ("relationships", True),
        ("users", False),
        ("past_relationships", False),
        ("change_log", False),
        ("decision_log", False),
        ("decision_log", True),
    ]
    assert agent[1][2]["source"] == f"zen:user:{MANAGER}"
    assert agent[5][2]["object_type"] == PRODUCT


async def test_other_accounts_keep_their_person_of_the_same_id(
    world: World, subjects: SqlSubjects, database: Database
) -> None:
    other = await World.fresh(SqlStore(database), AccountId(f"acc-{next(_ACCOUNTS)}"))
    await other.use.sync_users(other.account, [User(AGENT, "agent")], (), complete=False)

    await subjects.erase(world.account, UserId(AGENT), "request-1", "node-1", 1)

    assert [c.erased for c in await subjects.preview(other.account, UserId(AGENT)) if c.table == "users"] == [
        1
    ]
