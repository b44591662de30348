"""A snapshot that changes were applied to is the one that is built from all rows anew; the one before stays."""

from __future__ import annotations

import random
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import given, settings

from libs.decision.build import STEP, Builder
from libs.decision.decide import decide
from libs.decision.rows import Change, ObjectRow, RelationshipRow, Row, User
from libs.decision.snapshot import EMPTY, Snapshot
from libs.decision.tests.strategies import changed_worlds, worlds
from libs.decision.tests.world import NOW, T0, World, object_type, policy, related, relationship_type


def _indexes(snapshot: Snapshot) -> dict[str, Any]:
    """Return everything that a snapshot holds, as plain values; what is empty is as good as not there."""

    def full(index: Any) -> Any:
        return {key: inner for key, inner in index.items() if len(inner)}

    return {
        "types": {key: (one.row, one.plain, one.mask, one.steps) for key, one in snapshot.types.items()},
        "users": dict(snapshot.users),
        "objects": full({key: dict(records) for key, records in snapshot.objects.items()}),
        "forward": full(
            {kind: {s: dict(t) for s, t in full(index).items()} for kind, index in snapshot.forward.items()}
        ),
        "back": full(
            {kind: {t: sorted(s) for t, s in full(index).items()} for kind, index in snapshot.back.items()}
        ),
        "edges": snapshot.edges,
    }


@settings(max_examples=120, deadline=None)
@given(changed_worlds())
def test_changes_lead_to_what_all_rows_lead_to(case: tuple[World, list[Change]]) -> None:
    world, changes = case
    before = world.snapshot(1)
    untouched = _indexes(before)
    after = Builder(before).apply(changes).finish(7)

    assert _indexes(after) == _indexes(world.apply(changes).snapshot())
    assert after.revision == 7
    assert _indexes(before) == untouched == _indexes(world.snapshot())
    assert before.revision == 1


@settings(max_examples=60, deadline=None)
@given(changed_worlds())
def test_one_change_at_a_time_leads_there_too(case: tuple[World, list[Change]]) -> None:
    world, changes = case
    snapshots = [world.snapshot()]
    kept = [_indexes(snapshots[0])]
    for change in changes:
        snapshots.append(Builder(snapshots[-1]).apply([change]).finish(change.revision))
        kept.append(_indexes(snapshots[-1]))

    assert kept[-1] == _indexes(world.apply(changes).snapshot())
    assert [_indexes(snapshot) for snapshot in snapshots] == kept


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_the_order_of_rows_does_not_matter_and_the_indexes_fit_each_other(world: World) -> None:
    rows = world.rows()
    random.Random(len(rows)).shuffle(rows)
    snapshot = Builder().apply(Change(1, row) for row in rows).finish(1)

    assert _indexes(snapshot) == _indexes(world.snapshot())
    forward = {(k, s, t) for k, index in snapshot.forward.items() for s in index for t in index[s]}
    back = {(k, s, t) for k, index in snapshot.back.items() for t in index for s in index[t]}
    assert forward == back == set(world.relationships)
    assert snapshot.edges == len(forward)


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_what_is_taken_away_leaves_nothing(world: World) -> None:
    gone = [Change(2, row, gone=True) for row in world.rows()]
    left = Builder(world.snapshot()).apply(gone).finish(2)

    assert _indexes(left) == _indexes(EMPTY)


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_an_edge_is_found_both_ways_while_it_lives(world: World) -> None:
    snapshot = world.snapshot()
    for (kind, source, target), row in world.relationships.items():
        lives = row.expires_at is None or row.expires_at > T0

        assert snapshot.edge(kind, source, target, NOW) == (row.id if lives else None)
        assert (target in snapshot.targets(kind, source, NOW)) is lives
        assert (source in snapshot.sources(kind, target, NOW)) is lives


def test_nothing_changes_nothing_and_shares_everything() -> None:
    before = _owned().snapshot()
    after = Builder(before).finish(2)

    assert after.forward is before.forward
    assert after.objects is before.objects
    assert after.users is before.users or after.users == before.users


AGENT = User(1, "end_user")


def _owned(*links: RelationshipRow) -> World:
    rows: list[Row] = [
        object_type("product", policy(), {"owns": policy("ru", "ru", "ru")}),
        relationship_type("owns", "zen:user", "product"),
        AGENT,
        *(links or [related(1, "owns", "zen:user:1", "p1")]),
    ]
    return World().apply(Change(1, row) for row in rows)


def _by(snapshot: Snapshot) -> str:
    return decide(snapshot, AGENT, "read", "product", "p1", NOW).relationship


