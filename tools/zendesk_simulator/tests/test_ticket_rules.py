"""Rules of tickets that no stranger's client tries."""

from __future__ import annotations

from datetime import timedelta

from tools.zendesk_simulator.tests.machine import ADMIN, AGENT, GROUP, REQUESTER, Machine


async def test_safe_update_false_acts_as_true_and_needs_its_stamp(machine: Machine) -> None:
    ticket = await machine.ticket()
    read = (await machine.call("GET", f"tickets/{ticket}")).json()["ticket"]["updated_at"]
    machine.clock.advance(timedelta(seconds=5))
    await machine.call("PUT", f"tickets/{ticket}", {"ticket": {"priority": "low"}})

    false = {"safe_update": False, "updated_stamp": read, "priority": "high"}
    assert (await machine.call("PUT", f"tickets/{ticket}", {"ticket": false})).status_code == 409
    half = await machine.call("PUT", f"tickets/{ticket}", {"ticket": {"safe_update": True}})
    assert half.status_code == 422
    unsafe = await machine.call("PUT", f"tickets/{ticket}", {"ticket": {"priority": "high"}})
    assert unsafe.status_code == 200


async def test_one_of_many_safe_writers_wins(machine: Machine) -> None:
    ticket = await machine.ticket()
    read = (await machine.call("GET", f"tickets/{ticket}")).json()["ticket"]["updated_at"]
    statuses = []
    for number in range(5):
        machine.clock.advance(timedelta(seconds=1))
        values = {"safe_update": True, "updated_stamp": read, "external_id": str(number)}
        statuses.append((await machine.call("PUT", f"tickets/{ticket}", {"ticket": values})).status_code)

    assert statuses == [200, 409, 409, 409, 409]


async def test_an_assignee_alone_brings_his_default_group(machine: Machine) -> None:
    ticket = await machine.ticket(group_id=None)

    shown = (await machine.call("PUT", f"tickets/{ticket}", {"ticket": {"assignee_id": AGENT}})).json()[
        "ticket"
    ]

    assert (shown["group_id"], shown["assignee_id"], shown["status"]) == (GROUP, AGENT, "open")


async def test_a_custom_status_brings_its_category(machine: Machine) -> None:
    body = {"custom_status": {"status_category": "hold", "agent_label": "At supplier"}}
    made = (await machine.call("POST", "custom_statuses", body)).json()["custom_status"]
    ticket = await machine.ticket()

    changed = await machine.call("PUT", f"tickets/{ticket}", {"ticket": {"custom_status_id": made["id"]}})
    back = await machine.call("PUT", f"tickets/{ticket}", {"ticket": {"status": "pending"}})

    assert changed.json()["ticket"]["status"] == "hold"
    assert back.json()["ticket"]["custom_status_id"] != made["id"]


async def test_a_comment_is_as_public_as_the_first_one(machine: Machine) -> None:
    ticket = await machine.ticket(comment={"body": "secret", "public": False})
    await machine.call("PUT", f"tickets/{ticket}", {"ticket": {"comment": {"body": "more"}}})

    comments = (await machine.call("GET", f"tickets/{ticket}/comments")).json()["comments"]

    assert [c["public"] for c in comments] == [False, False]


async def test_solving_assigns_the_solver(machine: Machine) -> None:
    ticket = await machine.ticket()

    shown = (
        await machine.call("PUT", f"tickets/{ticket}", {"ticket": {"status": "solved"}}, user=AGENT)
    ).json()

    assert shown["ticket"]["assignee_id"] == AGENT


async def test_what_is_closed_for_120_days_is_in_no_list(machine: Machine) -> None:
    ticket = await machine.ticket(status="closed", assignee_id=AGENT)
    machine.clock.advance(timedelta(days=119))
    assert (await machine.call("GET", "tickets/count")).json()["count"]["value"] == 1

    machine.clock.advance(timedelta(days=2))

    assert (await machine.call("GET", "tickets")).json()["tickets"] == []
    assert (await machine.call("GET", f"tickets/{ticket}")).status_code == 200


