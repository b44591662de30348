"""When a key moves on: published long before it signs, published long after it stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from libs.kernel.clock import ManualClock
from services.auth.domain.signing_key import (
    LIVING,
    MARGIN,
    MAXIMUM_LIVING,
    Phase,
    Plan,
    Schedule,
    SigningKey,
    next_signer,
)

NOW = ManualClock().now()
DAY = timedelta(days=1)
SCHEDULE = Schedule("ES256", 90 * DAY, 30 * DAY)
MAX_AGE = timedelta(minutes=5)


class Ring:
    """Keys that follow their plans."""

    def __init__(self, schedule: Schedule = SCHEDULE) -> None:
        self.schedule = schedule
        self.keys: list[SigningKey] = []
        self.now = NOW
        self.made = 0

    def turn(self, *, requested: bool = False) -> Plan:
        plan = self.schedule.plan(self.keys, self.now, requested=requested)
        self.keys = [self._moved(key, plan.moves.get(key.kid)) for key in self.keys]
        for phase in plan.make:
            self.made += 1
            activated = self.now if phase is Phase.ACTIVE else None
            self.keys.append(SigningKey(f"k{self.made}", self.schedule.algorithm, phase, self.now, activated))
        return plan

    def _moved(self, key: SigningKey, phase: Phase | None) -> SigningKey:
        if phase is None:
            return key
        if phase is Phase.ACTIVE:
            return replace(key, phase=phase, activated_at=self.now)
        return replace(key, phase=phase, ended_at=key.ended_at or self.now)

    def later(self, by: timedelta) -> Plan:
        self.now += by
        return self.turn()

    def phases(self) -> dict[str, Phase]:
        return {key.kid: key.phase for key in self.keys}


def test_the_first_start_makes_a_key_that_signs_and_one_that_waits() -> None:
    ring = Ring()

    assert ring.turn().make == (Phase.ACTIVE, Phase.PUBLISHED)
    assert ring.turn().nothing


def test_a_key_signs_thirty_days_and_stays_published_until_its_last_token_is_dead() -> None:
    ring = Ring()
    ring.turn()
    assert ring.later(30 * DAY - timedelta(seconds=1)).nothing

    assert ring.later(timedelta(seconds=1)).rotated
    assert ring.phases() == {"k1": Phase.RETIRING, "k2": Phase.ACTIVE, "k3": Phase.PUBLISHED}
    ring.now += 90 * DAY + MARGIN - timedelta(seconds=1)
    ring.schedule = replace(SCHEDULE, period=365 * DAY)
    assert ring.turn().nothing
    assert ring.later(timedelta(seconds=1)).moves == {"k1": Phase.GONE}


def test_no_key_signs_before_it_was_published_for_the_lead() -> None:
    ring = Ring()
    ring.turn()

    assert not ring.turn(requested=True).rotated
    ring.now += SCHEDULE.lead - timedelta(seconds=1)
    assert not ring.turn(requested=True).rotated
    ring.now += timedelta(seconds=1)
    assert ring.turn(requested=True).rotated
    assert SCHEDULE.lead >= 2 * MAX_AGE


def test_another_algorithm_rotates_as_soon_as_its_first_key_is_ripe() -> None:
    ring = Ring()
    ring.turn()
    ring.schedule = replace(SCHEDULE, algorithm="EdDSA")

    ring.turn()
    assert ring.phases() == {"k1": Phase.ACTIVE, "k2": Phase.GONE, "k3": Phase.PUBLISHED}
    assert next_signer(ring.keys, ring.schedule) == ring.keys[2]
    ring.later(SCHEDULE.lead)
    assert ring.phases()["k3"] is Phase.ACTIVE
    assert ring.keys[2].algorithm == "EdDSA"


def test_a_lost_active_key_is_replaced_at_once_by_the_one_that_waits() -> None:
    ring = Ring()
    ring.turn()
    ring.keys[0] = replace(ring.keys[0], phase=Phase.REVOKED, ended_at=ring.now)

    plan = ring.turn()

    assert plan.rotated
    assert ring.phases() == {"k1": Phase.REVOKED, "k2": Phase.ACTIVE, "k3": Phase.PUBLISHED}
    assert ring.later(90 * DAY + MARGIN).moves["k1"] is Phase.GONE


def test_a_crowded_ring_does_not_rotate() -> None:
    old = [SigningKey(f"old{n}", "ES256", Phase.RETIRING, NOW, NOW, NOW) for n in range(MAXIMUM_LIVING - 2)]
    keys = [
        *old,
        SigningKey("a", "ES256", Phase.ACTIVE, NOW - 40 * DAY, NOW - 40 * DAY),
        SigningKey("b", "ES256", Phase.PUBLISHED, NOW - 9 * DAY),
    ]

    assert SCHEDULE.plan(keys, NOW, requested=True).nothing
    assert SCHEDULE.plan(keys[1:], NOW, requested=True).rotated


_STEPS = st.lists(
    st.tuples(st.integers(0, 20 * 24), st.sampled_from(["turn", "ask", "revoke", "algorithm"])),
    max_size=60,
)


def _check(keys: Sequence[SigningKey], was: Sequence[SigningKey], now: datetime) -> None:
    active = [k for k in keys if k.phase is Phase.ACTIVE]
    living = [k for k in keys if k.phase in LIVING]
    assert len(active) == 1
    assert any(k.phase is Phase.PUBLISHED for k in keys)
    assert len(living) <= MAXIMUM_LIVING + 1
    before = {k.kid: k for k in was}
    for key in keys:
        old = before.get(key.kid)
        if old is not None and old.phase is Phase.RETIRING and key.phase is Phase.GONE:
            assert old.ended_at is not None
            assert now >= old.ended_at + SCHEDULE.token_life
        if old is not None and old.phase in (Phase.RETIRING, Phase.REVOKED, Phase.GONE):
            assert key.phase not in (Phase.ACTIVE, Phase.PUBLISHED)


@given(_STEPS)
def test_whatever_happens_one_key_signs_one_waits_and_none_leaves_too_early(
    steps: list[tuple[int, str]],
) -> None:
    ring = Ring()
    ring.turn()
    for hours, what in steps:
        ring.now += timedelta(hours=hours)
        was = list(ring.keys)
        if what == "revoke":
            ring.keys = [
                replace(k, phase=Phase.REVOKED, ended_at=ring.now) if k.phase is Phase.ACTIVE else k
                for k in ring.keys
            ]
        elif what == "algorithm":
            other = {"ES256": "EdDSA", "EdDSA": "ES256"}[ring.schedule.algorithm]
            ring.schedule = replace(ring.schedule, algorithm=other)
        ring.turn(requested=what == "ask")
        _check(ring.keys, was, ring.now)
        assert ring.schedule.plan(ring.keys, ring.now).nothing or what != "turn"
