"""Certificates are renewed under load, ours and the server's: no call fails."""

import asyncio

import pytest

from libs.clients import channels as module
from libs.clients.tests.auth_service import AUTH, running_auth
from libs.clients.tests.test_channels import channels_of, renew
from setlist.auth.v1 import auth_service_pb2 as messages
from setlist.auth.v1.auth_service_pb2_grpc import AuthServiceStub

CALLERS, SWAPS, CALLS_BETWEEN = 10, 8, 40


async def test_no_call_fails_while_channels_are_swapped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CERTIFICATE_CHECK_SECONDS", 0.0)
    async with running_auth() as (_, _channels, rpc):
        files = rpc.files("policy")
        channels = channels_of(rpc, files)
        used: set[int] = set()
        done, ended = 0, False
        progress = asyncio.Condition()

        async def caller() -> None:
            nonlocal done
            while not ended:
                channel = channels.to("auth", [AUTH])
                used.add(id(channel))
                await AuthServiceStub(channel).GetKeySet(messages.GetKeySetRequest())
                async with progress:
                    done += 1
                    progress.notify_all()

        async with asyncio.TaskGroup() as group, asyncio.timeout(60):  # a failed call fails the test
            for _ in range(CALLERS):
                group.create_task(caller())
            for swap in range(1, SWAPS + 1):
                async with progress:
                    await progress.wait_for(lambda enough=swap * CALLS_BETWEEN: done >= enough)  # type: ignore[misc]  # bound now
                renew(rpc, files)
                assert rpc.certificate is not None
                rpc.files("auth")  # the server's own, over the old one
                assert rpc.certificate.refresh()
            ended = True
        await channels.close()

    assert len(used) > SWAPS // 2
    assert done >= SWAPS * CALLS_BETWEEN
