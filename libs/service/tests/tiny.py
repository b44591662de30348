"""The smallest service that `run_service` can start: `python -m libs.service.tests.tiny`."""

from __future__ import annotations

import asyncio
import os
from typing import Any, Literal

from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from libs.rpc.peers import PeerTable, rules
from libs.rpc.tests.probe import PROBE, Probe
from libs.service.definition import Parts, ServiceDefinition, Wiring
from libs.service.run import run_service
from libs.settings.service import ServiceSettings

PEERS: PeerTable = rules(PROBE, [m.name for m in PROBE.methods], "ops", context=False)


class TinySettings(ServiceSettings):
    """Settings of the tiny service, and the fault that a test asks for."""

    model_config = SettingsConfigDict(env_prefix="TINY_", extra="ignore", frozen=True)

    loop: Literal["lives", "raises"] = "lives"
    api_secret: SecretStr | None = None


async def _echo(request: Any, context: Any) -> str:
    return f"echo {request.parent}"


async def build(parts: Parts[TinySettings]) -> Wiring:
    """Wire the probe and one background loop."""

    async def loop() -> None:
        if parts.settings.loop == "raises":
            raise ConnectionError("lovelace@example.com hung up")
        await asyncio.Event().wait()

    async def close() -> None:
        print('{"event": "closed"}', flush=True)  # noqa: T201 - what the tests wait for

    return Wiring(Probe(_echo).add, [PROBE], background=[("upkeep", loop)], close=close)


def main() -> None:
    """Serve until told to stop."""
    short = os.environ.get("TINY_PEERS") == "short"  # asked before there are settings
    peers = dict(list(PEERS.items())[1:]) if short else PEERS
    run_service(
        ServiceDefinition(
            name="tiny",
            settings_type=TinySettings,
            migrations="libs.db.tests.migrations_sample",
            minimum_revision="0003",
            peers=peers,
            build=build,
            verifies_context=False,
        )
    )


if __name__ == "__main__":
    main()
