"""What no two readers may read differently is refused, and nothing else."""

import json

import pytest

from libs.kernel.strict_json import (
    DoubledMemberError,
    finite,
    has_lone_surrogate,
    no_constant,
    unique_members,
)

DECODER = json.JSONDecoder(object_pairs_hook=unique_members, parse_constant=no_constant, parse_float=finite)


@pytest.mark.parametrize("text", ['{"a": 1, "b": [1.5, -2e3, null, true]}', "{}", '{"a": {"a": 1}}', "1e308"])
def test_what_everybody_reads_alike_is_read(text: str) -> None:
    assert DECODER.decode(text) == json.loads(text)


@pytest.mark.parametrize("text", ['{"a": 1, "a": 1}', '{"x": {"a": 1, "\\u0061": 2}}'])
def test_a_doubled_member_is_refused_at_every_depth_and_in_every_spelling(text: str) -> None:
    with pytest.raises(DoubledMemberError):
        DECODER.decode(text)


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a": -Infinity}', "1e309", "-1e999"])
def test_what_is_no_double_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"numbers|double"):
        DECODER.decode(text)


@pytest.mark.parametrize(
    ("text", "found"), [("a", False), ("\u00e9\U0001f600", False), ("\ud800", True), ("x\udfff", True)]
)
def test_half_a_character_is_found(text: str, *, found: bool) -> None:
    assert has_lone_surrogate(text) is found
