"""Checks: one, many, with a token, with a role from the caller's token, and in the log."""

from __future__ import annotations

from datetime import timedelta

import pytest

from libs.decision.rows import User
from libs.kernel.errors import InvalidRequestError
from libs.kernel.ids import AccountId
from services.policy.app.asked import Asked, Freshness, Question
from services.policy.app.ports import OBJECT
from services.policy.app.tokens import ConsistencyTokens
from services.policy.domain.errors import RevisionUnknownError
from services.policy.tests.world import ACCOUNT, PRODUCT, K, World, letters


async def test_a_batch_answers_every_question_in_order_duplicates_too() -> None:
    world = await World.fresh()
    await world.patch({"rebac": {K: {"end_user": {"read": True}}}})
    await world.relate(5, "p1")
    questions = [
        Question(5, "read", PRODUCT, "p1"),
        Question(5, "read", PRODUCT, "p2"),
        Question(5, "read", PRODUCT, "p1"),
        Question(99, "read", PRODUCT, "p1"),
        Question(1, "read", "ghost", "p1"),
        Question(2, "delete", PRODUCT, "p1"),
    ]

    answers = await world.use.check(world.account, questions)

    assert letters(answers) == "TFTFFT"
    assert [a.decided.reason for a in answers] == [
        f"REBAC:{K}",
        "NO_RULE_ALLOWS",
        f"REBAC:{K}",
        "UNKNOWN_USER",
        "UNKNOWN_TYPE",
        "RBAC",
    ]
    assert {a.revision for a in answers} == {await world.revision()}


async def test_ids_are_never_joined_into_keys() -> None:
    world = await World.fresh()
    await world.patch({"rebac": {K: {"end_user": {"read": True}}}})
    for record in ("b:c", "a|b", "x#y@z/w"):
        await world.relate(5, record)

    asked = ["b:c", "b", ":b:c", "a|b", "a", "x#y@z/w", "y@z/w"]
    answers = await world.use.check(world.account, [Question(5, "read", PRODUCT, r) for r in asked])

    assert letters(answers) == "TFFTFTF"


async def test_t16_only_a_relationship_from_the_user_counts() -> None:
    world = await World.fresh()
    await world.patch({"rebac": {K: {"end_user": {"read": True}}}}, key=PRODUCT)
    await world.relate("zen:ticket:5", "p1", "ticket_to_product")
    await world.relate(7, "p1")
    async with world.store.transaction(world.account) as tx:
        await tx.relate([world.row("p1", "zen:user:5")])

    assert not (await world.ask(5, "read")).decided.allowed
    assert (await world.ask(7, "read")).decided.allowed


async def test_t21_a_relationship_ends_by_deletion_and_by_its_expiry() -> None:
    world = await World.fresh()
    await world.patch({"rebac": {K: {"end_user": {"read": True}}}})
    row = await world.relate(5, "p1")
    await world.relate(5, "p2", expires_at=world.clock.now() + timedelta(hours=1))
    assert await world.rights(5, "p1") == await world.rights(5, "p2") == "FTFF"

    await world.use.write_relationships.delete(world.account, row.id, None, validate_only=False)
    world.clock.advance(timedelta(hours=1))

    assert await world.rights(5, "p1") == await world.rights(5, "p2") == "FFFF"


async def test_the_acting_persons_role_is_the_one_of_his_token() -> None:
    world = await World.fresh()
    await world.patch({"rbac": {"end_user": {"read": True}}})
    stranger = User(777, "end_user")
    demoted = User(1, "end_user")

    assert (await world.ask(777, "read")).decided.reason == "UNKNOWN_USER"
    assert (await world.ask(777, "read", acting=stranger)).decided.reason == "RBAC"
    assert (await world.ask(1, "delete")).decided.allowed
    assert not (await world.ask(1, "delete", acting=demoted)).decided.allowed
    assert (await world.ask(2, "delete", acting=demoted)).decided.allowed, "of others the directory tells"


async def test_object_and_relationship_types_are_two_name_spaces() -> None:
    world = await World.fresh()
    await world.use.types.create(world.account, OBJECT, K)
    await world.patch({"rbac": {"agent": None, "end_user": {"create": True}}}, key=K)

    assert (await world.ask(5, "create", "", K)).decided.allowed
    assert not (await world.ask(5, "create", "", f"relationship:{K}")).decided.allowed
    assert (await world.ask(5, "create", "", "relationship:product")).decided.reason == "UNKNOWN_TYPE"
    assert (await world.ask(2, "create", "", "user_to_car")).decided.allowed, "no object type has this key"


async def test_a_token_asks_for_at_least_its_write() -> None:
    world = await World.fresh()
    now = await world.revision()
    question = [Question(1, "read", PRODUCT)]

    await world.use.check(world.account, question, Asked(freshness=Freshness(at_least=now)))
    with pytest.raises(RevisionUnknownError):
        await world.use.check(world.account, question, Asked(freshness=Freshness(at_least=now + 1)))


def test_a_token_is_read_by_every_replica_with_the_key_and_tells_its_revision() -> None:
    tokens, other = ConsistencyTokens(b"key"), ConsistencyTokens(b"key")
    token = tokens.token(ACCOUNT, 42)

    assert other.revision(ACCOUNT, token) == 42
    assert token.split(".")[1] == "42"


@pytest.mark.parametrize("token", ["zt1.", "zt2.²", "zt2.-1", "1", "zt2.1", "zt2.1 ", "zt2." + "9" * 5000])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidRequestError):
        ConsistencyTokens(b"key").revision(ACCOUNT, token)


def test_a_token_that_was_changed_or_is_anothers_is_refused() -> None:
    tokens = ConsistencyTokens(b"key")
    token = tokens.token(ACCOUNT, 42)

    for forged in (token.replace("42", "43"), token[:-1] + ("A" if token[-1] != "A" else "B")):
        with pytest.raises(InvalidRequestError):
            tokens.revision(ACCOUNT, forged)
    with pytest.raises(InvalidRequestError):
        tokens.revision(AccountId("acc-2"), token)
    with pytest.raises(InvalidRequestError):
        ConsistencyTokens(b"another").revision(ACCOUNT, token)


async def test_every_decision_is_logged_with_its_reason_newest_first() -> None:
    world = await World.fresh()
    await world.ask(5, "read", "p1")
    await world.ask(1, "delete", "p2")
    await world.ask(5, "update", "p3")

    first, more = await world.use.read_log(world.account, None, before="", limit=2)
    rest, no_more = await world.use.read_log(world.account, None, before=first[-1].id, limit=2)
    of_one, _ = await world.use.read_log(world.account, 5, before="", limit=10)

    assert (more, no_more) == (True, False)
    assert [(r.user_id, r.action, r.record, r.allowed, r.reason) for r in [*first, *rest]] == [
        (5, "update", "p3", False, "NO_RULE_ALLOWS"),
        (1, "delete", "p2", True, "RBAC"),
        (5, "read", "p1", False, "NO_RULE_ALLOWS"),
    ]
    assert [r.record for r in of_one] == ["p3", "p1"]
    assert {r.revision for r in of_one} == {await world.revision()}