async def test_a_deletion_schedule_destroys_what_is_archived_and_old(machine: Machine) -> None:
    ticket = await machine.ticket(status="closed", assignee_id=AGENT, subject="old")
    young = {"field": "duration_since_last_update", "operator": "greater_than", "value": "P1Y"}
    body = {
        "deletion_schedule": {"title": "A year", "active": True, "conditions": {"all": [young], "any": []}}
    }
    assert (await machine.call("POST", "deletion_schedules", body)).status_code == 201
    machine.clock.advance(timedelta(days=200))
    assert (await machine.call("GET", f"tickets/{ticket}")).status_code == 200

    machine.clock.advance(timedelta(days=200))

    assert (await machine.call("GET", f"tickets/{ticket}")).status_code == 404
    machine.clock.advance(timedelta(minutes=2))
    (row,) = (await machine.call("GET", "incremental/tickets/cursor?start_time=1")).json()["tickets"]
    assert (row["subject"], row["status"]) == ("SCRUBBED", "deleted")
    assert (await machine.call("GET", "deleted_tickets")).json()["deleted_tickets"] == []


async def test_a_membership_that_goes_gives_the_tickets_back_when_its_job_is_due(machine: Machine) -> None:
    ticket = await machine.ticket(assignee_id=AGENT)
    rows = (await machine.call("GET", f"users/{AGENT}/group_memberships")).json()["group_memberships"]

    gone = await machine.call("DELETE", f"group_memberships/{rows[0]['id']}")
    at_once = (await machine.call("GET", f"tickets/{ticket}")).json()["ticket"]["assignee_id"]
    machine.clock.advance(timedelta(seconds=3))
    later = (await machine.call("GET", f"tickets/{ticket}")).json()["ticket"]

    assert (gone.status_code, at_once) == (204, AGENT)
    assert (later["assignee_id"], later["group_id"], later["status"]) == (None, GROUP, "open")


async def test_a_deleted_user_is_destroyed_after_thirty_days(machine: Machine) -> None:
    assert (await machine.call("DELETE", f"users/{REQUESTER}")).json()["user"]["active"] is False
    machine.clock.advance(timedelta(days=31))

    (row,) = (await machine.call("GET", "deleted_users")).json()["deleted_users"]

    assert (row["name"], row["email"]) == ("Permanently Deleted User", None)
    assert (await machine.call("GET", f"deleted_users/{REQUESTER}")).status_code == 404
    owner = await machine.call("DELETE", f"users/{ADMIN}")
    assert owner.json()["details"]["base"][0]["description"] == "The account owner cannot be deleted"


async def test_thirty_jobs_are_the_most_at_once(machine: Machine) -> None:
    body = {"ticket": {"priority": "low"}}
    answers = [await machine.call("PUT", "tickets/update_many?ids=1", body) for _ in range(31)]

    assert {a.status_code for a in answers[:30]} == {200}
    assert (answers[30].status_code, answers[30].json()["error"]) == (429, "TooManyJobs")
    machine.clock.advance(timedelta(seconds=3))
    assert (await machine.call("PUT", "tickets/update_many?ids=1", body)).status_code == 200


async def test_sla_times_come_when_they_are_asked_for(machine: Machine) -> None:
    slas = {
        "policy_metrics": [
            {"breach_at": "2026-01-01T00:00:00Z", "stage": "active", "metric": "next_reply_time"}
        ]
    }
    await machine.ticket(slas=slas)
    await machine.ticket()

    with_slas = (await machine.call("GET", "tickets?include=slas")).json()["tickets"]
    without = (await machine.call("GET", "tickets?include=None")).json()["tickets"]

    assert [t["slas"] for t in with_slas] == [slas, {"policy_metrics": []}]
    assert all("slas" not in t for t in without)


async def test_triggers_change_tickets_and_each_runs_once(machine: Machine) -> None:
    for title, value in (("Raise", "high"), ("Raise again", "urgent")):
        trigger = {
            "title": title,
            "conditions": {"all": [{"field": "status", "operator": "is", "value": "new"}]},
            "actions": [
                {"field": "priority", "value": value},
                {"field": "current_tags", "value": title.lower()},
            ],
        }
        assert (await machine.call("POST", "triggers", {"trigger": trigger})).status_code == 201

    ticket = await machine.ticket()

    shown = (await machine.call("GET", f"tickets/{ticket}")).json()["ticket"]
    assert (shown["priority"], shown["tags"]) == ("urgent", ["raise", "again"])
