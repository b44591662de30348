"""A log of seven tickets, and the real one where it is at hand."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

from tools.demo.script import ScriptError
from tools.replay.config import BUILT_IN, Staffing, read_config
from tools.replay.figures import span, staffing_table
from tools.replay.log import history_of, read_log
from tools.replay.main import replay
from tools.replay.plots import Series, line_plot
from tools.replay.staffing import what_if

TICKETS = """\
ticket,opened_at,caller,priority,first_group,first_group_at,first_agent,first_agent_at,resolved_at
1,2026-01-05T09:00,50,3,7,2026-01-05T09:00,1,2026-01-05T09:30,2026-01-05T10:30
2,2026-01-05T09:00,50,3,7,,2,2026-01-05T09:00,2026-01-05T10:00
3,2026-01-05T09:00,51,1,7,,,,
4,2026-01-06T09:00,50,3,8,,2,2026-01-06T09:00,2026-01-06T10:00
5,2026-01-06T09:01,,3,,,,,
"""
MEMBERSHIPS = """\
group,agent,first_at
7,1,2026-01-05T08:00
7,2,2026-01-05T08:00
8,2,2026-01-05T09:00
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "tickets.csv").write_text(TICKETS)
    (tmp_path / "memberships.csv").write_text(MEMBERSHIPS)
    return tmp_path


def test_a_log_is_played_and_reported(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = log / "what-if.toml"
    config.write_text(
        '[[policy]]\nname = "<one> open"\ninbox_limit = 1\n[[policy]]\nname = "many"\nmodel = "least_active"\n'
        "[target_minutes]\nnormal = 30\n"
        "[staffing]\narrivals_per_hour = 60\nwork_minutes = 1\nagents = [1, 2]\ntickets = 200\n"
    )

    assert replay(log=log, config=config, report=log / "out") == 0
    told = capsys.readouterr().out
    assert "5 tickets and 2 agents" in told
    rows: dict[str, list[str]] = {}
    for found in re.finditer(r"│([^│]+)│(.*)│", told):
        rows.setdefault(found[1].strip(), [cell.strip() for cell in found[2].split("│")])
    # One of three tickets at nine waits for the first of the two agents; ticket 5 is nobody's.
    assert rows["<one> open"][:2] == ["4", "1"]
    assert rows["<one> open"][7] == "2 of 4"
    assert rows["many"][:2] == ["4", "1"]
    assert rows["many"][7] == "1 of 4"
    assert rows["1 agents"][0] == "grows for ever"
    page = (log / "out/replay.html").read_text()
    assert "&lt;one&gt; open" in page
    assert "<one>" not in page
    assert page.count("<svg") == 3
    assert "many instead of &lt;one&gt; open" in page
    assert "instead of the log" in page


def test_the_log_becomes_what_happened(log: Path) -> None:
    script, recorded = read_log(log)
    history = history_of(script, recorded, BUILT_IN, BUILT_IN.policies[0])

    assert [a.ticket.id for a in history.arrivals] == [1, 2, 3, 4, 5]
    assert [a.requester for a in history.arrivals] == [50, 50, 51, 50, None]
    assert history.arrivals[2].breach_at is not None
    assert {t: g.agent for t, g in recorded.items()} == {1: 1, 2: 2, 4: 2}
    assert {c.agent.id: c.agent.groups for c in history.changes} == {1: {7}, 2: {7, 8}}


def test_people_work_their_hours(log: Path) -> None:
    config = log / "c.toml"
    config.write_text("hours = [8, 17]\n")
    chosen = read_config(config)
    script, recorded = read_log(log)
    history = history_of(script, recorded, chosen, chosen.policies[0])
    seen = {(c.at.day, c.at.hour): c.agent.status for c in history.changes if c.agent.id == 1}

    assert seen == {
        (5, 0): "away",
        (5, 8): "online",
        (5, 17): "away",
        (6, 8): "online",
        (6, 17): "away",
    }


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[", "cannot be read"),
        ("polices = 1", "the file has no `polices`: there are hours, policy"),
        ("policy = [1]", "a policy is no table"),
        ("[[policy]]\nmodel = 'skills'", "a policy has no `name`"),
        ("[[policy]]\nname = 'a'\nmodel = 'luck'", "`a` has no model of ours: there are round_robin"),
        ("[[policy]]\nname = 'a'\ninbox_limit = 0", "`inbox_limit` of `a` must be a whole number above 0"),
        ("[[policy]]\nname = 'a'\nuse_sla = 1", "`use_sla` of `a` must be true or false"),
        ("[[policy]]\nname = 'a'\n[[policy]]\nname = 'a'", "two policies of one name"),
        ("[target_minutes]\nasap = 1", "`target_minutes` has no `asap`"),
        ("[target_minutes]\nhigh = 'soon'", "something else than numbers above 0"),
        ("hours = [17, 8]", "`hours` must be two hours of a day, the earlier first"),
        ("[staffing]\nagents = [1]", "`staffing` needs arrivals_per_hour"),
        ("[staffing]\nagents = []\narrivals_per_hour = 1\nwork_minutes = 1", "must hold numbers above 0"),
    ],
)
def test_a_bad_config_is_refused_with_what_is_wrong(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(text)

    with pytest.raises(ScriptError, match=re.escape(sentence)):
        read_config(path)


def test_a_bad_log_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay(log=tmp_path) == 2
    assert "has no `tickets.csv`" in capsys.readouterr().err


def test_a_team_beside_its_formula() -> None:
    few, enough = what_if(Staffing(120, 1, (3, 4), patience_minutes=2, tickets=5_000))

    assert few.model == "Erlang-A"
    assert few.formula is not None
    assert abs(few.played.given_up / 5_000 - few.formula.abandoned) < 0.03
    assert enough.played.mean_wait < few.played.mean_wait
    assert staffing_table([few, enough]).rows[0][0] == "3 agents"


def test_lengths_of_time_and_lines() -> None:
    assert [span(s) for s in (5, 600, 9_000, 864_000)] == ["5 s", "10.0 min", "2.5 h", "10.0 d"]
    plot = line_plot("<t>", [Series("a", [(0, 0), (10, 50)]), Series("b", [])], "x", "y")
    assert 'points="70.0,274.0 744.0,14.0"' in plot
    assert "<t>" not in plot
    assert line_plot("none", [], "x", "y").count("<polyline") == 0


def test_the_whole_real_log_is_played_in_two_minutes(tmp_path: Path) -> None:
    log = Path(os.environ.get("SHARED_DATA", "/nonexistent")) / "uci-incidents"
    if not log.is_dir():
        pytest.skip(
            "the real log is no part of the repository: `SHARED_DATA` names no folder with `uci-incidents`"
        )
    began = time.perf_counter()

    assert replay(log=log, report=tmp_path) == 0
    assert time.perf_counter() - began < 120
    assert "24,918 tickets and 234 agents" in (tmp_path / "replay.html").read_text()
