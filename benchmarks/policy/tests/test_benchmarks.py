from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from benchmarks.measure import Report, Samples, cpu_seconds, percentile, resident_bytes, turns
from benchmarks.policy.in_process import run
from benchmarks.policy.model import KINDS, Model, expected, questions, snapshot_of
from benchmarks.policy.requests import answer, batch_answer, batches, check, check_batch
from benchmarks.policy.translate import cedar_policies, cerbos_policies, cerbos_request, rules
from libs.decision.decide import decide
from setlist.policy.v1 import policy_service_pb2 as messages

SMALL = Model(users=60, records=120, relationships=300)


def test_every_case_gets_every_round_and_the_order_changes() -> None:
    found = list(turns(["a", "b", "c", "d"], 20))
    orders = {tuple(name for number, name in found if number == one) for one in range(21)}

    assert sorted(found) == [(number, name) for number in range(21) for name in "abcd"]
    assert len(orders) > 5


def test_the_warm_up_is_thrown_away() -> None:
    samples = Samples()
    for number, value in enumerate((1.0, 8.0, 6.0, 7.0)):
        samples.add(number, value)

    assert (samples.best, samples.median) == (6.0, 7.0)
    assert percentile([5.0, 1.0, 3.0], 0.5) == 3.0
    assert percentile([5.0, 1.0, 3.0], 0.99) == 5.0


def test_the_cpu_time_of_a_process_grows_by_what_it_uses() -> None:
    before = cpu_seconds(os.getpid())
    while cpu_seconds(os.getpid()) < before + 0.02:
        sum(range(1000))

    assert 0 < resident_bytes(os.getpid()) <= resident_bytes(os.getpid(), peak=True)


def test_questions_differ_and_are_of_the_kind_they_are_called() -> None:
    snapshot = snapshot_of(SMALL.rows())
    kinds = questions(SMALL, snapshot, 40)
    every = [one for asked in kinds.values() for one in asked]
    reasons = {
        kind: {
            decide(snapshot, a.user, a.action, a.type, a.record, 0.0, a.given).reason.partition(":")[0]
            for a in asked
        }
        for kind, asked in kinds.items()
    }

    assert [len(kinds[kind]) for kind in KINDS] == [40] * 4
    assert len({(a.user.id, a.action, a.type, a.record, a.channel) for a in every}) == len(every)
    assert reasons[KINDS[0]] == {"RBAC"}
    assert reasons[KINDS[1]] == {"REBAC"}
    assert reasons[KINDS[2]] == {"NO_RULE_ALLOWS"}
    assert {expected(snapshot, one) for one in kinds[KINDS[3]]} == {True, False}


def test_requests_say_what_is_asked() -> None:
    snapshot = snapshot_of(SMALL.rows())
    (batch,) = batches(SMALL, snapshot, 1)
    sent = messages.BatchCheckPermissionsRequest.FromString(check_batch(batch))
    (one, *_) = questions(SMALL, snapshot, 1)[KINDS[3]]
    single = messages.CheckPermissionRequest.FromString(check(one))

    assert [(q.user_id, q.record_id) for q in sent.questions] == [(a.user.id, a.record) for a in batch]
    assert len({a.record for a in batch}) == len(batch) == 50
    assert single.given.context["channel"] == one.channel
    assert cerbos_request(batch)["principal"]["id"] == str(batch[0].user.id)


def test_a_refused_question_is_no_answer() -> None:
    refused = messages.BatchCheckPermissionsResponse(answers=[messages.Answer(error="no")])

    with pytest.raises(ValueError, match="no"):
        batch_answer(refused.SerializeToString())
    assert answer(messages.CheckPermissionResponse().SerializeToString()) == [False]


def test_the_peers_get_one_rule_per_row_that_allows_something() -> None:
    every = list(rules())
    cerbos = [rule for policy in cerbos_policies().values() for rule in policy["resourcePolicy"]["rules"]]

    assert len(cerbos) == len(every) == len(re.findall(r"^permit\(", cedar_policies(), re.MULTILINE))
    assert all(rule["condition"] for rule, ours in zip(cerbos, every, strict=True) if ours.related)


def test_without_the_peers_it_runs_and_says_how_to_get_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(each=20, rounds=1, peers=tmp_path / "none.pex", json_file=tmp_path / "out.json")

    made = json.loads((tmp_path / "out.json").read_text())
    assert len(made["rows"]) == 2 * len(KINDS)
    assert all(row["median"] > 0 for row in made["rows"])
    assert "./pants package benchmarks/policy/peers" in capsys.readouterr().out


def test_a_report_aligns_what_it_shows(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report("title", ("us", "unit"))
    report.add("a case with a long name", 12345.6, "x")
    report.show()

    head, row = capsys.readouterr().out.splitlines()
    assert len(head) == len(row)
    assert "12,346" in row