def test_a_deleted_relationship_gives_no_right_any_more() -> None:
    before = _owned().snapshot()
    after = Builder(before).apply([Change(2, related(1, "owns", "zen:user:1", "p1"), gone=True)]).finish(2)

    assert (_by(before), _by(after)) == ("rel-1", "")  # T21
    assert (before.edges, after.edges) == (1, 0)


@pytest.mark.parametrize("last", ["came", "went"])
def test_a_relationship_that_took_the_place_of_another_stays_when_the_other_goes(last: str) -> None:
    came = Change(2, related(2, "owns", "zen:user:1", "p1"))
    went = Change(2, related(1, "owns", "zen:user:1", "p1"), gone=True)
    changes = [went, came] if last == "came" else [came, went]
    after = Builder(_owned().snapshot()).apply(changes).finish(2)

    assert _by(after) == "rel-2"
    assert after.edges == 1


@pytest.mark.parametrize(("ends", "found"), [(-1, ""), (0, ""), (1, "rel-2"), (None, "rel-2")])
def test_a_replaced_relationship_ends_when_the_new_one_does(ends: float | None, found: str) -> None:
    renewed = related(2, "owns", "zen:user:1", "p1", ends)
    after = Builder(_owned().snapshot()).apply([Change(2, renewed)]).finish(2)

    assert _by(after) == found
    assert after.edges == 1
    gone = Builder(after).apply([Change(3, renewed, gone=True)]).finish(3)
    assert (gone.edges, _by(gone)) == (0, "")


def test_an_erased_user_leaves_no_row_and_no_end() -> None:
    rows = [related(1, "owns", "zen:user:1", "p1"), related(2, "owns", "zen:user:2", "p1")]
    erased: list[Row] = [rows[0], AGENT]
    after = Builder(_owned(*rows).snapshot()).apply(Change(2, row, gone=True) for row in erased).finish(2)

    assert "zen:user:1" not in after.forward["owns"]
    assert after.back["owns"]["p1"] == ("zen:user:2",)
    assert 1 not in after.users


def test_what_goes_without_being_there_is_no_error() -> None:
    rows: list[Row] = [
        related(9, "likes", "a", "b"),
        User(9, "agent"),
        ObjectRow("product", "p9"),
        object_type("x", {}),
    ]
    after = Builder(_owned().snapshot()).apply(Change(2, row, gone=True) for row in rows).finish(2)

    assert _indexes(after) == _indexes(_owned().snapshot())


def test_attributes_are_kept_as_they_were_not_as_they_become() -> None:
    attributes: dict[str, Any] = {"levels": [1]}
    after = Builder().apply([Change(1, ObjectRow("product", "p1", attributes))]).finish(1)
    attributes["levels"].append(2)

    assert after.objects["product"]["p1"] == '{"levels": [1]}'


def test_a_name_with_a_kind_in_front_means_that_kind_only() -> None:
    rows = [object_type("both", policy()), object_type("thing", policy())]
    rows += [relationship_type(key, "zen:user", "thing") for key in ("both", "link")]
    snapshot = Builder(EMPTY).apply(Change(1, row) for row in rows).finish(1)

    def kind(name: str) -> str | None:
        found = snapshot.find(name)
        return None if found is None else found.row.kind

    assert [kind(n) for n in ("both", "object:both", "relationship:both")] == [
        "object",
        "object",
        "relationship",
    ]
    assert [kind(n) for n in ("link", "object:link", "relationship:link")] == [
        "relationship",
        None,
        "relationship",
    ]
    for nothing in ("object:", "relationship:thing", "object:object:both", "user:both", ":both", ""):
        assert kind(nothing) is None
    names = ("both", "object:both", "link", "relationship:both", "object:gone", "gone")
    assert [snapshot.name_of(n) for n in names] == [
        "both",
        "both",
        "relationship:link",
        "relationship:both",
        "gone",
        "gone",
    ]


def test_a_large_account_is_finished_with_pauses_and_is_the_same() -> None:
    rows = [RelationshipRow(f"rel-{n}", "k", f"zen:user:{n}", f"p{n}", T0) for n in range(2 * STEP + 1)]
    at_once, paused = Builder(), Builder()
    for row in rows:
        at_once.put(row)
        paused.put(row)

    found: list[Snapshot] = []

    def finishing() -> Generator[None, None, None]:
        found.append((yield from paused.finishing(1)))

    pauses = len(list(finishing()))

    assert pauses == 4, "two forward, two back"
    assert _indexes(found[0]) == _indexes(at_once.finish(1))
