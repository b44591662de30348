"""Every RPC that takes a context token, called with one account's token for another account."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from libs.rpc.tenant import NAMING
from setlist.assignment.v1 import assignment_service_pb2 as assignment
from setlist.auth.v1 import auth_service_pb2 as auth
from setlist.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from setlist.policy.v1 import policy_service_pb2 as policy
from setlist.privacy.v1 import privacy_service_pb2 as privacy

pytestmark = pytest.mark.e2e
OTHER = "accounts/acc-other"
SERVICES = {
    "assignment": assignment.DESCRIPTOR.services_by_name["AssignmentService"],
    "policy": policy.DESCRIPTOR.services_by_name["PolicyService"],
    "privacy": privacy.DESCRIPTOR.services_by_name["PrivacyService"],
}
METHODS = [
    pytest.param(name, method, id=method.full_name)
    for name, service in SERVICES.items()
    for method in service.methods
]


def _channel(found: dict[str, Any], service: str) -> grpc.Channel:
    credentials = grpc.ssl_channel_credentials(
        Path(found["ca_file"]).read_bytes(),
        Path(found["client_key_file"]).read_bytes(),
        Path(found["client_certificate_file"]).read_bytes(),
    )
    return grpc.secure_channel(found["services"][service], credentials)


def name_other(message: Message, descriptor: Descriptor, depth: int = 0) -> bool:
    """Put the other account's name into the first field that names resources; tell whether there is one."""
    for field in descriptor.fields:
        if field.name in NAMING and field.type == field.TYPE_STRING:
            if field.is_repeated:
                getattr(message, field.name).append(f"{OTHER}/things/1")
            else:
                setattr(message, field.name, OTHER if field.name == "parent" else f"{OTHER}/things/1")
            return True
    for field in descriptor.fields:
        if field.message_type is not None and depth < 2 and not field.message_type.GetOptions().map_entry:
            inner = getattr(message, field.name)
            inner = inner.add() if field.is_repeated else inner
            if name_other(inner, field.message_type, depth + 1):
                return True
    return False


@pytest.fixture(scope="session")
def tokens(summary: dict[str, Any]) -> dict[str, str]:
    """The admin's context token for each service."""
    found = summary["connection"]
    with _channel(found, "auth") as opened:
        return {
            service: AuthServiceStub(opened)
            .ExchangeContext(
                auth.ExchangeContextRequest(
                    installation_token=found["installation_token"],
                    session_token=found["sessions"]["admin"]["token"],
                    audience=service,
                ),
                timeout=10,
            )
            .context_token
            for service in SERVICES
        }


@pytest.mark.parametrize(("service", "method"), METHODS)
def test_another_accounts_token_is_refused(
    summary: dict[str, Any], tokens: dict[str, str], service: str, method: MethodDescriptor
) -> None:
    request = GetMessageClass(method.input_type)()
    assert name_other(request, method.input_type), "the request names no account"
    path = f"/{method.containing_service.full_name}/{method.name}"
    metadata = (("authorization", f"Bearer {tokens[service]}"),)
    with _channel(summary["connection"], service) as opened, pytest.raises(grpc.RpcError) as caught:
        _call(opened, path, method, request, metadata)
    refused = {grpc.StatusCode.PERMISSION_DENIED}
    if method.client_streaming:  # one that is not built answers before it reads a message
        refused.add(grpc.StatusCode.UNIMPLEMENTED)
    assert caught.value.code() in refused


def _call(opened: Any, path: str, method: MethodDescriptor, request: Message, metadata: Any) -> None:
    """Call with bytes and read everything."""
    raw = request.SerializeToString()
    if method.client_streaming and method.server_streaming:
        list(opened.stream_stream(path)(iter([raw]), metadata=metadata, timeout=10))
    elif method.client_streaming:
        opened.stream_unary(path)(iter([raw]), metadata=metadata, timeout=10)
    elif method.server_streaming:
        list(opened.unary_stream(path)(raw, metadata=metadata, timeout=10))
    else:
        opened.unary_unary(path)(raw, metadata=metadata, timeout=10)
