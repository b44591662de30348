"""Lists agree with checks: what is listed is allowed, what is not listed is not (facts: policy §7.4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.decision.rows import ACTIONS, User
from services.policy.app.asked import Asked, Freshness, Question
from services.policy.app.list_everything_of import START, shown
from services.policy.app.ports import OBJECT, RELATIONSHIP
from services.policy.domain.errors import RevisionUnknownError
from services.policy.tests.unit.strategies import PATCHES
from services.policy.tests.world import PRODUCT, USERS, K, L, World

ANY = Asked()
RECORDS = ("p1", "p2", "P3", "a:b", "ä")


def asking(user: int, action: str = "", record: str = "", kind: str = PRODUCT) -> Question:
    return Question(user, action, kind, record)


async def resources(world: World, user: int, action: str, limit: int = 2, kind: str = PRODUCT) -> Any:
    """Return every record, page by page; None = all records."""
    found: list[str] = []
    asked = ANY
    while True:
        after, question = found[-1] if found else "", asking(user, action, kind=kind)
        page = await world.use.resources(world.account, question, asked, after=after, limit=limit)
        if page.every:
            return None
        assert len(page.ids) <= limit
        found += page.ids
        if not page.more:
            return found
        asked = Asked(freshness=Freshness(exact=page.revision, now=page.now))


async def subjects(world: World, action: str, record: str, limit: int = 2) -> list[int]:
    found: list[int] = []
    asked = ANY
    while True:
        after, question = found[-1] if found else 0, asking(0, action, record)
        page = await world.use.subjects(world.account, question, asked, after=after, limit=limit)
        found += page.ids
        if not page.more:
            return found
        asked = Asked(freshness=Freshness(exact=page.revision, now=page.now))


async def everything(
    world: World, user: int, limit: int = 3, between: Callable[[], Awaitable[object]] | None = None
) -> list[str]:
    found: list[str] = []
    after, more, asked = START, True, ANY
    while more:
        page = await world.use.everything(world.account, user, asked, after=after, limit=limit)
        more = page.more
        assert len(page.rights) <= limit
        found += map(shown, page.rights)
        if more:
            after = page.rights[-1]
            asked = Asked(freshness=Freshness(exact=page.revision, now=page.now))
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


async def test_a_list_is_of_one_revision_whatever_is_written_meanwhile() -> None:
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

    assert found == [f"product/p{n}/{action}" for n in range(10, 40) for action in ("read", "update")]


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
    assert await world.use.actions(world.account, asking(99, record="p1"), ANY) == []


async def test_the_acting_persons_role_counts_in_lists() -> None:
    world = await World.fresh()
    await world.patch({"rbac": {"end_user": {"read": True}}})
    stranger = Asked(User(99, "end_user"))

    page = await world.use.resources(world.account, asking(99, "read"), stranger, after="", limit=5)
    listed = await world.use.everything(world.account, 99, stranger, after=START, limit=5)

    assert page.every
    assert [shown(right) for right in listed.rights] == ["product/*/read"]
    assert await world.use.actions(world.account, asking(99, record="p1"), stranger) == ["read"]


async def test_lists_wait_for_a_tokens_write_too() -> None:
    world = await World.fresh()
    ahead = Asked(freshness=Freshness(at_least=await world.revision() + 1))
    use, account = world.use, world.account

    with pytest.raises(RevisionUnknownError):
        await use.resources(account, asking(1, "read"), ahead, after="", limit=5)
    with pytest.raises(RevisionUnknownError):
        await use.subjects(account, asking(0, "read"), ahead, after=0, limit=5)
    with pytest.raises(RevisionUnknownError):
        await use.actions(account, asking(1), ahead)


async def test_lint_reads_the_accounts_policies_and_roles() -> None:
    world = await World.fresh()
    await world.patch({"rbac": {"custom": {"8237": {}, "4": {}}}, "rebac": {K: {"end_user": {"read": True}}}})

    found = [(w.code, w.type) for w in await world.use.lint(world.account)]

    assert found == [("UNUSED_CUSTOM_ROLE", PRODUCT), ("AGENTS_MAY_GRANT", K)]
