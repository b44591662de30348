"""The log reader refuses what it cannot play, and feeds no outcome to a decision."""

from datetime import timedelta
from pathlib import Path

import pytest

from tools.demo.builtin_day import builtin_day
from tools.demo.event_log import event_log, unknown_columns
from tools.demo.script import ScriptError

TICKETS = """ticket,opened_at,caller,priority,first_group,first_group_at,first_agent_at,resolved_at
1,2016-02-29T01:00,7,3,10,2016-02-29T01:10,2016-02-29T01:20,2016-02-29T03:20
2,2016-02-29T02:00,8,1,,,,
3,2016-03-02T02:00,8,2,11,2016-03-02T01:00,,
"""
MEMBERSHIPS = """group,agent,first_at
10,5,2016-02-29T09:00
11,6,2016-03-01T09:00
"""


def write(folder: Path, tickets: str = TICKETS, memberships: str = MEMBERSHIPS) -> Path:
    (folder / "tickets.csv").write_text(tickets)
    (folder / "memberships.csv").write_text(memberships)
    return folder


def test_tickets_arrive_with_their_first_group_and_never_before_they_opened(tmp_path: Path) -> None:
    script = event_log(write(tmp_path), days=3)

    assert [(t.key, t.at.strftime("%d %H:%M"), t.group) for t in script.tickets] == [
        (1, "29 01:10", 10),
        (2, "29 02:00", 0),
        (3, "02 02:00", 11),
    ]
    assert script.tickets[0].work == timedelta(hours=2)
    assert script.tickets[1].work == timedelta(hours=2), "unknown work takes the median"


def test_a_membership_is_used_only_after_the_day_it_was_first_seen(tmp_path: Path) -> None:
    script = event_log(write(tmp_path), days=3)

    assert {a.key: a.groups for a in script.agents} == {5: (10,), 6: ()}
    assert [(j.at.strftime("%d %H:%M"), j.agent, j.group) for j in script.joins] == [("02 00:00", 6, 11)]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("2016-02-29T01:00", "yesterday", r"`tickets.csv` line 2: column `opened_at` holds `yesterday`"),
        (",3,10,", ",9,10,", r"column `priority` holds `9`"),
        ("1,2016-02-29T01:00,7", "1,2016-02-29T01:00,Bob", r"column `caller` holds `Bob`, not a number"),
        ("2,2016-02-29T02:00,8,1,,,,", "2,2016-02-29T02:00", r"line 3 has fewer values than the header"),
        (
            "2,2016-02-29T02:00,8,1,,,,",
            "2,2016-02-29T02:00,8,1,,,,,,,",
            r"line 3 has more values than the header",
        ),
        ("opened_at", "opened", r"`tickets.csv` lacks the column `opened_at`"),
    ],
)
def test_a_malformed_log_is_refused_by_file_line_and_column(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    write(tmp_path, tickets=TICKETS.replace(old, new, 1))

    with pytest.raises(ScriptError, match=message):
        event_log(tmp_path, days=3)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match=r"has no `tickets.csv`"):
        event_log(tmp_path, days=1)


def test_unknown_columns_are_named_and_ignored(tmp_path: Path) -> None:
    write(tmp_path, memberships="group,agent,first_at,shoe_size\n10,5,2016-02-29T09:00,44\n")

    assert unknown_columns(tmp_path) == ["`memberships.csv` has an unknown column `shoe_size`: it is ignored"]
    assert len(event_log(tmp_path, days=1).agents) == 1


def test_the_builtin_day_is_the_same_every_time() -> None:
    assert builtin_day() == builtin_day()
    assert builtin_day(1) != builtin_day(2)
    assert all(a.at <= b.at for a, b in zip(builtin_day().tickets, builtin_day().tickets[1:], strict=False))


def test_a_script_moved_in_time_keeps_every_distance() -> None:
    day = builtin_day()
    moved = day.moved_to_end_at(day.end + timedelta(days=300, minutes=17, seconds=20))

    assert moved.end - day.end == timedelta(days=300, minutes=17)
    assert [t.at - moved.start for t in moved.tickets] == [t.at - day.start for t in day.tickets]
    assert [s.at - moved.start for s in moved.shifts] == [s.at - day.start for s in day.shifts]
