"""Business hours: schedules, their week, their holidays (facts: Zendesk §8)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tools.zendesk_simulator.bodies import find, wrapped
from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import invalid
from tools.zendesk_simulator.state import Account, Row

DAY, WEEK = 1440, 10_080
FARTHEST = timedelta(days=731)
_WORKING_DAYS = [{"start_time": day * DAY + 540, "end_time": day * DAY + 1020} for day in range(1, 6)]


def add_schedule(account: Account, spec: Row) -> Row:
    """Make a schedule; its week is Monday to Friday, 9 to 17, unless it says otherwise."""
    row_id, now = int(spec.get("id") or account.next_id("schedule")), stamp(account.now())
    account.reserve_id("schedule", row_id)
    row = {
        "id": row_id,
        "name": spec["name"],
        "time_zone": spec.get("time_zone", "UTC"),
        "intervals": checked(spec.get("intervals") or _WORKING_DAYS),
        "created_at": now,
        "updated_at": now,
    }
    account.tables["schedules"][row_id] = row
    return row


def checked(intervals: list[Row]) -> list[Row]:
    """Return the intervals of a week in order.

    Raises:
        Refusal: one is outside the week, crosses midnight, or meets another.
    """
    rows = sorted(
        ({"start_time": i["start_time"], "end_time": i["end_time"]} for i in intervals),
        key=lambda i: i["start_time"],
    )
    end = 0
    for row in rows:
        start, stop = row["start_time"], row["end_time"]
        if not all(isinstance(v, int) for v in (start, stop)) or not 0 <= start < stop <= WEEK:
            raise invalid(intervals="Intervals: must lie between 0 and 10080 minutes")
        if start // DAY != (stop - 1) // DAY:
            raise invalid(intervals="Intervals: cannot cross midnight")
        if start < end:
            raise invalid(intervals="Intervals: cannot overlap")
        end = stop
    return rows


def _check_names(call: Call, values: Row, row: Row | None) -> None:
    if (row is None or "name" in values) and not values.get("name"):
        raise invalid("BlankValue", name="Name: cannot be blank")
    taken = (s for s in call.account.tables["schedules"].values() if s is not row)
    if any(s["name"] == values.get("name") for s in taken):
        raise invalid("DuplicateValue", name="Name: has already been taken")
    if "time_zone" in values:
        try:
            ZoneInfo(str(values["time_zone"]))
        except (KeyError, ValueError):
            raise invalid(time_zone="Time zone: is not valid") from None


def _schedule(call: Call) -> Row:
    return find(call.account.tables["schedules"], call.path["id"])


async def list_schedules(call: Call) -> Row:
    call.require_agent()
    return {
        "schedules": list(call.account.tables["schedules"].values()),
        "url": call.account.url("business_hours/schedules"),
    }


async def create_schedule(call: Call) -> tuple[int, Row]:
    call.require_admin()
    values = wrapped(call, "schedule", ("name", "time_zone"))
    _check_names(call, values, None)
    return 201, {"schedule": add_schedule(call.account, values)}


async def show_schedule(call: Call) -> Row:
    call.require_agent()
    return {"schedule": _schedule(call)}


async def update_schedule(call: Call) -> Row:
    """Name and zone; the week has a resource of its own."""
    call.require_admin()
    row, values = _schedule(call), wrapped(call, "schedule", ("name", "time_zone"))
    _check_names(call, values, row)
    row.update({k: values[k] for k in ("name", "time_zone") if k in values})
    row["updated_at"] = stamp(call.account.now())
    return {"schedule": row}


async def update_week(call: Call) -> Row:
    call.require_admin()
    row, values = _schedule(call), wrapped(call, "workweek", ("intervals",))
    row["intervals"] = checked(values.get("intervals") or [])
    row["updated_at"] = stamp(call.account.now())
    return {"workweek": {"intervals": row["intervals"]}}


async def delete_schedule(call: Call) -> tuple[int, None]:
    call.require_admin()
    row = _schedule(call)
    del call.account.tables["schedules"][row["id"]]
    holidays = call.account.tables["holidays"]
    for holiday in [h for h in holidays.values() if h["schedule_id"] == row["id"]]:
        del holidays[holiday["id"]]
    return 204, None


def _shown(row: Row) -> Row:
    return {k: v for k, v in row.items() if k != "schedule_id"}


def _holidays(call: Call) -> dict[Any, Row]:
    schedule = _schedule(call)["id"]
    return {i: h for i, h in call.account.tables["holidays"].items() if h["schedule_id"] == schedule}


def _check_days(call: Call, values: Row) -> None:
    if not values.get("name"):
        raise invalid("BlankValue", name="Name: cannot be blank")
    try:
        first, last = (date.fromisoformat(str(values.get(k))) for k in ("start_date", "end_date"))
    except ValueError:
        raise invalid(start_date="Start date: is not valid") from None
    today = call.account.now().date()
    if last < first or max(abs(first - today), abs(last - today)) > FARTHEST:
        raise invalid(end_date="End date: must be within two years and not before the start date")


async def list_holidays(call: Call) -> Row:
    call.require_agent()
    return {"holidays": [_shown(h) for h in _holidays(call).values()]}


async def create_holiday(call: Call) -> tuple[int, Row]:
    call.require_admin()
    schedule, values = _schedule(call), wrapped(call, "holiday", ("name", "start_date", "end_date"))
    _check_days(call, values)
    row = {"id": call.account.next_id("holiday"), "name": values["name"], "start_date": values["start_date"]}
    row |= {"end_date": values["end_date"], "schedule_id": schedule["id"]}
    call.account.tables["holidays"][row["id"]] = row
    return 201, {"holiday": _shown(row)}


async def show_holiday(call: Call) -> Row:
    call.require_agent()
    return {"holiday": _shown(find(_holidays(call), call.path["holiday_id"]))}


async def update_holiday(call: Call) -> Row:
    call.require_admin()
    row = find(_holidays(call), call.path["holiday_id"])
    values = {**_shown(row), **wrapped(call, "holiday", ("name", "start_date", "end_date"))}
    _check_days(call, values)
    row.update({k: values[k] for k in ("name", "start_date", "end_date")})
    return {"holiday": _shown(row)}


async def delete_holiday(call: Call) -> tuple[int, None]:
    call.require_admin()
    del call.account.tables["holidays"][find(_holidays(call), call.path["holiday_id"])["id"]]
    return 204, None


_BASE = "business_hours/schedules"
_ONE = _BASE + "/{id:int}"
_DAY = _ONE + "/holidays/{holiday_id:int}"
ROUTES = [
    endpoint("GET", _BASE, list_schedules),
    endpoint("POST", _BASE, create_schedule),
    endpoint("GET", _ONE, show_schedule),
    endpoint("PUT", _ONE, update_schedule),
    endpoint("DELETE", _ONE, delete_schedule),
    endpoint("PUT", _ONE + "/workweek", update_week),
    endpoint("GET", _ONE + "/holidays", list_holidays),
    endpoint("POST", _ONE + "/holidays", create_holiday),
    endpoint("GET", _DAY, show_holiday),
    endpoint("PUT", _DAY, update_holiday),
    endpoint("DELETE", _DAY, delete_holiday),
]
