"""What an account may set, and what it does: lenient patches, history, the log."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from libs.kernel.errors import EtagMismatchError, InvalidRequestError
from services.policy.app.asked import Asked, Freshness, Question
from services.policy.app.ports import AccountSettings
from services.policy.domain.errors import PermissionsInvalidError, RevisionNotKeptError
from services.policy.tests.served import PARENT, Served, code_of, refusal, serving
from services.policy.tests.world import PRODUCT, USERS, K, World, letters
from setlist.policy.v1 import policy_resources_pb2 as resources
from setlist.policy.v1 import policy_service_pb2 as messages

NAME = f"{PARENT}/policySettings"
S1 = {
    "rbac": {
        "agent": {"end_user": True, "read": True, "update": False, "delete": False},
        "custom": {"8237": {"create": False, "read": True, "update": True, "delete": False}},
    },
    "rebac": {K: {"end_user": {"update": True}, "custom": {"8237": {"read": True, "update": False}}}},
}
S1_LENIENT = {
    "rbac": {
        "admin": {"create": True, "delete": True, "read": True, "update": True},
        "agent": {"create": True, "delete": False, "read": True, "update": False},
        "custom": {"8237": {"create": False, "delete": False, "read": True, "update": True}},
        "end_user": {"create": False, "delete": False, "read": False, "update": False},
    },
    "rebac": {
        K: {
            "admin": {"read": True, "update": True},
            "agent": {"read": False, "update": False},
            "custom": {"8237": {"read": True, "update": False}},
            "end_user": {"read": False, "update": True},
        }
    },
}
SLIP = "/data/rbac/agent/end_user"


@pytest_asyncio.fixture
async def served() -> AsyncIterator[Served]:
    async with serving(await World.fresh()) as found:
        yield found


async def put(world: World, **given: Any) -> AccountSettings:
    settings, _ = await world.use.settings.update(world.account, given)
    return settings


def patch(data: object) -> messages.UpdatePermissionsRequest:
    name = f"{PARENT}/objectTypes/{PRODUCT}"
    return messages.UpdatePermissionsRequest(name=name, merge_patch_json=json.dumps(data))


async def test_s1_lenient_ignores_the_slip_and_names_it(served: Served) -> None:
    """Golden: facts/policy §2.1, and the decisions of §2.2 after it."""
    admin = served.person(1, "admin")
    code, reason, fields = await refusal(served.stub.UpdatePermissions(patch(S1), metadata=admin))
    assert (code, reason, fields) == ("INVALID_ARGUMENT", "PERMISSIONS_INVALID", [SLIP])
    await put(served.world, lenient_patches=True)

    answer = await served.stub.UpdatePermissions(patch(S1), metadata=admin)

    assert json.loads(answer.permissions_json) == S1_LENIENT
    assert list(answer.ignored) == [SLIP]
    await served.world.relate(2, "p1")
    await served.world.relate(5, "p1")
    rights = {name: await served.world.rights(user.id, "p1") for name, user in USERS.items()}
    assert (rights["admin"], rights["agent"], rights["agent8237"]) == ("TTTT", "TTFF", "FTTF")
    assert (rights["agent9001"], rights["end_user"], rights["end_user8237"]) == ("TTFF", "FFTF", "FFFF")


async def test_lenient_is_about_unknown_members_only() -> None:
    world = await World.fresh()
    await put(world, lenient_patches=True)

    bad_ones: list[Any] = [
        {"rbac": {"agent": {"read": 1}}},
        {"rebac": {"ghost": {}}},
        {"rbac": {"custom": {"x": {}}}},
        {"rbac": []},
    ]
    for bad in bad_ones:
        with pytest.raises(PermissionsInvalidError):
            await world.patch(bad)
    revision = await world.revision()
    await world.patch({"rbac": {"owner": {}}, "more": 1})
    assert await world.revision() == revision, "what is ignored makes no revision"


async def test_settings_are_read_by_staff_changed_by_admins_and_counted(served: Served) -> None:
    admin, agent, end_user = (
        served.person(n, role) for n, role in ((1, "admin"), (2, "agent"), (5, "end_user"))
    )
    get = messages.GetPolicySettingsRequest(name=NAME)

    def update(*paths: str, etag: str = "", validate_only: bool = False, **fields: Any) -> Any:
        settings = resources.PolicySettings(name=NAME, etag=etag, **fields)
        request = messages.UpdatePolicySettingsRequest(settings=settings, validate_only=validate_only)
        request.update_mask.paths.extend(paths)
        return request

    assert await code_of(served.stub.GetPolicySettings(get, metadata=end_user)) == "PERMISSION_DENIED"
    first = (await served.stub.GetPolicySettings(get, metadata=agent)).settings
    assert (first.history_days, first.log_days, first.log_share, first.etag) == (30, 30, 1.0, "0")
    one = update("log_share", "audited_types", log_share=0.5, audited_types=["*"], history_days=9)
    assert await code_of(served.stub.UpdatePolicySettings(one, metadata=agent)) == "PERMISSION_DENIED"
    revision = await served.world.revision()
    changed = await served.stub.UpdatePolicySettings(one, metadata=admin)
    assert (changed.settings.log_share, changed.settings.history_days) == (0.5, 30), "the mask counts"
    assert (changed.settings.etag, await served.world.revision()) == ("1", revision + 1)
    again = await served.stub.UpdatePolicySettings(one, metadata=admin)
    assert (again.settings, again.token) == (changed.settings, changed.token)
    dry = update("log_days", log_days=9, validate_only=True)
    assert (await served.stub.UpdatePolicySettings(dry, metadata=admin)).settings.log_days == 9
    assert (await served.stub.GetPolicySettings(get, metadata=admin)).settings == changed.settings

    stale = update("log_days", log_days=9, etag="0")
    assert (await refusal(served.stub.UpdatePolicySettings(stale, metadata=admin)))[:2] == (
        "ABORTED",
        "ETAG_MISMATCH",
    )
    out_of_range: dict[str, Any] = {
        "history_days": 0,
        "log_days": 366,
        "log_share": 1.5,
        "audited_types": ["x"] * 101,
    }
    for field, value in out_of_range.items():
        code, reason, fields = await refusal(
            served.stub.UpdatePolicySettings(update(field, **{field: value}), metadata=admin)
        )
        assert (code, reason, fields) == ("INVALID_ARGUMENT", "INVALID_REQUEST", [f"settings.{field}"])
    unknown = await refusal(served.stub.UpdatePolicySettings(update("colour"), metadata=admin))
    assert unknown == ("INVALID_ARGUMENT", "INVALID_REQUEST", ["update_mask"])


@pytest.mark.parametrize("value", [float("nan"), -0.1, float("inf")])
async def test_a_share_is_a_number_of_0_to_1(value: float) -> None:
    world = await World.fresh()

    with pytest.raises(InvalidRequestError):
        await put(world, log_share=value)
    with pytest.raises(EtagMismatchError):
        await world.use.settings.update(world.account, {"log_share": 0.5}, "7")


async def test_the_past_is_kept_as_long_as_the_account_says() -> None:
    world = await World.fresh()
    await put(world, history_days=2)
    old = await world.revision()
    world.clock.advance(timedelta(days=1))
    await world.patch({"rbac": {"agent": {"read": False}}})
    young = await world.revision()
    world.clock.advance(timedelta(days=1, hours=1))
    await world.patch({"rbac": {"agent": {"read": True}}})

    async def asked(revision: int) -> str:
        question = [Question(2, "read", PRODUCT, "p1")]
        return letters(
            await world.use.check(world.account, question, Asked(freshness=Freshness(exact=revision)))
        )

    await world.use.sweep()
    assert await asked(old) == "T", "it was the present one two days ago"
    world.clock.advance(timedelta(days=1))
    await world.use.sweep()
    with pytest.raises(RevisionNotKeptError) as caught:
        await asked(old)
    assert caught.value.metadata == {"oldest": str(young)}
    assert await asked(young) == "F"
    world.clock.advance(timedelta(days=99))
    await world.use.sweep()
    assert letters(await world.use.check(world.account, [Question(2, "read", PRODUCT, "p1")])) == "T"
