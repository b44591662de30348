"""Lists agree with checks: what is listed is allowed, what is not listed is not (facts: policy §7.4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.policy.app.check import Asked
from services.policy.app.facts import Question
from services.policy.app.list_everything_of import START, shown
from services.policy.app.lookup_subjects import LookupSubjects
from services.policy.app.ports import OBJECT, RELATIONSHIP
from services.policy.domain.decide import ACTIONS, User
from services.policy.domain.errors import RevisionAheadError
from services.policy.tests.unit.strategies import PATCHES
from services.policy.tests.world import PRODUCT, USERS, K, L, World

ANY = Asked()
RECORDS = ("p1", "p2", "P3", "a:b", "ä")


async def resources(world: World, user: int, action: str, limit: int = 2, kind: str = PRODUCT) -> Any:
    """Return every record, page by page; None = all records."""
    found: list[str] = []
    while True:
        after = found[-1] if found else ""
        page = await world.use.resources(world.account, user, action, kind, ANY, after=after, limit=limit)
        if page.all_records:
            return None
        assert len(page.ids) <= limit
        found += page.ids
        if not page.more:
            return found


async def subjects(world: World, action: str, record: str, limit: int = 2) -> list[int]:
    lookup = LookupSubjects(world.store, world.clock, chunk=3)
    found: list[int] = []
    while True:
        after = found[-1] if found else 0
        page = await lookup(world.account, action, PRODUCT, record, ANY, after=after, limit=limit)
        found += page.ids
        if not page.more:
            return found


async def everything(
    world: World, user: int, limit: int = 3, between: Callable[[], Awaitable[object]] | None = None
) -> list[str]:
    found: list[str] = []
    after, more = START, True
    while more:
        rights, more = await world.use.everything(world.account, user, None, after=after, limit=limit)
        assert len(rights) <= limit
        found += map(shown, rights)
        if more:
            after = rights[-1]
            if between is not None:
                await between()
    return found


@settings(max_examples=30, deadline=None)
@given(
    st.lists(PATCHES, max_size=3),
    st.sets(st.tuples(st.integers(1, 8), st.sampled_from([K, L]), st.sampled_from(RECORDS)), max_size=12),
)
async def test_lists_hold_exactly_what_checks_allow(
    patches: list[Any], related: set[tuple[int, str, str]]
) -> None:
    world = await World.fresh()
    for patch in patches:
        await world.patch(patch)
    for user, key, record in sorted(related):
        await world.relate(user, record, key)
    users = [*(u.id for u in USERS.values()), 8]
    questions = [
        Question(user, action, PRODUCT, record) for user in users for action in ACTIONS for record in RECORDS
    ]
    answers = await world.use.check(world.account, questions)
    allowed = {
        (q.user, q.action, q.record) for q, a in zip(questions, answers, strict=True) if a.decided.allowed
    }

    for user in users:
        rights = set(await everything(world, user))
        for action in ACTIONS:
            expected = sorted(r for r in RECORDS if (user, action, r) in allowed)
            records = await resources(world, user, action)
            assert expected == (sorted(RECORDS) if records is None else records)
            assert (f"product/*/{action}" in rights) == (records is None)
            listed = {f"product/{record}/{action}" for record in records or ()}
            assert listed == {r for r in rights if r.startswith("product/") and r.endswith(f"/{action}")} - {
                f"product/*/{action}"
            }
    for action in ACTIONS:
        for record in RECORDS:
            assert await subjects(world, action, record) == [
                u for u in users if (u, action, record) in allowed
            ]


async def test_a_list_goes_on_where_it_was_whatever_is_written_meanwhile() -> None:
    world = await World.fresh()
    await world.patch(
        {"rebac": {K: {"end_user": {"read": True, "update": True}}, L: {"end_user": {"read": True}}}}
    )
    for number in range(10, 40):
        await world.relate(5, f"p{number}")
    numbers = iter(range(1000))

    async def meddle() -> None:
        number = next(numbers)
        await world.relate(5, f"a{number}")
        await world.relate(5, f"p{10 + number}", L)

    found = await everything(world, 5, 3, meddle)  # a page ends between the two rights on one record

    expected = [f"product/p{n}/{action}" for n in range(10, 40) for action in ("read", "update")]
    assert [right for right in found if right.startswith("product/p")] == expected
    assert len(found) == len(set(found))


async def test_everything_of_a_user_names_both_kinds_of_types_apart() -> None:
    world = await World.fresh()
    await world.use.types.create(world.account, OBJECT, K)
    for kind, key in ((OBJECT, PRODUCT), (OBJECT, "car"), (OBJECT, K), (RELATIONSHIP, L)):
        await world.patch({"rbac": {"end_user": {"read": key in (K, L)}}}, kind=kind, key=key)
    await world.patch({"rbac": {"end_user": {"create": True}}}, kind=RELATIONSHIP, key=K)
    await world.patch({"rebac": {K: {"end_user": {"update": True}}}})
    await world.relate(5, "p1")

    assert await everything(world, 5, 2) == [
        "product/p1/update",
        f"relationship:{L}/*/read",
        f"relationship:{K}/*/create",
        f"{K}/*/read",
    ]


async def test_expired_relationships_are_in_no_list() -> None:
    world = await World.fresh()
    await world.patch({"rebac": {K: {"end_user": {"read": True}}}})
    await world.relate(5, "p1", expires_at=world.clock.now() + timedelta(hours=1))
    assert await resources(world, 5, "read") == ["p1"]
    assert 5 in await subjects(world, "read", "p1")

    world.clock.advance(timedelta(hours=1))

    assert await resources(world, 5, "read") == []
    assert 5 not in await subjects(world, "read", "p1")
    assert await everything(world, 5) == []


async def test_unknown_users_and_types_have_empty_lists() -> None:
    world = await World.fresh()

    assert await resources(world, 99, "read") == []
    assert await resources(world, 1, "read", kind="ghost") == []
    assert await everything(world, 99) == []
    assert await world.use.actions(world.account, 99, PRODUCT, "p1", ANY) == []


async def test_the_acting_persons_role_counts_in_lists() -> None:
    world = await World.fresh()
    await world.patch({"rbac": {"end_user": {"read": True}}})
    stranger = Asked(User(99, "end_user"))

    page = await world.use.resources(world.account, 99, "read", PRODUCT, stranger, after="", limit=5)
    rights, _ = await world.use.everything(world.account, 99, stranger.acting, after=START, limit=5)

    assert page.all_records
    assert [shown(right) for right in rights] == ["product/*/read"]
    assert await world.use.actions(world.account, 99, PRODUCT, "p1", stranger) == ["read"]


async def test_lists_wait_for_a_tokens_write_too() -> None:
    world = await World.fresh()
    ahead = Asked(at_least=f"zt1.{await world.revision() + 1}")
    use, account = world.use, world.account

    with pytest.raises(RevisionAheadError):
        await use.resources(account, 1, "read", PRODUCT, ahead, after="", limit=5)
    with pytest.raises(RevisionAheadError):
        await use.subjects(account, "read", PRODUCT, "", ahead, after=0, limit=5)
    with pytest.raises(RevisionAheadError):
        await use.actions(account, 1, PRODUCT, "", ahead)


async def test_lint_reads_the_accounts_policies_and_roles() -> None:
    world = await World.fresh()
    await world.patch({"rbac": {"custom": {"8237": {}, "4": {}}}, "rebac": {K: {"end_user": {"read": True}}}})

    found = [(w.code, w.type) for w in await world.use.lint(world.account)]

    assert found == [("UNUSED_CUSTOM_ROLE", PRODUCT), ("AGENTS_MAY_GRANT", K)]
