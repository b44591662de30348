"""Business hours: the week has a resource of its own, holidays lie within two years."""

from __future__ import annotations

import pytest

from tools.zendesk_simulator.tests.machine import AGENT, Machine

PATH = "business_hours/schedules"


async def _made(machine: Machine) -> int:
    body = {"schedule": {"name": "Berlin", "time_zone": "Europe/Berlin", "intervals": [{"start_time": 1}]}}
    answer = await machine.call("POST", PATH, body)
    assert answer.status_code == 201
    assert len(answer.json()["schedule"]["intervals"]) == 5  # what came with it was ignored
    return int(answer.json()["schedule"]["id"])


async def test_a_week_is_written_by_its_own_resource(machine: Machine) -> None:
    schedule = await _made(machine)
    week = {
        "workweek": {
            "intervals": [{"start_time": 3000, "end_time": 3360}, {"start_time": 480, "end_time": 960}]
        }
    }

    assert (await machine.call("PUT", f"{PATH}/{schedule}/workweek", week)).status_code == 200

    shown = (await machine.call("GET", f"{PATH}/{schedule}", user=AGENT)).json()["schedule"]
    assert shown["intervals"] == [
        {"start_time": 480, "end_time": 960},
        {"start_time": 3000, "end_time": 3360},
    ]
    assert (shown["time_zone"], shown["name"]) == ("Europe/Berlin", "Berlin")


@pytest.mark.parametrize(
    ("intervals", "words"),
    [
        ([(1400, 1500)], "cannot cross midnight"),
        ([(100, 200), (150, 300)], "cannot overlap"),
        ([(10_000, 10_081)], "must lie between 0 and 10080"),
        ([(200, 100)], "must lie between 0 and 10080"),
    ],
)
async def test_impossible_weeks_are_refused(
    machine: Machine, intervals: list[tuple[int, int]], words: str
) -> None:
    schedule = await _made(machine)
    week = {"workweek": {"intervals": [{"start_time": a, "end_time": b} for a, b in intervals]}}

    answer = await machine.call("PUT", f"{PATH}/{schedule}/workweek", week)

    assert answer.status_code == 422
    assert words in answer.json()["details"]["intervals"][0]["description"]


async def test_holidays(machine: Machine) -> None:
    schedule = await _made(machine)
    today = machine.clock.now().date()
    day = {"holiday": {"name": "Day off", "start_date": today.isoformat(), "end_date": today.isoformat()}}
    far = {"holiday": {**day["holiday"], "end_date": today.replace(year=today.year + 3).isoformat()}}

    made = await machine.call("POST", f"{PATH}/{schedule}/holidays", day)

    assert made.status_code == 201
    holiday = made.json()["holiday"]
    assert (await machine.call("POST", f"{PATH}/{schedule}/holidays", far)).status_code == 422
    assert (await machine.call("GET", f"{PATH}/{schedule}/holidays")).json()["holidays"] == [holiday]
    assert (await machine.call("DELETE", f"{PATH}/{schedule}/holidays/{holiday['id']}")).status_code == 204
    assert (
        await machine.call("POST", PATH, {"schedule": {"name": "x", "time_zone": "Nowhere"}})
    ).status_code == 422
