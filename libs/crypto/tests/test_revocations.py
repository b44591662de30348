"""What a verifier knows to be revoked, and that it knows when it knows nothing."""

import pytest

from libs.crypto.context import ContextVerifier
from libs.crypto.errors import InvalidTokenError
from libs.crypto.keys import KeySet
from libs.crypto.revocations import STALE_SECONDS, Freshness, Revocations
from libs.crypto.signer import Signer
from libs.crypto.tests.tokens_for_tests import CLAIMS, KEYS, NOW, SIGNER, token
from libs.kernel.clock import ManualClock
from libs.kernel.errors import DependencyUnavailableError
from libs.kernel.ids import AccountId

ISSUER, ACCOUNT = str(CLAIMS["iss"]), AccountId("acc-1")


class Feed:
    """Real time that stands still, and the revocations that live in it."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.known = Revocations(lambda: self.seconds)


@pytest.fixture
def feed() -> Feed:
    return Feed()


def verifier(feed: Feed, keys: KeySet = KEYS) -> ContextVerifier:
    async def source() -> KeySet:
        return keys

    return ContextVerifier(source, ISSUER, ManualClock(NOW), revocations=feed.known)


async def test_nothing_is_believed_before_the_snapshot_is_complete(feed: Feed) -> None:
    subject = verifier(feed)
    assert await subject.probe() == "what is revoked is not known yet"
    with pytest.raises(DependencyUnavailableError):
        await subject.verify(token(), "policy")

    feed.known.raise_generation(AccountId("acc-2"), 7)
    feed.known.beat(5)
    with pytest.raises(DependencyUnavailableError):
        await subject.verify(token(), "policy")

    feed.known.begin(5)
    assert await subject.probe() is None
    assert (await subject.verify(token(), "policy")).account == ACCOUNT


async def test_a_revocation_ends_tokens_and_empties_the_cache_of_its_account_alone(feed: Feed) -> None:
    feed.known.begin(0)
    subject = verifier(feed)
    other = token({"tid": "acc-2"})
    await subject.verify(token(), "policy")
    await subject.verify(other, "policy")
    assert len(subject._cache) == 2

    feed.known.raise_generation(ACCOUNT, 4)

    assert len(subject._cache) == 1
    with pytest.raises(InvalidTokenError) as caught:
        await subject.verify(token(), "policy")
    assert caught.value.cause == "revoked"
    assert len(subject._cache) == 1
    assert (await subject.verify(other, "policy")).account == "acc-2"
    assert (await subject.verify(token({"gen": 4}), "policy")).generation == 4


async def test_a_distrusted_key_ends_everything_it_signed_at_once_also_what_is_cached(feed: Feed) -> None:
    feed.known.begin(0)
    fresh = Signer.generate("ctx-2")
    subject = verifier(feed, KeySet([SIGNER.public_key(), fresh.public_key()]))
    await subject.verify(token(), "policy")
    await subject.verify(token(signer=fresh), "policy")

    feed.known.distrust("ctx-1")

    assert len(subject._cache) == 0
    for _ in range(2):
        with pytest.raises(InvalidTokenError):
            await subject.verify(token(), "policy")
    assert (await subject.verify(token(signer=fresh), "policy")).kid == "ctx-2"


def test_generations_never_fall_whatever_order_they_come_in(feed: Feed) -> None:
    told: list[AccountId | None] = []
    feed.known.on_revoked(told.append)
    for generation in (3, 1, 2):
        feed.known.raise_generation(ACCOUNT, generation)
    for _ in range(2):
        feed.known.distrust("k")
    feed.known.beat(9)
    feed.known.beat(4)

    assert feed.known.generation("acc-1") == 3
    assert feed.known.generation("acc-none") == 0
    assert told == [ACCOUNT, None]
    assert feed.known.position == 9


def test_a_generation_told_again_makes_caches_forget_the_account(feed: Feed) -> None:
    """A session ended: its generation did not."""
    told: list[AccountId | None] = []
    feed.known.on_revoked(told.append)
    for generation in (0, 3, 3):
        feed.known.raise_generation(ACCOUNT, generation)

    assert told == [ACCOUNT] * 3
    assert feed.known.generation(ACCOUNT) == 3


def test_silence_is_noticed_in_real_time_and_ends_with_the_next_heartbeat(feed: Feed) -> None:
    assert (feed.known.freshness, feed.known.age_seconds) == (Freshness.UNKNOWN, None)
    feed.known.begin(1)
    feed.seconds += STALE_SECONDS
    assert (feed.known.freshness, feed.known.age_seconds) == (Freshness.FRESH, STALE_SECONDS)

    feed.seconds += 0.1
    found = [feed.known.freshness]
    feed.known.beat(1)
    assert [*found, feed.known.freshness] == [Freshness.STALE, Freshness.FRESH]


async def test_a_cut_feed_marks_every_answer_as_stale(feed: Feed) -> None:
    feed.known.begin(0)
    subject = verifier(feed)
    await subject.verify(token(), "policy")
    assert not subject.stale

    feed.seconds += STALE_SECONDS + 1

    await subject.verify(token(), "policy")
    assert subject.stale


async def test_a_changed_key_set_is_asked_for_again_also_while_a_request_is_under_way(feed: Feed) -> None:
    fresh = Signer.generate("ctx-2")
    answers = [KEYS, KEYS, KeySet([SIGNER.public_key(), fresh.public_key()])]
    asked = 0

    async def source() -> KeySet:
        nonlocal asked
        asked += 1
        if asked == 2:
            feed.known.key_set_changed()  # the answer under way is of before the change
        return answers[min(asked, 3) - 1]

    feed.known.begin(0)
    subject = ContextVerifier(source, ISSUER, ManualClock(NOW), revocations=feed.known)
    await subject.verify(token(), "policy")
    await subject.keys.reload()

    assert asked == 3
    assert (await subject.verify(token(signer=fresh), "policy")).kid == "ctx-2"
