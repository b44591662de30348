"""What is sent arrives as it was; what is none of ours is refused and does nothing else."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.decision.build import Builder
from libs.decision.rows import Change, ObjectRow, RelationshipRow, Row, TypeRow, User
from libs.decision.tests.strategies import changed_worlds
from libs.decision.tests.world import T0, World
from libs.decision.wire import decode, encode

GOOD: list[list[Any]] = json.loads(
    encode(
        [
            Change(1, TypeRow("object", "product", {"rbac": {}, "rebac": {}}, T0)),
            Change(2, User(7, "agent", 8237, (1, 2), 3)),
            Change(3, RelationshipRow("rel-1", "owns", "zen:user:7", "p1", T0, T0)),
            Change(4, ObjectRow("product", "p1", {"level": 1}), gone=True),
        ]
    )
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=80, deadline=None)
@given(changed_worlds())
def test_every_row_arrives_as_it_was_sent(case: tuple[World, list[Change]]) -> None:
    world, changes = case
    sent = [Change(1, row) for row in world.rows()] + changes

    assert decode(encode(sent)) == sent


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=20), st.text(max_size=20), st.dictionaries(st.text(max_size=5), JSON, max_size=3))
def test_any_text_and_any_attributes_arrive(one: str, other: str, attributes: dict[str, Any]) -> None:
    rows: list[Row] = [ObjectRow(one, other, attributes), RelationshipRow(one, other, other, one, T0, None)]
    sent = [Change(2**60, row) for row in rows]

    assert decode(encode(sent)) == sent


@pytest.mark.parametrize(
    "instant",
    [
        datetime.max.replace(tzinfo=UTC),
        T0.replace(microsecond=1),
        T0.astimezone(timezone(timedelta(hours=14))),
    ],
)
def test_instants_arrive_to_the_microsecond(instant: datetime) -> None:
    sent = [Change(1, RelationshipRow("rel-1", "owns", "a", "b", instant, instant))]

    assert decode(encode(sent)) == sent


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=30) | JSON.map(lambda value: json.dumps(value).encode()))
def test_what_is_none_of_ours_is_a_value_error(raw: bytes) -> None:
    try:
        changes = decode(raw)
    except ValueError:
        return
    assert changes == []
    assert json.loads(raw) == []


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(GOOD), st.data())
def test_one_changed_field_is_refused_or_gives_rows_that_can_be_taken(
    row: list[Any], data: st.DataObject
) -> None:
    position = data.draw(st.integers(0, len(row) - 1))
    changed = [*row[:position], data.draw(JSON), *row[position + 1 :]]
    try:
        changes = decode(json.dumps([changed]).encode())
    except ValueError:
        return
    assert encode(changes)
    if not isinstance(changes[0].row, TypeRow):  # permissions are checked where they are stored
        Builder().apply(changes).finish(1)


@pytest.mark.parametrize("position", range(len(GOOD)))
def test_a_row_of_another_length_is_refused(position: int) -> None:
    row = GOOD[position]
    assert decode(json.dumps([row]).encode())
    for changed in (row[:-1], [*row, None], [*row, 1]):
        with pytest.raises(ValueError):
            decode(json.dumps([changed]).encode())


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[" * 100_000,
        b"{}",
        b'"rrr"',
        b"[[1,0]]",
        b'[[1,2,"u"]]',
        b'[[1,0,["r"]]]',
        b"\xff",
        b'[[1,0,"x"]]',
    ],
)
def test_broken_text_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):
        decode(raw)


@pytest.mark.parametrize(
    "change",
    [
        [1.5, 0, "u", 7, "agent", None, [], None],
        ["1", 0, "u", 7, "agent", None, [], None],
        [1, 0, "u", 7, "agent", None, ["1"], None],
        [1, 0, "u", 7, "agent", None, "12", None],
        [1, 0, "u", True, "agent", None, [], None],
        [1, 0, "o", "product", "p1", []],
        [1, 0, "t", "object", "product", [], "2026-01-01T00:00:00+00:00", "", "", False, 1, {}],
    ],
)
def test_a_field_of_another_kind_is_refused(change: list[Any]) -> None:
    with pytest.raises(ValueError):
        decode(json.dumps([change]).encode())


@pytest.mark.parametrize("instant", ["2026-01-01T00:00:00", "yesterday", "2026-13-01T00:00:00+00:00"])
def test_an_instant_without_a_zone_is_refused(instant: str) -> None:
    row = ["r", "rel-1", "owns", "a", "b", "2026-01-01T00:00:00+00:00"]
    with pytest.raises(ValueError):
        decode(json.dumps([[1, 0, *row, instant]]).encode())
