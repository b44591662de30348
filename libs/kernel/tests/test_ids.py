"""Ids sort by time and never collide; resource names give their account."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.kernel.clock import ManualClock
from libs.kernel.ids import CountingIds, RandomIds, account_name, account_of


def test_ids_sort_by_the_time_they_were_made() -> None:
    clock = ManualClock()
    ids = RandomIds(clock)
    made = []
    for milliseconds in (0, 1, 1000, 86_400_000, 10**12):
        clock.advance(timedelta(milliseconds=milliseconds + 1))
        made.append(ids.new("q"))

    assert made == sorted(made)


def test_ids_of_the_same_instant_differ_and_have_one_form() -> None:
    ids = RandomIds(ManualClock())
    made = {ids.new("asg") for _ in range(2000)}

    assert len(made) == 2000
    for one in made:
        prefix, _, rest = one.partition("-")
        assert prefix == "asg"
        assert len(rest) == 26
        assert not set(rest) - set("0123456789abcdefghjkmnpqrstvwxyz")


def test_counting_ids_count_from_one_and_sort() -> None:
    ids = CountingIds()
    made = [ids.new("q") for _ in range(100)]

    assert made[0] == "q-" + "0" * 25 + "1"
    assert made == sorted(made)
    assert len(set(made)) == 100


@given(st.from_regex(r"[0-9a-z-]{1,63}", fullmatch=True))
def test_a_name_gives_its_account_back(account: str) -> None:
    assert account_of(account_name(account)) == account
    assert account_of(f"{account_name(account)}/queues/q-1") == account


@pytest.mark.parametrize("name", ["", "accounts", "accounts/", "accounts//queues", "queues/q", "/accounts/a"])
def test_a_name_outside_of_an_account_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not a name under"):
        account_of(name)


def test_threads_never_make_the_same_id() -> None:
    ids = RandomIds(ManualClock())
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: ids.new("q"), range(4000)))

    assert len(set(made)) == 4000
