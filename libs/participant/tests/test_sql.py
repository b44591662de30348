"""Erasing a person: once per request and step, in one account, whole, and provable from the catalogue."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from sqlalchemy import exc, text

from libs.db.engine import Database
from libs.participant.data_map import Strategy
from libs.participant.sql import Place, SqlSubjects, StaleAttemptError, catalogue
from libs.participant.subjects import Count
from libs.participant.tests.people import (
    ACCOUNT,
    ADA,
    BOB,
    DATA_MAP,
    EXPECTED,
    GROUND,
    OTHER,
    PLACES,
)

pytestmark = pytest.mark.integration


def by_place(counts: Sequence[Count]) -> dict[tuple[str, str], tuple[int, int, int]]:
    return {(c.table, c.column): (c.erased, c.pseudonymised, c.retained) for c in counts}


async def number(database: Database, query: str) -> int:
    async with database.transaction(read_only=True) as connection:
        return int((await connection.execute(text(query))).scalar_one())


def present(found: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    return {place: rows for place, rows in found.items() if rows}


async def test_a_preview_counts_what_an_erasure_does_and_changes_nothing(subjects: SqlSubjects) -> None:
    before = await subjects.preview(ACCOUNT, ADA)
    again = await subjects.preview(ACCOUNT, ADA)
    done = await subjects.erase(ACCOUNT, ADA, "r-1", "erase", 1)

    assert by_place(before) == EXPECTED
    assert before == again == done
    assert [c.ground for c in done if c.retained] == [GROUND]
    assert set(by_place(await subjects.preview(ACCOUNT, ADA)).values()) == {(0, 0, 0), (0, 0, 2)}


async def test_nobody_else_and_no_other_account_is_touched(subjects: SqlSubjects, database: Database) -> None:
    bob, other = await subjects.preview(ACCOUNT, BOB), await subjects.preview(OTHER, ADA)
    await subjects.erase(ACCOUNT, ADA, "r-1", "erase", 1)

    assert await subjects.preview(ACCOUNT, BOB) == bob
    assert await subjects.preview(OTHER, ADA) == other
    assert await number(database, "SELECT count(*) FROM routes WHERE agents = '{8}'") == 2


async def test_the_same_request_and_step_give_the_same_answer_and_erase_nothing_again(
    subjects: SqlSubjects, database: Database
) -> None:
    first = await subjects.erase(ACCOUNT, ADA, "r-1", "erase", 1)
    async with database.transaction() as connection:
        await connection.execute(text("INSERT INTO agents VALUES ('acc-1', 7, 'back')"))

    assert await subjects.erase(ACCOUNT, ADA, "r-1", "erase", 1) == first
    assert await number(database, "SELECT count(*) FROM agents WHERE status = 'back'") == 1

    later = await subjects.erase(ACCOUNT, ADA, "r-2", "erase", 1)
    assert by_place(later)[("agents", "")] == (1, 0, 0)
    assert await number(database, "SELECT count(*) FROM agents WHERE status = 'back'") == 0


async def test_a_run_that_was_given_up_for_dead_is_refused(subjects: SqlSubjects) -> None:
    first = await subjects.erase(ACCOUNT, ADA, "r-1", "erase", 1)
    assert await subjects.erase(ACCOUNT, ADA, "r-1", "erase", 3) == first

    for stale in (1, 2):
        with pytest.raises(StaleAttemptError):
            await subjects.erase(ACCOUNT, ADA, "r-1", "erase", stale)
    assert await subjects.erase(ACCOUNT, ADA, "r-1", "erase", 3) == first
    assert await subjects.erase(ACCOUNT, ADA, "r-1", "another step", 1) != first


async def test_two_runs_at_once_erase_once(subjects: SqlSubjects, database: Database) -> None:
    answers = await asyncio.gather(*(subjects.erase(ACCOUNT, ADA, "r-1", "erase", 1) for _ in range(4)))

    assert all(by_place(answer) == EXPECTED for answer in answers)
    assert await number(database, "SELECT count(*) FROM erasures") == 1


async def test_an_erasure_that_fails_half_way_leaves_everything(
    subjects: SqlSubjects, database: Database
) -> None:
    broken = Place("audit", "actor", Strategy.NULL, "actor = :subject", change="id = NULL")
    failing = SqlSubjects(database, [PLACES[0], broken], DATA_MAP)
    before = await subjects.preview(ACCOUNT, ADA)

    with pytest.raises(exc.IntegrityError):
        await failing.erase(ACCOUNT, ADA, "r-1", "erase", 1)

    assert await subjects.preview(ACCOUNT, ADA) == before
    assert await number(database, "SELECT count(*) FROM erasures") == 0


async def test_the_search_finds_what_is_left_without_the_data_map(
    subjects: SqlSubjects, database: Database
) -> None:
    assert present(await subjects.search(ACCOUNT, ADA)) == {
        ("agents", "user_id"): 1,
        ("notes", "requester_id"): 2,
        ("notes", "facts"): 2,
        ("routes", "agents"): 1,
        ("audit", "actor"): 1,
    }
    forgetful = SqlSubjects(database, PLACES[:1], DATA_MAP)  # a service whose list has holes
    await forgetful.erase(ACCOUNT, ADA, "r-1", "erase", 1)
    left = await forgetful.search(ACCOUNT, ADA)

    assert left[("agents", "user_id")] == 0
    assert left[("routes", "agents")] == 1
    assert left[("notes", "facts")] == 2


async def test_after_a_whole_erasure_nothing_is_found_but_in_other_accounts(subjects: SqlSubjects) -> None:
    await subjects.erase(ACCOUNT, ADA, "r-1", "erase", 1)

    assert present(await subjects.search(ACCOUNT, ADA)) == {}
    assert present(await subjects.search(OTHER, ADA)) != {}
    assert present(await subjects.search(ACCOUNT, BOB)) != {}


async def test_a_search_is_not_fooled_by_longer_numbers(subjects: SqlSubjects, database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(text("TRUNCATE agents, routes"))
        await connection.execute(text("DELETE FROM notes WHERE requester_id <> 8 OR account <> 'acc-1'"))
        await connection.execute(text("DELETE FROM audit WHERE id <> 3"))

    assert present(await subjects.search(ACCOUNT, ADA)) == {}


async def test_an_export_shows_a_person_in_a_stable_order(subjects: SqlSubjects) -> None:
    first = [r async for r in subjects.export(ACCOUNT, ADA)]
    second = [r async for r in subjects.export(ACCOUNT, ADA)]
    shown: list[tuple[str, dict[str, Any]]] = [(r.category, dict(r.values)) for r in first]

    assert first == second
    assert shown == [
        ("agents", {"status": "online"}),
        ("notes", {"at": 5, "facts": {"by": "user:7"}}),
        ("notes", {"at": 5, "facts": {"by": 7}}),
        ("audit", {"id": 1}),
    ]
    assert [r.third_party for r in first] == [False, True, True, False]
    assert [r.provided for r in first] == [True, False, False, False]


async def test_the_census_knows_every_column(database: Database) -> None:
    columns = await catalogue(database)

    assert DATA_MAP.census(columns) == []
    assert DATA_MAP.census(columns | {("agents", "nickname")}) == [
        "`agents.nickname` has no verdict in the data map"
    ]
    assert DATA_MAP.census(columns - {("audit", "actor")}) == [
        "`audit.actor` is in the data map but not in the schema"
    ]
