"""A data map is a verdict per column; its hash tells one map from another."""

from libs.participant.data_map import Column, DataMap, Strategy, not_personal
from libs.participant.tests.people import DATA_MAP


def test_the_hash_depends_on_every_verdict_and_not_on_the_order() -> None:
    shuffled = DataMap("probe", list(reversed(DATA_MAP.columns)))
    first, *rest = DATA_MAP.columns
    kept = DataMap(
        "probe", [Column(first.table, first.column, Strategy.KEEP, first.purpose, first.subject), *rest]
    )

    assert shuffled.hash == DATA_MAP.hash
    assert len(DATA_MAP.hash) == 64
    assert kept.hash != DATA_MAP.hash
    assert DataMap("probe", rest).hash != DATA_MAP.hash


def test_kept_columns_are_told_apart() -> None:
    assert DATA_MAP.kept() == {("audit", "agent_id")}


def test_several_columns_may_be_not_personal_for_the_same_reason() -> None:
    columns = not_personal("t", "a b", "the rule's")

    assert [(c.table, c.column, c.personal) for c in columns] == [("t", "a", False), ("t", "b", False)]
    assert Column("t", "c", Strategy.KEEP, "proof").personal
