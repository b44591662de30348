"""Starts privacy: `python -m services.privacy.main`."""

from __future__ import annotations

import asyncio

import grpc

from libs.clients.zendesk_access import ZendeskClients
from libs.crypto.default_key import key_provider
from libs.crypto.envelope import Envelope
from libs.db.data_keys import SqlDataKeys
from libs.kernel.ids import RandomIds
from libs.service.definition import Parts, ServiceDefinition, Wiring
from libs.service.run import run_service
from services.privacy.adapters.participants import GrpcParticipants
from services.privacy.adapters.sql.store import SqlStore
from services.privacy.adapters.vault import EnvelopeVault
from services.privacy.adapters.zendesk import ZendeskErasure
from services.privacy.app.background import Runner
from services.privacy.app.use_cases import wire
from services.privacy.rpc.peers import PEERS, PRIVACY
from services.privacy.rpc.servicer import PrivacyServicer
from services.privacy.settings import PrivacySettings
from setlist.privacy.v1.privacy_service_pb2_grpc import add_PrivacyServiceServicer_to_server


async def build(parts: Parts[PrivacySettings]) -> Wiring:
    """Wire privacy."""
    settings, clock, database = parts.settings, parts.clock, parts.database
    provider = key_provider(
        "PRIVACY_KEY_ENCRYPTION_KEY",
        settings.key_encryption_key is not None,
        settings.key_encryption_key_file,
        lambda: settings.state_folder("privacy"),
    )
    vault = EnvelopeVault(database, Envelope(provider, SqlDataKeys(database)))
    store, wake = SqlStore(database), asyncio.Event()
    clients = ZendeskClients(parts.channels, settings.zendesk_url_template, clock)
    use = wire(
        store,
        vault,
        GrpcParticipants(parts.channels, parts.tokens),
        ZendeskErasure(clients),
        clock,
        RandomIds(clock),
        wake,
        settings.zendesk_quiet_seconds,
    )

    def add(server: grpc.aio.Server) -> None:
        add_PrivacyServiceServicer_to_server(PrivacyServicer(use, parts.pages), server)

    runner = Runner(store, use.execute, wake, settings.poll_seconds)
    return Wiring(add, [PRIVACY], background=[("runner", runner.run)], close=clients.close)


DEFINITION = ServiceDefinition(
    name="privacy",
    settings_type=PrivacySettings,
    migrations="services.privacy.migrations",
    minimum_revision="0001",
    peers=PEERS,
    build=build,
)


def main() -> None:
    """Serve until told to stop."""
    run_service(DEFINITION)


if __name__ == "__main__":
    main()
