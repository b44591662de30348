"""PolicyService over gRPC, by group."""

from __future__ import annotations

from services.policy.rpc.decisions import DecisionMethods
from services.policy.rpc.relationships import RelationshipMethods
from services.policy.rpc.streams import StreamMethods
from services.policy.rpc.types import TypeMethods
from setlist.policy.v1.policy_service_pb2_grpc import PolicyServiceServicer


class PolicyServicer(TypeMethods, RelationshipMethods, StreamMethods, DecisionMethods, PolicyServiceServicer):
    """Translates, calls, translates."""
