"""Which statuses exist, who may choose which, what is kept of them, and idle rules of agents (facts: §2.7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from libs.kernel.errors import InvalidRequestError, NotFoundError, PermissionDeniedError
from services.assignment.app.options import AccountOptions, QueueOptions, plain, typed
from services.assignment.app.status_history import IdleRule
from services.assignment.app.statuses import BUILT_IN, choices, idle_after, statuses_of
from services.assignment.app.update_agent_limits import LimitChange, update_limits
from services.assignment.tests.house import ACCOUNT, House

LIMITS = (("agent", ("online", "away", "lunch")), ("custom/77", ("away", "training")))


async def opened(house: House, **values: Any) -> None:
    """Let agents 1 and 2 be known in an account with options."""
    await house.open(1)
    await house.queues.change_settings(
        ACCOUNT, "", lambda row: replace(row, options=AccountOptions(**values)), validate_only=False
    )


async def history(house: House) -> list[tuple[int, str, int, int | None]]:
    """Return whose which status lasted how many seconds, and who gave it."""
    async with house.store.transaction(ACCOUNT) as tx:
        return [(r.user_id, r.status, r.seconds, r.updater_id) for r in await tx.statuses.page(0, 100)]


def test_statuses_are_the_built_in_ones_and_those_of_the_settings() -> None:
    options = AccountOptions(statuses=("lunch",), ooo_statuses=("away", "holiday"))

    assert statuses_of(AccountOptions()) == list(BUILT_IN)
    assert statuses_of(options) == [*BUILT_IN, "lunch", "holiday"]


@pytest.mark.parametrize(
    ("role", "custom", "expected"),
    [
        ("agent", None, ["online", "away", "lunch"]),
        ("agent", 78, ["online", "away", "lunch"]),
        ("agent", 77, ["away", "training"]),
        ("admin", None, [*BUILT_IN, "lunch", "training"]),
        ("admin", 77, ["away", "training"]),
    ],
)
def test_a_limit_of_the_custom_role_goes_before_one_of_the_role(
    role: str, custom: int | None, expected: list[str]
) -> None:
    options = AccountOptions(statuses=("lunch", "training"), role_statuses=LIMITS)

    assert choices(options, role, custom) == expected
    assert typed(AccountOptions, plain(options)) == options


async def test_every_way_in_which_a_status_changes_is_kept(house: House) -> None:
    await opened(house, idle_minutes=30, statuses=("missed",))
    house.clock.advance(timedelta(minutes=1))
    await house.absences.set_statuses(ACCOUNT, {2: "online"}, 9)
    house.clock.advance(timedelta(minutes=1))
    await house.absences.set_statuses(ACCOUNT, {2: "invisible"}, 2)
    async with house.store.transaction(ACCOUNT) as tx:
        await tx.decisions.lock()
        await house.absences.within(tx, {2: "missed"})
    house.clock.advance(timedelta(minutes=28))
    await house.absences.sweep(ACCOUNT)
    await house.absences.set_statuses(ACCOUNT, {1: "away", 2: "online"}, None)

    assert await history(house) == [
        (1, "away", 0, None),  # as the sync gave it
        (2, "away", 60, None),
        (2, "online", 60, 9),
        (2, "invisible", 0, 2),
        (1, "online", 1800, None),
        (2, "missed", 28 * 60, None),
    ]


@pytest.mark.parametrize(
    ("statuses", "acting", "error", "said"),
    [
        (
            {1: "lunsh"},
            9,
            InvalidRequestError,
            "there is no status `lunsh`: use one of online, away, invisible,",
        ),
        ({1: "away", 404: "away", 405: "away"}, 9, NotFoundError, "no such agent: `404, 405`"),
        (
            {1: "invisible"},
            1,
            PermissionDeniedError,
            "the role `agent` may not choose `invisible`, only online,",
        ),
    ],
)
async def test_what_cannot_be_set_is_refused_and_nothing_changes(
    house: House, statuses: dict[int, str], acting: int, error: type[Exception], said: str
) -> None:
    await opened(house, statuses=("lunch", "training"), role_statuses=LIMITS)
    before = await history(house)

    with pytest.raises(error) as refused:
        await house.absences.set_statuses(ACCOUNT, statuses, acting)

    assert str(refused.value).startswith(said)
    if acting == 1:
        assert "an admin can add it to the role in the account's `role_statuses`" in str(refused.value)
    assert await history(house) == before


async def test_a_limit_binds_a_choice_of_one_s_own_and_not_what_others_set(house: House) -> None:
    await opened(house, statuses=("lunch", "training"), role_statuses=LIMITS)

    assert await house.absences.set_statuses(ACCOUNT, {1: "training"}, 9) == 1
    assert await house.absences.set_statuses(ACCOUNT, {1: "invisible"}, None) == 1
    assert await house.absences.set_statuses(ACCOUNT, {1: "lunch", 2: "training"}, 1) == 2


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"statuses": ("online",)}, "settings.statuses[0]"),
        ({"statuses": ("lunch", "lunch")}, "settings.statuses[1]"),
        ({"role_statuses": (("agent", ("away", "lunch")),)}, "settings.role_statuses[0].statuses"),
        ({"role_statuses": (("agent", ("away",)), ("agent", ("online",)))}, "settings.role_statuses[1]"),
        ({"default_status": "lunch"}, "settings.default_status"),
    ],
)
async def test_settings_that_contradict_themselves_are_refused(
    house: House, values: dict[str, Any], field: str
) -> None:
    await house.open()
    default = values.pop("default_status", "away")

    with pytest.raises(InvalidRequestError) as refused:
        await house.queues.change_settings(
            ACCOUNT,
            "",
            lambda row: replace(row, default_status=default, options=AccountOptions(**values)),
            validate_only=False,
        )

    assert [v.field for v in refused.value.violations] == [field]


async def test_a_queue_gives_no_status_that_does_not_exist(house: House) -> None:
    await opened(house, statuses=("missed",))
    row = await house.queue("q")
    given = replace(row, id="new", options=QueueOptions(missed_status="missed"))
    wrong = QueueOptions(missed_status="gone")

    await house.queues.create(ACCOUNT, given, "", b"", validate_only=False)
    with pytest.raises(InvalidRequestError):
        await house.queues.create(ACCOUNT, replace(given, id="x", options=wrong), "", b"", validate_only=True)
    with pytest.raises(InvalidRequestError) as refused:
        await house.queues.change(
            ACCOUNT, "new", "", lambda q: replace(q, options=wrong), validate_only=False
        )

    assert refused.value.violations[0].field == "queue.missed_status"


async def test_records_are_forgotten_by_the_minute_job_after_thirteen_months(house: House) -> None:
    await opened(house)
    kept = len(await history(house))
    await house.minute(minutes=396 * 24 * 60)
    assert len(await history(house)) == kept
    await house.minute(minutes=1)

    assert await history(house) == []


@pytest.mark.parametrize(
    ("account", "rule", "expected"),
    [
        (30, None, 30),
        (None, None, None),
        (30, IdleRule(False), None),
        (30, IdleRule(None, 60), 60),
        (30, IdleRule(True), 30),
        (None, IdleRule(True, 60), 60),
        (None, IdleRule(None, 60), None),
        (None, IdleRule(True), None),
    ],
)
def test_an_agent_s_own_idle_rule_goes_before_the_account_s(
    account: int | None, rule: IdleRule | None, expected: int | None
) -> None:
    found = idle_after(AccountOptions(idle_minutes=account), rule)

    assert found == (None if expected is None else timedelta(minutes=expected))


async def test_agents_are_set_aside_by_their_own_rules(house: House) -> None:
    await opened(house, idle_status="invisible")
    await house.set_status("online", 2, 9)
    own = {"idle.enabled": True, "idle.timeout_minutes": 45}
    await update_limits(
        house.store, ACCOUNT, [LimitChange(1, own), LimitChange(2, {**own, "idle.enabled": False})]
    )

    house.clock.advance(timedelta(minutes=44))
    assert await house.absences.sweep(ACCOUNT) == 0
    house.clock.advance(timedelta(minutes=1))
    assert await house.absences.sweep(ACCOUNT) == 1

    async with house.store.transaction(ACCOUNT) as tx:
        statuses = {row.user_id: row.status for row in await tx.directory.agents()}
    assert (statuses[1], statuses[2], statuses[9]) == ("invisible", "online", "online")


async def test_limits_change_for_all_or_for_none(house: House) -> None:
    await opened(house)
    good = LimitChange(1, {"inbox_limit": 3, "capacity_units": 7})

    with pytest.raises(NotFoundError):
        await update_limits(house.store, ACCOUNT, [good, LimitChange(404, {"inbox_limit": 3})])
    with pytest.raises(InvalidRequestError) as refused:
        await update_limits(
            house.store, ACCOUNT, [good, LimitChange(2, {"idle.enabled": True}, "requests[1].")]
        )
    assert [v.field for v in refused.value.violations] == ["requests[1].idle.timeout_minutes"]
    async with house.store.transaction(ACCOUNT) as tx:
        row = await tx.directory.agent(1)
        assert await tx.capacities.of_agents() == {}
    assert row is not None
    assert row.inbox_limit is None

    await update_limits(house.store, ACCOUNT, [good, LimitChange(1, {"daily_limit": 4})])
    async with house.store.transaction(ACCOUNT) as tx:
        row = await tx.directory.agent(1)
    assert row is not None
    assert (row.inbox_limit, row.daily_limit) == (3, 4)
