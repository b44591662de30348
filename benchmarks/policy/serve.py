"""`python -m benchmarks.policy.serve`: the policy service as it is, with one method more, which does nothing.

`EmptyService/Answer` takes the request of CheckPermission through the whole chain (telemetry, deadline, token,
tenant, validation) and answers with nothing: what a call costs before policy does anything for it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from libs.rpc.peers import rules
from libs.service.definition import Parts, Wiring
from libs.service.run import run_service
from services.policy.main import DEFINITION
from services.policy.settings import PolicySettings
from setlist.policy.v1 import policy_service_pb2 as messages

_SERVICE, _METHOD = "EmptyService", "Answer"
EMPTY_METHOD = f"/setlist.benchmarks.{_SERVICE}/{_METHOD}"


def _descriptor() -> Any:
    request, response = messages.CheckPermissionRequest, messages.CheckPermissionResponse
    file = FileDescriptorProto(
        name="setlist/benchmarks/empty.proto",
        package="setlist.benchmarks",
        syntax="proto3",
        dependency=[messages.DESCRIPTOR.name],
    )
    file.service.add(name=_SERVICE).method.add(
        name=_METHOD,
        input_type=f".{request.DESCRIPTOR.full_name}",
        output_type=f".{response.DESCRIPTOR.full_name}",
    )
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return pool.FindServiceByName(f"{file.package}.{_SERVICE}")


async def _answer(
    request: messages.CheckPermissionRequest, context: object
) -> messages.CheckPermissionResponse:
    return messages.CheckPermissionResponse()


async def build(parts: Parts[PolicySettings]) -> Wiring:
    """Wire policy and the empty method."""
    wiring = await DEFINITION.build(parts)
    handler = grpc.unary_unary_rpc_method_handler(
        _answer,
        request_deserializer=messages.CheckPermissionRequest.FromString,
        response_serializer=messages.CheckPermissionResponse.SerializeToString,
    )

    def add(server: grpc.aio.Server) -> None:
        wiring.add(server)
        handlers = {_METHOD: handler}  # as generated code does: backends are fast for registered methods only
        generic = grpc.method_handlers_generic_handler(EMPTY.full_name, handlers)
        server.add_generic_rpc_handlers((generic,))
        server.add_registered_method_handlers(EMPTY.full_name, handlers)

    return replace(wiring, add=add, services=[*wiring.services, EMPTY])


EMPTY = _descriptor()


def main() -> None:
    """Serve until told to stop."""
    peers = {**DEFINITION.peers, **rules(EMPTY, [_METHOD], "assignment", "ops")}
    run_service(replace(DEFINITION, peers=peers, build=build))


if __name__ == "__main__":
    main()
