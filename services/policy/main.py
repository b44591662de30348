"""Starts policy: `python -m services.policy.main`."""

from __future__ import annotations

import grpc
from envoy.service.auth.v3.external_auth_pb2_grpc import add_AuthorizationServicer_to_server

from libs.db.notify import Listener
from libs.kernel.ids import RandomIds
from libs.participant.servicer import SERVICE as PARTICIPANT
from libs.participant.servicer import ParticipantServicer
from libs.participant.sql import SqlSubjects
from libs.service.definition import Parts, ServiceDefinition, Wiring
from libs.service.run import run_service
from services.policy.adapters.sql.history import CHANNEL
from services.policy.adapters.sql.store import SqlStore
from services.policy.adapters.sql.subjects import PLACES, rewrite_history
from services.policy.app.data_map import DATA_MAP
from services.policy.app.engine import Limits
from services.policy.app.tokens import ConsistencyTokens
from services.policy.rpc.ext_authz import AUTHORIZATION, ExtAuthz
from services.policy.rpc.peers import PEERS, POLICY
from services.policy.rpc.servicer import PolicyServicer
from services.policy.rpc.use_cases import UseCases
from services.policy.settings import PolicySettings
from setlist.policy.v1.policy_service_pb2_grpc import add_PolicyServiceServicer_to_server
from setlist.privacy.v1.participant_service_pb2_grpc import add_ParticipantServiceServicer_to_server


async def build(parts: Parts[PolicySettings]) -> Wiring:
    """Wire policy."""
    settings = parts.settings
    key = settings.page_token_key
    use = UseCases.on(
        SqlStore(parts.database),
        parts.pages,
        parts.clock,
        RandomIds(parts.clock),
        ConsistencyTokens(key.get_secret_value().encode() if key else None),
        Limits(settings.account_relationships, settings.memory_relationships),
    )
    subjects = SqlSubjects(parts.database, PLACES, DATA_MAP, rewrite_history)
    participant = ParticipantServicer(DATA_MAP, subjects)
    ext_authz = ExtAuthz(use.check, parts.verifier)
    listener = Listener(parts.database.url, CHANNEL, use.engine.heard)

    def add(server: grpc.aio.Server) -> None:
        add_PolicyServiceServicer_to_server(PolicyServicer(use), server)
        add_ParticipantServiceServicer_to_server(participant, server)
        add_AuthorizationServicer_to_server(ext_authz, server)

    return Wiring(
        add,
        [POLICY, PARTICIPANT, AUTHORIZATION],
        background=[
            ("changes", use.engine.follow),
            ("notices", listener.listen),
            ("decision log", use.log.run),
            ("sweep", use.sweep.run),
        ],
        close=use.log.close,
    )


DEFINITION = ServiceDefinition(
    name="policy",
    settings_type=PolicySettings,
    migrations="services.policy.migrations",
    minimum_revision="0003",
    peers=PEERS,
    build=build,
)


def main() -> None:
    """Serve until told to stop."""
    run_service(DEFINITION)


if __name__ == "__main__":
    main()
