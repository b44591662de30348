"""PolicyService over gRPC: what is built, by group, and what is not built yet."""

from __future__ import annotations

from typing import Any

from libs.kernel.errors import NotBuiltError
from libs.rpc.unbuilt import UnbuiltStream
from services.policy.rpc.decisions import DecisionMethods
from services.policy.rpc.relationships import RelationshipMethods
from services.policy.rpc.types import TypeMethods
from setlist.policy.v1 import policy_service_pb2 as messages
from setlist.policy.v1.policy_service_pb2_grpc import PolicyServiceServicer


class PolicyServicer(TypeMethods, RelationshipMethods, DecisionMethods, PolicyServiceServicer):
    """Translates, calls, translates."""

    async def SimulateChange(
        self, request: messages.SimulateChangeRequest, context: Any
    ) -> messages.SimulateChangeResponse:
        raise NotBuiltError("simulation of changes is not built yet: use validate_only")

    def WatchRelationships(self, request: messages.WatchRelationshipsRequest, context: Any) -> UnbuiltStream:
        return UnbuiltStream("the stream of relationship changes is not built yet")

    def ReadChanges(self, request: messages.ReadChangesRequest, context: Any) -> UnbuiltStream:
        return UnbuiltStream("the change log for embedded decision points is not built yet")

    def ExportRelationships(
        self, request: messages.ExportRelationshipsRequest, context: Any
    ) -> UnbuiltStream:
        return UnbuiltStream("bulk export is not built yet: list relationships instead")

    async def ImportRelationships(
        self, request_iterator: Any, context: Any
    ) -> messages.ImportRelationshipsResponse:
        await anext(aiter(request_iterator), None)  # the chain checks account and fields as it is read
        raise NotBuiltError("bulk import is not built yet: use BatchWriteRelationships")
