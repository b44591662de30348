"""Context tokens are verified with the keys that auth serves, and with no call per token."""

from datetime import timedelta

import pytest
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from libs.clients.channels import Channels
from libs.clients.context_tokens import ContextTokens
from libs.clients.revocation_feed import RevocationFollower
from libs.clients.tests.auth_service import Auth, running_auth
from libs.clients.verifier import ContextKeys, keys_of_auth
from libs.crypto.revocations import Revocations
from libs.crypto.signer import Signer
from libs.kernel.errors import DependencyUnavailableError, UnauthenticatedError
from libs.kernel.ids import AccountId
from libs.settings.service import ServiceSettings
from libs.testing.rpc import ISSUER


async def _token(auth: Auth, channels: Channels, audience: str = "policy") -> str:
    [(_, value)] = await ContextTokens(channels, "policy", auth.clock).job(AccountId("acc-1"), audience)
    return value.removeprefix("Bearer ")


async def test_what_auth_signed_is_believed_and_its_keys_are_asked_for_once() -> None:
    async with running_auth() as (auth, channels, _):
        keys = ContextKeys(keys_of_auth(channels), ISSUER, auth.clock)
        for _ in range(3):
            said = await keys.verify(await _token(auth, channels), "policy")

    assert (said.account, said.installation, said.subject, said.peer) == (
        "acc-1",
        "1",
        "service:policy",
        "policy",
    )
    assert (said.role, said.custom_role_id) == (None, None)
    assert auth.key_requests == 1


async def test_tokens_for_others_and_of_other_issuers_are_not() -> None:
    async with running_auth() as (auth, channels, _):
        token = await _token(auth, channels, "assignment")
        with pytest.raises(UnauthenticatedError):
            await ContextKeys(keys_of_auth(channels), ISSUER, auth.clock).verify(token, "policy")
        other = ContextKeys(keys_of_auth(channels), "https://other.example", auth.clock)
        with pytest.raises(UnauthenticatedError):
            await other.verify(token, "assignment")


async def test_installation_keys_verify_no_context_tokens() -> None:
    """The answer holds both kinds; a key signs one kind of token."""
    async with running_auth() as (_auth, channels, _):
        keys = await keys_of_auth(channels)()

    assert not isinstance(keys, (str, bytes))
    assert "ctx-1" in keys
    assert "ins-1" not in keys


async def test_a_service_is_ready_once_auth_gave_its_keys_and_stays_so_when_it_goes() -> None:
    async with running_auth() as (auth, channels, _):
        keys = ContextKeys(keys_of_auth(channels), ISSUER, auth.clock)
        auth.keys = []
        assert await keys.probe() == "the issuer's key set was refused: the key set is empty"
        auth.keys = [auth.signer]
        assert await keys.probe() is None
        token = await _token(auth, channels)
    assert await keys.probe() is None
    assert (await keys.verify(token, "policy")).account == "acc-1"


async def test_without_auth_a_service_says_why_it_is_not_ready() -> None:
    async with running_auth() as (auth, channels, _):
        nowhere = ContextKeys(keys_of_auth(Channels(ServiceSettings(), None)), ISSUER, auth.clock)
        token = await _token(auth, channels)
        assert await nowhere.probe() == (
            "the issuer's key set cannot be had: the address of `auth` is not set"
        )
        with pytest.raises(DependencyUnavailableError):
            await nowhere.verify(token, "policy")


async def test_a_rotated_key_is_learned_and_a_dropped_one_forgotten() -> None:
    async with running_auth() as (auth, channels, _):
        keys = ContextKeys(keys_of_auth(channels), ISSUER, auth.clock)
        old = await _token(auth, channels)
        await keys.verify(old, "policy")
        auth.signer = Signer.generate("ctx-2")
        auth.keys = [auth.signer]
        auth.clock.advance(timedelta(seconds=31))
        fresh = await _token(auth, channels)
        await keys._verifier.keys.reload()

        assert (await keys.verify(fresh, "policy")).account == "acc-1"
        with pytest.raises(UnauthenticatedError):
            await keys.verify(old, "policy")


async def test_why_a_token_was_refused_is_counted_and_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    monkeypatch.setattr(metrics, "get_meter", provider.get_meter)
    async with running_auth() as (auth, channels, _):
        keys = ContextKeys(keys_of_auth(channels), ISSUER, auth.clock)
        RevocationFollower(channels, known := Revocations())
        known.begin(1)
        for _ in range(2):
            with pytest.raises(UnauthenticatedError, match=r"^the token is not valid$"):
                await keys.verify("a.b", "policy")
    read = reader.get_metrics_data()
    assert read is not None
    found = {
        metric.name: [
            (dict(point.attributes or {}), getattr(point, "value", 0)) for point in metric.data.data_points
        ]
        for resource in read.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    provider.shutdown()

    assert found["auth.tokens.refused"] == [({"cause": "segments"}, 2)]
    [(_, age)] = found["auth.revocations.age"]
    assert 0 <= age < 60
