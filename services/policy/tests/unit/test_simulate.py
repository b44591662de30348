"""SimulateChange finds what making the change for real would, and stores nothing."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from libs.decision.differences import Flip
from libs.decision.rows import ACTIONS, ObjectRow, RelationshipRow
from libs.kernel.errors import InvalidRequestError, NotFoundError, SetlistError
from services.policy.app.asked import Asked, Freshness, Question
from services.policy.app.ports import OBJECT, RELATIONSHIP
from services.policy.app.simulate_change import Proposal, Simulated
from services.policy.domain.errors import AlreadyExistsError, ExtensionsInvalidError, PermissionsInvalidError
from services.policy.tests.world import PRODUCT, USERS, K, L, World

NOBODYS = "a record that nobody knows of"
RECORDS = ("p1", "p2", "p3", "p4")
ROWS = ("admin", "agent", "end_user")


async def account() -> World:
    """An account with policies, relationships and records; the same one each time."""
    world = await World.fresh()
    await world.patch(
        {
            "rbac": {"agent": {"delete": False}, "custom": {"8237": {"read": True}}},
            "rebac": {K: {"end_user": {"read": True}}},
        }
    )
    for user, record, key in ((5, "p1", K), (5, "p2", L), (2, "p2", K), (7, "p3", L)):
        await world.relate(user, record, key)
    await world.relate(5, "p3", expires_at=world.clock.now() + timedelta(minutes=1))
    await world.use.objects.write(world.account, [ObjectRow(PRODUCT, "p4", {"owner": 5})], ())
    world.clock.advance(timedelta(minutes=2))
    return world


async def simulate(
    world: World, proposal: Proposal, limit: int = 1000, skip: int = 0, **more: Any
) -> Simulated:
    freshness = Freshness(**more) if more else Freshness(fully=True)
    return await world.use.simulate(world.account, proposal, freshness, skip=skip, limit=limit)


async def apply(world: World, proposal: Proposal) -> None:
    """Make the change for real."""
    if proposal.patch_json:
        await world.use.types.update_permissions(
            world.account, proposal.kind, proposal.key, proposal.patch_json
        )
    if proposal.extensions is not None:
        await world.use.types.update_extensions(world.account, proposal.key, proposal.extensions)
    await world.use.write_relationships.batch(world.account, proposal.creates, proposal.deletes, None)


async def every_answer(world: World) -> dict[tuple[int, str, str, str], bool]:
    """Ask everything; of a record that nobody knows, as `*`."""
    names = [PRODUCT, "car", *(f"relationship:{key}" for key in (K, L))]
    asked = [
        Question(user.id, action, name, record)
        for user in USERS.values()
        for name in names
        for record in ((*RECORDS, NOBODYS) if name == PRODUCT else (NOBODYS,))
        for action in ACTIONS
        if action != "create" or record == NOBODYS
    ]
    answers = await world.use.check(world.account, asked, Asked(freshness=Freshness(fully=True)))
    return {
        (q.user, q.object_type, "*" if q.record == NOBODYS else q.record, q.action): a.decided.allowed
        for q, a in zip(asked, answers, strict=True)
    }


def rolled(world: World, seed: int) -> Proposal:
    """Return a change of any kind."""
    dice = random.Random(seed)
    row = {verb: dice.random() < 0.5 for verb in ("read", "update")}
    patch = {
        "rbac": {dice.choice(ROWS): row, "custom": {"8237": dice.choice([None, row])}},
        "rebac": {dice.choice((K, L)): dice.choice([None, {dice.choice(ROWS): row}])},
    }
    rows = [world.row(dice.choice((1, 2, 5, 7)), dice.choice(RECORDS), dice.choice((K, L))) for _ in range(5)]
    policy = {
        "path": [],
        "start": "user",
        "rows": {r: {**dict.fromkeys(ACTIONS, False), "read": True} for r in ROWS},
        "condition": "object.owner == subject.id",
    }
    kinds = dice.sample(["patch", "rows", "extensions"], dice.randint(1, 3))
    return Proposal(
        OBJECT if "patch" in kinds or "extensions" in kinds else "",
        PRODUCT,
        json.dumps(patch) if "patch" in kinds else "",
        {"policies": {"own": policy}} if "extensions" in kinds else None,
        rows[:3] if "rows" in kinds else (),
        rows[3:] if "rows" in kinds else (),
    )


@pytest.mark.parametrize("seed", range(25))
async def test_the_flips_are_those_of_the_change_made_for_real(seed: int) -> None:
    world, real = await account(), await account()
    proposal = rolled(world, seed)
    before = await every_answer(real)
    await apply(real, proposal)
    after = await every_answer(real)
    expected = {Flip(*key, allowed) for key, allowed in after.items() if allowed != before[key]}

    found = await simulate(world, proposal)

    assert set(found.flips) == expected
    assert len(found.flips) == len(expected)
    assert (found.gained, found.lost) == (
        sum(flip.allowed for flip in expected),
        sum(not flip.allowed for flip in expected),
    )
    assert (found.gaining, found.losing) == (
        len({flip.user for flip in expected if flip.allowed}),
        len({flip.user for flip in expected if not flip.allowed}),
    )
    assert not found.more


async def test_nothing_is_stored() -> None:
    world = await account()
    answers, revision = await every_answer(world), await world.revision()
    for seed in range(5):
        await simulate(world, rolled(world, seed))

    assert await world.revision() == revision
    assert await every_answer(world) == answers


async def test_pages_are_of_the_revision_of_the_first_whatever_is_written_meanwhile() -> None:
    world = await account()
    proposal = Proposal(
        OBJECT, PRODUCT, '{"rbac":{"end_user":{"read":true,"update":true},"agent":{"read":false}}}'
    )
    whole = await simulate(world, proposal)
    assert len(whole.flips) > 7
    first = await simulate(world, proposal, limit=3)
    pages = [*first.flips]
    more = first.more
    while more:
        await world.relate(5, f"p{len(pages)}x")
        page = await simulate(world, proposal, limit=3, skip=len(pages), exact=first.revision, now=first.now)
        assert (page.gained, page.lost, page.revision) == (first.gained, first.lost, first.revision)
        pages += page.flips
        more = page.more

    assert tuple(pages) == whole.flips


async def test_a_past_revision_is_simulated_on_as_it_was() -> None:
    world = await account()
    then = await world.revision()
    await world.patch({"rbac": {"end_user": {"read": True}}})
    proposal = Proposal(OBJECT, PRODUCT, '{"rbac":{"end_user":{"read":true}}}')

    assert (await simulate(world, proposal)).gained == 0
    assert (await simulate(world, proposal, exact=then)).gained > 0


async def test_new_holes_are_told_and_old_ones_are_not() -> None:
    world = await account()
    found = await simulate(world, Proposal(OBJECT, PRODUCT, json.dumps({"rebac": {L: {}}})))

    codes = Counter((warning.code, warning.type) for warning in found.warnings)
    assert codes[("AGENTS_MAY_GRANT", L)] == 1
    assert ("AGENTS_MAY_GRANT", K) not in codes


CYCLE = {
    "policies": {
        "p1": {
            "path": [{"type": "none", "up_to": 0}],
            "start": "user",
            "rows": {r: dict.fromkeys(ACTIONS, False) for r in ROWS},
            "condition": "",
        }
    }
}


@pytest.mark.parametrize(
    ("change", "error", "field"),
    [
        (
            {"patch_json": '{"rbac":{"agent":{"reed":true}}}'},
            PermissionsInvalidError,
            "/data/rbac/agent/reed",
        ),
        ({"patch_json": '{"rebac":{"ghost":{}}}'}, PermissionsInvalidError, "/data/rebac/ghost"),
        ({"patch_json": '{"rbac":{},"rbac":{}}'}, InvalidRequestError, "merge_patch_json"),
        ({"patch_json": "["}, InvalidRequestError, "merge_patch_json"),
        ({"extensions": CYCLE}, ExtensionsInvalidError, "policies[p1].path[0].type"),
        ({"key": "ghost", "patch_json": "{}"}, NotFoundError, None),
    ],
)
async def test_what_the_change_would_be_refused_for_is_refused(
    change: dict[str, Any], error: type[SetlistError], field: str | None
) -> None:
    world = await account()
    proposal = replace(Proposal(OBJECT, PRODUCT), **change)

    with pytest.raises(error) as caught:
        await simulate(world, proposal)
    assert [v.field for v in caught.value.violations] == ([field] if field else [])
    with pytest.raises(error) as real:
        await apply(world, proposal)
    assert real.value.violations == caught.value.violations


async def test_relationships_that_do_not_fit_are_refused() -> None:
    world = await account()
    await world.use.types.create(world.account, RELATIONSHIP, "main_car", source="zen:user", target="car")
    await world.relate(5, "c1", "main_car")

    cases: list[tuple[RelationshipRow, type[SetlistError]]] = [
        (world.row(5, "p1", "ghost"), NotFoundError),
        (world.row("p1", "p2"), InvalidRequestError),
        (world.row("zen:user:05", "p2"), InvalidRequestError),
        (world.row(5, "c2", "main_car"), AlreadyExistsError),
    ]
    for row, error in cases:
        with pytest.raises(error):
            await simulate(world, Proposal(creates=[row]))
        with pytest.raises(error):
            await apply(world, Proposal(creates=[row]))
    moved = Proposal(creates=[world.row(5, "c2", "main_car")], deletes=[world.row(5, "c1", "main_car")])
    assert (await simulate(world, moved)).gained == 0
    twice = Proposal(creates=[world.row(7, "c1", "main_car"), world.row(7, "c2", "main_car")])
    with pytest.raises(AlreadyExistsError):
        await simulate(world, twice)


async def test_a_record_that_is_deleted_and_made_anew_stays_a_right() -> None:
    world = await account()
    again = Proposal(creates=[world.row(5, "p1")], deletes=[world.row(5, "p1")])

    found = await simulate(world, again)

    assert (found.gained, found.lost, found.flips) == (0, 0, ())
    assert (await simulate(world, Proposal(deletes=again.deletes))).lost == 1
