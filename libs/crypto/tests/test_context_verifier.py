"""The verifier of a service: its cache, and where its keys come from."""

import asyncio
from datetime import timedelta

import pytest

from libs.crypto.context import ContextVerifier
from libs.crypto.errors import InvalidTokenError
from libs.crypto.key_source import ReloadingKeySet
from libs.crypto.keys import KeySet
from libs.crypto.revocations import Revocations
from libs.crypto.signer import Signer
from libs.crypto.success_cache import Success, SuccessCache
from libs.crypto.tests.tokens_for_tests import CLAIMS, KEYS, NOW, PROFILE, SIGNER, START, token
from libs.crypto.tokens import verify
from libs.kernel.clock import ManualClock
from libs.kernel.errors import DependencyUnavailableError, UnauthenticatedError
from libs.kernel.ids import AccountId

ISSUER = "https://auth.setlist.local"


class Auth:
    """Stands for auth's GetKeySet: counts requests and answers what it is told."""

    def __init__(self, answer: object) -> None:
        self.answer = answer
        self.requests = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self) -> KeySet:
        self.requests += 1
        await self.gate.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer  # type: ignore[return-value] # a bad answer is one of the cases


def verifier(auth: Auth, clock: ManualClock) -> ContextVerifier:
    return ContextVerifier(auth, ISSUER, clock)


async def settled(keys: ReloadingKeySet) -> None:
    """Wait for the request in flight, if there is one."""
    if keys._request is not None:
        await asyncio.wait([keys._request])


async def test_a_good_token_verifies_and_the_keys_are_asked_for_once() -> None:
    auth = Auth(KEYS.jwks())
    subject = verifier(auth, ManualClock(NOW))

    results = await asyncio.gather(*(subject.verify(token(), "policy") for _ in range(20)))

    assert {claims.account for claims in results} == {"acc-1"}
    assert auth.requests == 1


async def test_a_token_for_another_audience_is_refused_also_after_a_success() -> None:
    subject = verifier(Auth(KEYS), ManualClock(NOW))
    await subject.verify(token(), "policy")

    with pytest.raises(UnauthenticatedError):
        await subject.verify(token(), "auth")


async def test_a_hit_saves_the_signature_but_not_the_expiry() -> None:
    clock = ManualClock(NOW)
    subject = verifier(Auth(KEYS), clock)
    first = await subject.verify(token(), "policy")
    assert await subject.verify(token(), "policy") is first

    clock.advance(timedelta(seconds=90))

    with pytest.raises(InvalidTokenError) as caught:
        await subject.verify(token(), "policy")
    assert caught.value.cause == "expired"


async def test_a_hit_re_checks_the_generation() -> None:
    revocations = Revocations()
    revocations.begin(0)
    subject = ContextVerifier(Auth(KEYS), ISSUER, ManualClock(NOW), revocations=revocations)
    await subject.verify(token(), "policy")

    revocations.raise_generation(AccountId("acc-1"), 4)

    with pytest.raises(InvalidTokenError) as caught:
        await subject.verify(token(), "policy")
    assert caught.value.cause == "revoked"


async def test_a_hit_re_checks_that_the_key_is_trusted() -> None:
    clock = ManualClock(NOW)
    auth = Auth(KEYS)
    subject = verifier(auth, clock)
    await subject.verify(token(), "policy")

    auth.answer = KeySet([Signer.generate("ctx-2").public_key()])
    await subject.keys.reload()

    with pytest.raises(InvalidTokenError) as caught:
        await subject.verify(token(), "policy")
    assert caught.value.cause == "unknown_kid"


def test_the_cache_is_bounded_and_forgets_after_a_minute() -> None:
    cache, claims = SuccessCache(2), verify(token(), KEYS, PROFILE, NOW)
    for text in ("a", "b", "c"):
        cache.put(text, "policy", Success.of(claims, KEYS, NOW))

    assert len(cache) == 2
    assert cache.get("a", "policy", NOW) is None
    found = cache.get("c", "policy", NOW)
    assert found is not None
    assert found.claims is claims
    assert cache.get("c", "policy", NOW + timedelta(seconds=60)) is None
    assert cache.get("b", "policy", NOW - timedelta(seconds=1)) is None


async def test_a_flood_of_unknown_kids_costs_one_request_per_ten_seconds() -> None:
    clock, auth = ManualClock(NOW), Auth(KEYS)
    subject = verifier(auth, clock)
    await subject.verify(token(), "policy")
    clock.advance(timedelta(seconds=11))
    for number in range(200):
        with pytest.raises(InvalidTokenError):
            await subject.verify(
                token(signer=Signer("bad", "ES256", SIGNER.key), changes={"jti": str(number)}), "policy"
            )

    await settled(subject.keys)
    assert auth.requests == 2

    clock.advance(timedelta(seconds=10))
    with pytest.raises(InvalidTokenError):
        await subject.verify(token(signer=Signer("bad", "ES256", SIGNER.key)), "policy")
    await settled(subject.keys)
    assert auth.requests == 3


async def test_an_unknown_kid_is_refused_without_waiting_and_known_after_the_reload() -> None:
    clock, auth = ManualClock(NOW), Auth(KEYS)
    subject = verifier(auth, clock)
    await subject.verify(token(), "policy")
    clock.advance(timedelta(seconds=11))
    fresh = Signer.generate("ctx-2")
    auth.answer = KeySet([SIGNER.public_key(), fresh.public_key()])
    auth.gate.clear()

    with pytest.raises(InvalidTokenError):
        await subject.verify(token(signer=fresh), "policy")
    auth.gate.set()
    await settled(subject.keys)

    assert (await subject.verify(token(signer=fresh), "policy")).kid == "ctx-2"


@pytest.mark.parametrize("answer", [{"keys": []}, "no", DependencyUnavailableError("away"), OSError("away")])
async def test_a_bad_answer_keeps_the_old_keys_for_a_day(answer: object) -> None:
    clock, auth = ManualClock(NOW), Auth(KEYS)
    keys = ReloadingKeySet(auth, clock)
    good = await keys.current()
    auth.answer = answer

    clock.advance(timedelta(hours=23, minutes=59))
    assert await keys.current() is good
    await settled(keys)
    assert keys.problem is not None
    assert keys.age == timedelta(hours=23, minutes=59)

    clock.advance(timedelta(minutes=2))
    with pytest.raises(DependencyUnavailableError):
        await keys.current()

    auth.answer = KEYS
    assert await keys.current() is KEYS
    assert keys.problem is None


async def test_after_five_minutes_keys_are_asked_for_again_in_the_background() -> None:
    clock, auth = ManualClock(NOW), Auth(KEYS)
    keys = ReloadingKeySet(auth, clock)
    await keys.current()

    clock.advance(timedelta(minutes=5))
    auth.gate.clear()
    assert await keys.current() is KEYS
    assert await keys.current() is KEYS
    auth.gate.set()
    await settled(keys)

    assert auth.requests == 2


async def test_without_keys_a_service_is_not_ready_and_says_why() -> None:
    auth = Auth(DependencyUnavailableError("auth does not answer"))
    subject = verifier(auth, ManualClock(NOW))

    assert await subject.probe() == "the issuer's key set cannot be had: auth does not answer"
    with pytest.raises(DependencyUnavailableError):
        await subject.verify(token(), "policy")

    auth.answer = KEYS
    assert await subject.probe() is None
    assert (await subject.verify(token(), "policy")).values["exp"] == START + 60
    assert CLAIMS["exp"] == START + 60
