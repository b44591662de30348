"""One channel per service; a renewed certificate means a new one, half-written files do not."""

import asyncio
import os

import grpc
import pytest

from libs.clients import channels as module
from libs.clients.channels import Channels
from libs.clients.tests.auth_service import AUTH, running_auth
from libs.kernel.errors import DependencyUnavailableError
from libs.rpc.tls import TlsFiles
from libs.settings.service import ServiceSettings
from libs.testing.rpc import Rpc
from setlist.auth.v1 import auth_service_pb2 as messages
from setlist.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from setlist.policy.v1 import policy_service_pb2


@pytest.fixture(autouse=True)
def _looking_at_the_files_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CERTIFICATE_CHECK_SECONDS", 0.0)


def channels_of(rpc: Rpc, files: TlsFiles) -> Channels:
    return Channels(ServiceSettings(auth_address=rpc.address), files)


async def ask(channels: Channels) -> int:
    answer = await AuthServiceStub(channels.to("auth", [AUTH])).GetKeySet(messages.GetKeySetRequest())
    return len(answer.keys)


def renew(rpc: Rpc, files: TlsFiles) -> None:
    """Write a new certificate over the old one, as its provisioner does."""
    before = files.cert.stat().st_mtime_ns
    rpc.files("policy")
    for path in (files.cert, files.key, files.ca):
        os.utime(path, ns=(before + 10**9, before + 10**9))


async def test_a_channel_is_kept_and_one_per_set_of_services() -> None:
    other = policy_service_pb2.DESCRIPTOR.services_by_name["PolicyService"]
    async with running_auth() as (_, channels, _rpc):
        first = channels.to("auth", [AUTH])

        assert channels.to("auth", [AUTH]) is first
        assert channels.to("auth", [AUTH, other]) is not first  # its retries are not the other's
        assert await ask(channels) == 2


async def test_an_unknown_address_is_named() -> None:
    channels = Channels(ServiceSettings(auth_address="127.0.0.1:1"), None)

    assert channels.known("auth")
    assert not channels.known("policy")
    with pytest.raises(DependencyUnavailableError, match="the address of `policy` is not set"):
        channels.to("policy", [])


async def test_a_renewed_certificate_is_used_without_a_restart() -> None:
    async with running_auth() as (auth, _, rpc):
        files = rpc.files("policy")
        channels = channels_of(rpc, files)
        first = channels.to("auth", [AUTH])
        assert await ask(channels) == 2
        auth.gate.clear()
        in_flight = asyncio.create_task(_exchange(first))
        async with asyncio.timeout(5):
            await auth.arrived.wait()

        renew(rpc, files)
        second = channels.to("auth", [AUTH])
        assert second is not first
        assert channels.to("auth", [AUTH]) is second
        assert await ask(channels) == 2
        auth.gate.set()
        assert await in_flight != ""  # the old channel lets its calls end
        await channels.close()


async def _exchange(channel: grpc.aio.Channel) -> str:
    request = messages.ExchangeContextRequest(account="accounts/acc-1", job="policy", audience="policy")
    return (await AuthServiceStub(channel).ExchangeContext(request)).context_token


async def test_half_written_files_leave_the_old_channel_in_use() -> None:
    async with running_auth() as (_, _channels, rpc):
        files = rpc.files("policy")
        channels = channels_of(rpc, files)
        first = channels.to("auth", [AUTH])
        good = files.cert.read_bytes()

        files.cert.write_bytes(b"half")
        os.utime(files.cert, ns=(1, 1))
        assert channels.to("auth", [AUTH]) is first
        files.cert.unlink()
        assert channels.to("auth", [AUTH]) is first

        files.cert.write_bytes(good)
        assert channels.to("auth", [AUTH]) is not first
        assert await ask(channels) == 2
        await channels.close()


async def test_without_a_usable_certificate_nothing_is_called() -> None:
    async with running_auth() as (_, _channels, rpc):
        files = rpc.files("policy")
        files.key.write_bytes(b"rubbish")

        with pytest.raises(DependencyUnavailableError, match="the client certificate cannot be used"):
            channels_of(rpc, files).to("auth", [AUTH])
