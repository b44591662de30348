"""What a service says about itself so that it can be started."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import grpc
from google.protobuf.descriptor import ServiceDescriptor

from libs.clients.channels import Channels
from libs.clients.context_tokens import ContextTokens
from libs.db.engine import Database
from libs.kernel.clock import Clock
from libs.rpc.health import Probe
from libs.rpc.identity import ContextVerifier
from libs.rpc.pages import PageTokens
from libs.rpc.peers import PeerTable
from libs.settings.service import ServiceSettings

SettingsT = TypeVar("SettingsT", bound=ServiceSettings)
Loop = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Parts(Generic[SettingsT]):
    """What a process hands to a service that is being built.

    Attributes:
        settings: the service's own.
        clock: business time.
        database: the service's database.
        channels: to the other services.
        tokens: context tokens for calls to them, in the service's own name.
        pages: seals page tokens.
        verifier: of context tokens, the same as the server's; for tokens that come in messages.
    """

    settings: SettingsT
    clock: Clock
    database: Database
    channels: Channels
    tokens: ContextTokens
    pages: PageTokens
    verifier: ContextVerifier


async def _nothing() -> None:
    """Close nothing."""


def _no_streams() -> None:
    """End nothing."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a service gives back once it is built.

    Attributes:
        add: registers the servicers.
        services: descriptors of what is registered; compared with the peer table at the start.
        background: named loops, each supervised and cancelled at the end.
        readiness: what readiness depends on beside database, schema and keys.
        close: run after the drain.
        stopping: run before the drain, so that streams without an end do not hold it up.
    """

    add: Callable[[grpc.aio.Server], None]
    services: Sequence[ServiceDescriptor]
    background: Sequence[tuple[str, Loop]] = ()
    readiness: Sequence[Probe] = ()
    close: Callable[[], Awaitable[None]] = _nothing
    stopping: Callable[[], None] = _no_streams


@dataclass(frozen=True, slots=True)
class ServiceDefinition(Generic[SettingsT]):
    """One service, ready to be started by `run_service`.

    Attributes:
        name: short name, e.g. `policy`.
        settings_type: read from the environment.
        migrations: package of its revision scripts.
        minimum_revision: schema revision this code needs at least; readiness asks for it.
        peers: who may call what.
        build: makes the service out of its parts.
        verifies_context: False for auth, which mints context tokens and takes none.
    """

    name: str
    settings_type: type[SettingsT]
    migrations: str
    minimum_revision: str
    peers: PeerTable
    build: Callable[[Parts[SettingsT]], Awaitable[Wiring]]
    verifies_context: bool = True
    summary: str = field(default="")
