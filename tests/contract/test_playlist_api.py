"""Playlist's status and users API against the real assignment service, member by member (facts: assignment §2.7)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from services.assignment.app.options import AccountOptions
from services.assignment.domain.model import Restrictions
from services.assignment.tests.house import ACCOUNT, HOOK, SUPPORT
from setlist.assignment.v1 import assignment_service_pb2 as messages
from setlist.assignment.v1.assignment_service_pb2_grpc import AssignmentServiceStub
from tests.contract.assignment_over_http import PUBLIC_URL, Served, key, served_assignment

STATUSES, CREATE = "/zendesk/user_statuses/current", "/zendesk/user_statuses/create_many"
ENDED, USERS = "/zendesk/incremental/user_statuses", "/zendesk/users"
BEGIN = "2026-01-05T09:00:00.000Z"


@pytest_asyncio.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with served_assignment(tmp_path) as one:
        await one.house.sync(ACCOUNT, HOOK)
        yield one


async def use(served: Served, **values: Any) -> None:
    await served.house.queues.change_settings(
        ACCOUNT, "", lambda row: replace(row, options=AccountOptions(**values)), validate_only=False
    )


async def create(served: Served, *pairs: tuple[int, str], **more: Any) -> Any:
    body = {"user_statuses": [{"user_id": user, "status": status} for user, status in pairs], **more}
    return await served.http.post(CREATE, json=body, headers=key())


async def test_current_statuses_are_listed_and_shown(served: Served) -> None:
    served.house.clock.advance(timedelta(seconds=83, milliseconds=18))
    await served.house.absences.set_statuses(ACCOUNT, {2: "online"}, 9)

    listed = await served.http.get(STATUSES, headers=key())
    shown = await served.http.get("/zendesk/users/2/statuses/current", headers=key())
    missing = await served.http.get("/zendesk/users/404/statuses/current", headers=key())

    two = {"user_id": 2, "status": "online", "updated_at": "2026-01-05T09:01:23.018Z", "updated_by": 9}
    rest = [{"user_id": n, "status": "away", "updated_at": BEGIN, "updated_by": None} for n in (1, 3, 9)]
    assert listed.status_code == shown.status_code == 200
    assert listed.headers["cache-control"] == "no-store"
    assert listed.json() == {"user_statuses": [rest[0], two, *rest[1:]]}
    assert shown.json() == {"user_status": two}
    assert (missing.status_code, missing.json()["reason"]) == (404, "NOT_FOUND")


async def test_statuses_are_set_for_all_or_for_none(served: Served) -> None:
    await use(served, statuses=("lunch",), role_statuses=(("agent", ("online",)),))

    done = await create(served, (2, "lunch"), (1, "online"), notify_app=True)
    unknown = await create(served, (1, "away"), (404, "away"))
    nonsense = await create(served, (1, "away"), (2, "lunsh"))
    twice = await create(served, (1, "away"), (1, "lunch"))
    now = (await served.http.get(STATUSES, headers=key())).json()["user_statuses"]

    assert done.status_code == 200
    assert done.json()["user_statuses"] == [
        {"user_id": 2, "status": "lunch", "updated_at": BEGIN, "updated_by": None},
        {"user_id": 1, "status": "online", "updated_at": BEGIN, "updated_by": None},
    ]
    assert (unknown.status_code, "`404`" in unknown.json()["detail"]) == (404, True)
    assert (nonsense.status_code, twice.status_code) == (422, 422)
    assert "name it in the account's `statuses`" in nonsense.json()["detail"]
    assert [row["status"] for row in now] == ["online", "lunch", "away", "away"]


async def test_a_history_is_exported_page_by_page_and_goes_on_later(served: Served) -> None:
    for status in ("online", "away"):
        served.house.clock.advance(timedelta(seconds=90, milliseconds=500))
        await create(served, (1, status), (2, status))
    first = (await served.http.get(ENDED, headers=key())).json()
    late = (await served.http.get(f"{ENDED}?start_time={first['end_time']}", headers=key())).json()
    again = (await served.http.get(ENDED, params={"cursor": first["cursor"]}, headers=key())).json()
    served.house.clock.advance(timedelta(seconds=10))
    await served.house.absences.set_statuses(ACCOUNT, {2: "invisible"}, 9)
    more = (await served.http.get(ENDED, params={"cursor": again["cursor"]}, headers=key())).json()

    ends = ["2026-01-05T09:01:30.500Z", "2026-01-05T09:03:01.000Z"]
    whole = [
        {
            "id": 2 * turn + user, "user_id": user, "status": status, "duration_in_seconds": 90,
            "updater_id": None, "started_at": began, "ended_at": ends[turn],
        }
        for turn, (status, began) in enumerate((("away", BEGIN), ("online", ends[0])))
        for user in (1, 2)
    ]  # fmt: skip
    assert first["user_statuses"] == whole
    assert list(first) == ["user_statuses", "end_time", "end_of_stream", "cursor", "next_page"]
    assert (first["end_of_stream"], first["next_page"]) == (True, None)
    assert late["user_statuses"] == whole[2:]
    assert (again["user_statuses"], again["end_time"], again["end_of_stream"]) == ([], None, True)
    assert [(row["id"], row["user_id"], row["status"]) for row in more["user_statuses"]] == [(5, 2, "away")]


async def test_a_long_history_has_pages_of_3000_with_the_address_of_the_next(served: Served) -> None:
    async with served.house.store.transaction(ACCOUNT) as tx:
        for n in range(3001):
            at = served.house.clock.advance(timedelta(seconds=1))
            await tx.directory.set_statuses({1: "away" if n % 2 else "online"}, at)

    first = (await served.http.get(ENDED, headers=key())).json()
    address = first["next_page"]
    assert address == f"{PUBLIC_URL}{ENDED}?cursor={first['cursor']}"
    rest = (await served.http.get(address.removeprefix(PUBLIC_URL), headers=key())).json()

    assert [row["id"] for row in first["user_statuses"]] == list(range(1, 3001))
    assert [row["id"] for row in rest["user_statuses"]] == [3001]
    assert (first["end_of_stream"], rest["end_of_stream"]) == (False, True)


async def test_a_cursor_that_is_none_is_refused(served: Served) -> None:
    await create(served, (1, "online"))
    cursor = (await served.http.get(ENDED, headers=key())).json()["cursor"]

    for headers, given in ((key(), "MTYyNDIwMTgyMy45NzZ8fDE0NDczMjN8"), (key("stranger"), cursor)):
        answer = await served.http.get(ENDED, params={"cursor": given}, headers=headers)
        assert (answer.status_code, [f["field"] for f in answer.json()["fields"]]) == (400, ["cursor"])


async def test_users_are_listed_with_what_they_have_of_their_own(served: Served) -> None:
    await use(served, idle_minutes=60, idle_status="invisible")
    changed = await served.http.put(
        f"{USERS}?ids=2,1",
        json={
            "user": {"inbox_limit": 3, "daily_limit": 150, "idle_timeout_enabled": True, "idle_timeout": 30}
        },
        headers=key(),
    )
    await served.http.put(
        f"{USERS}?ids=2",
        json={"user": {"inbox_limit": None, "idle_timeout_enabled": False}},
        headers=key(),
    )
    listed = (await served.http.get(USERS, headers=key())).json()

    one = {
        "id": 1, "inbox_limit": 3, "daily_limit": 150, "schedule_id": None, "idle_timeout_enabled": True,
        "idle_timeout": 30, "idle_status": "invisible", "manager_id": None,
    }  # fmt: skip
    plain = {
        **one, "id": 3, "inbox_limit": None, "daily_limit": None, "idle_timeout": None,
    }  # fmt: skip
    assert changed.status_code == 200
    assert changed.json() == {"users": [{**one, "id": 2}, one]}
    assert listed == {
        "users": [
            one,
            {**one, "id": 2, "inbox_limit": None, "idle_timeout_enabled": False, "idle_status": None},
            plain,
            {**plain, "id": 9},
        ]
    }


async def test_users_change_all_or_none(served: Served) -> None:
    before = (await served.http.get(USERS, headers=key())).json()

    unknown = await served.http.put(f"{USERS}?ids=1,404", json={"user": {"inbox_limit": 3}}, headers=key())
    timeless = await served.http.put(
        f"{USERS}?ids=1", json={"user": {"idle_timeout_enabled": True}}, headers=key()
    )
    nowhere = await served.http.put(f"{USERS}?ids=1", json={"user": {"schedule_id": 7}}, headers=key())

    assert (unknown.status_code, "`404`" in unknown.json()["detail"]) == (404, True)
    assert (timeless.status_code, nowhere.status_code) == (422, 422)
    assert "the account has no idle rule" in timeless.json()["detail"]
    assert (await served.http.get(USERS, headers=key())).json() == before


async def test_another_account_s_key_sees_and_changes_nothing_here(served: Served) -> None:
    for path in (STATUSES, ENDED):
        assert (await served.http.get(path, headers=key("stranger"))).json()["user_statuses"] == []
    shown = await served.http.get("/zendesk/users/1/statuses/current", headers=key("stranger"))
    body = {"user_statuses": [{"user_id": 1, "status": "online"}]}
    created = await served.http.post(CREATE, json=body, headers=key("stranger"))
    changed = await served.http.put(
        f"{USERS}?ids=1", json={"user": {"inbox_limit": 1}}, headers=key("stranger")
    )

    assert [shown.status_code, created.status_code, changed.status_code] == [404, 404, 404]
    async with served.house.store.transaction(ACCOUNT) as tx:
        row = await tx.directory.agent(1)
    assert row is not None
    assert (row.status, row.inbox_limit) == ("away", None)


async def test_only_users_who_have_the_app_are_listed(served: Served) -> None:
    house = served.house
    house.installations.by_account[ACCOUNT] = Restrictions(groups=frozenset({SUPPORT}))
    house.zendesk.users[2]["suspended"] = True
    await house.sync(ACCOUNT, HOOK)

    listed = (await served.http.get(USERS, headers=key())).json()["users"]
    everybody = (await served.http.get(STATUSES, headers=key())).json()["user_statuses"]

    assert [user["id"] for user in listed] == [1, 9]
    assert [user["user_id"] for user in everybody] == [1, 2, 3, 9]


async def test_a_batch_cannot_reach_into_another_account(served: Served) -> None:
    stub = AssignmentServiceStub(served.rpc.channel())
    changes = [
        messages.UpdateAgentLimitsRequest(name=f"accounts/{account}/agents/1", inbox_limit=1)
        for account in (ACCOUNT, "acc-2")
    ]
    request = messages.BatchUpdateAgentLimitsRequest(parent=f"accounts/{ACCOUNT}", requests=changes)

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.BatchUpdateAgentLimits(request, metadata=served.rpc.token(ACCOUNT, job="edge"))

    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    async with served.house.store.transaction(ACCOUNT) as tx:
        row = await tx.directory.agent(1)
    assert row is not None
    assert row.inbox_limit is None
