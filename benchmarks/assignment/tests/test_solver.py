"""The benchmarks measure what they say, on instances that are small."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.assignment.batches import HOW_ORACLES, OURS, WHOLE, batch, rounds_of
from benchmarks.assignment.instances import Compressed, agents, tickets
from benchmarks.assignment.rivals import Ring, Scan
from benchmarks.assignment.solver import reached, there
from benchmarks.assignment.streams import LOAD, MICRO, PEAK, ROUND_ROBIN, micro_batches, online
from benchmarks.measure import Report
from services.assignment.domain.decide import decide
from services.assignment.domain.model import Agent, Model, Queue, Snapshot


def test_a_batch_without_the_others_says_how_to_get_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = batch(None, 40, 200, 2)
    report.show(tmp_path / "r.json")

    assert [row["case"] for row in report.rows] == [OURS, WHOLE]
    assert report.figure(OURS, "ratio") == ""
    assert any(HOW_ORACLES in note for note in report.notes)
    assert HOW_ORACLES in capsys.readouterr().out
    assert json.loads((tmp_path / "r.json").read_text())["rows"]


def test_the_compressed_instance_is_the_one_that_is_decided() -> None:
    dice = random.Random(5)
    people, asked = agents(30, dice, teams=20), tickets(300, dice)
    made = Compressed.of(people, asked, Model.LEAST_ACTIVE)
    served, _ = made.serve()
    plan = decide(Snapshot(people, asked, Queue("q", model=Model.LEAST_ACTIVE)))
    arcs = made.served_arcs()

    assert len(served) == len(plan.assigned)
    assert arcs["costs"][: len(asked)] == list(range(len(asked)))
    assert sum(arcs["supplies"]) == 0
    assert sum(made.balance_arcs(served)["supplies"]) == 0


def test_every_slot_that_is_freed_is_filled_again() -> None:
    report = micro_batches(100, 2_000, 3)

    assert float(report.figure(LOAD, "seconds")) > 0
    assert float(report.figure(MICRO, "median ms")) > 0
    assert float(report.figure(PEAK, "MB")) > 0


def test_whole_rounds_are_told_by_size() -> None:
    (row,) = rounds_of([(10, 50)]).rows

    assert row["case"] == "10 agents x 50 tickets"
    assert 0 < int(row["given"]) <= 50


def test_rivals_give_to_who_may_and_has_room() -> None:
    people = [Agent(1, frozenset({7}), inbox_limit=1), Agent(2, frozenset({7, 8}), inbox_limit=2)]
    (one,) = tickets(1, random.Random(1))
    seven, eight = replace(one, group=7), replace(one, group=8)

    ring, scan = Ring(people), Scan(people)
    assert [ring.give(t) for t in (seven, eight, seven, seven)] == [
        1,
        2,
        2,
        None,
    ]  # eight has a ring of its own
    assert [scan.give(t) for t in (eight, seven, seven, eight)] == [2, 1, 2, None]
    scan.finish(1)
    ring.finish(2)
    assert (scan.give(seven), ring.give(eight)) == (1, 2)
    assert len(online(20, 100, 1).rows) == 4


def test_the_last_table_says_what_was_reached() -> None:
    single, whole = Report("", ["decisions/s", "per CPU s"]), Report("", ["ratio"])
    single.add(ROUND_ROBIN, 19_999, 40_000)
    whole.add(OURS, 1.5)
    report = reached(None, single, [whole])

    assert [row["reached"] for row in report.rows] == ["yes", "NO", "yes", "", "", "", ""]
    whole.rows[0]["ratio"] = 1.51
    single.rows[0]["decisions/s"] = 20_000
    assert [row["reached"] for row in reached(None, single, [whole]).rows] == [
        "NO",
        "yes",
        "yes",
        "",
        "",
        "",
        "",
    ]


def test_a_program_that_is_missing_is_skipped_with_the_way_to_get_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "main.pex"
    assert there(program, [], "make it", "it") is None
    program.touch()
    assert there(program, ["no-such-command"], "install it", "its server") is None
    assert capsys.readouterr().out.split("\n\n") == [
        "it skipped: make it",
        "its server skipped: install it",
        "",
    ]
    assert there(program, ["true"], "", "") == program
