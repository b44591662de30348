"""Rules of DESIGN §4 that buf does not know, over every RPC of every service."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from libs.kernel import errors as kernel
from libs.kernel.errors import SetlistError
from libs.rpc.peers import PeerTable, check_complete
from services.assignment.domain import errors as assignment_errors
from services.assignment.rpc.peers import PEERS as ASSIGNMENT_PEERS
from services.auth.domain import errors as auth_errors
from services.auth.rpc.peers import PEERS as AUTH_PEERS
from services.policy.domain import errors as policy_errors
from services.policy.rpc.ext_authz import AUTHORIZATION
from services.policy.rpc.peers import PEERS as POLICY_PEERS
from services.privacy.domain import errors as privacy_errors
from services.privacy.rpc.peers import PEERS as PRIVACY_PEERS
from setlist.assignment.v1 import assignment_service_pb2
from setlist.assignment.v1 import error_reason_pb2 as assignment_reasons
from setlist.auth.v1 import auth_service_pb2
from setlist.auth.v1 import error_reason_pb2 as auth_reasons
from setlist.policy.v1 import error_reason_pb2 as policy_reasons
from setlist.policy.v1 import policy_service_pb2
from setlist.privacy.v1 import error_reason_pb2 as privacy_reasons
from setlist.privacy.v1 import participant_service_pb2, privacy_service_pb2

AUTH = auth_service_pb2.DESCRIPTOR.services_by_name["AuthService"]
POLICY = policy_service_pb2.DESCRIPTOR.services_by_name["PolicyService"]
ASSIGNMENT = assignment_service_pb2.DESCRIPTOR.services_by_name["AssignmentService"]
PRIVACY = privacy_service_pb2.DESCRIPTOR.services_by_name["PrivacyService"]
PARTICIPANT = participant_service_pb2.DESCRIPTOR.services_by_name["ParticipantService"]
ALL = (AUTH, POLICY, ASSIGNMENT, PRIVACY, PARTICIPANT)
METHODS = [pytest.param(m, id=m.full_name) for s in ALL for m in s.methods]
REASONS = {
    "auth": (auth_errors, auth_reasons),
    "policy": (policy_errors, policy_reasons),
    "assignment": (assignment_errors, assignment_reasons),
    "privacy": (privacy_errors, privacy_reasons),
}


def _fields(method: MethodDescriptor) -> set[str]:
    return {f.name for f in method.input_type.fields}


@pytest.mark.parametrize("method", METHODS)
def test_every_rpc_says_whether_it_may_be_repeated(method: MethodDescriptor) -> None:
    assert method.GetOptions().HasField("idempotency_level")


@pytest.mark.parametrize("method", [p for p in METHODS if p.values[0].name.startswith("List")])  # type: ignore[union-attr]  # a descriptor
def test_every_list_is_paged(method: MethodDescriptor) -> None:
    assert {"page_size", "page_token"} <= _fields(method)
    assert "next_page_token" in {f.name for f in method.output_type.fields}


@pytest.mark.parametrize("method", [p for p in METHODS if p.values[0].name.startswith("Create")])  # type: ignore[union-attr]  # a descriptor
def test_every_create_takes_a_request_id(method: MethodDescriptor) -> None:
    assert "request_id" in _fields(method)


@pytest.mark.parametrize(
    "method",
    [p for p in METHODS if p.values[0].name.startswith(("Delete", "Shred", "RevokeInstallation"))],  # type: ignore[union-attr]  # a descriptor
)
def test_every_destructive_call_can_be_tried_first(method: MethodDescriptor) -> None:
    assert "validate_only" in _fields(method)


@pytest.mark.parametrize(
    ("peers", "services"),
    [
        (AUTH_PEERS, (AUTH, PARTICIPANT)),
        (POLICY_PEERS, (POLICY, PARTICIPANT, AUTHORIZATION)),
        (ASSIGNMENT_PEERS, (ASSIGNMENT, PARTICIPANT)),
        (PRIVACY_PEERS, (PRIVACY,)),
    ],
)
def test_every_method_says_who_may_call_it(peers: PeerTable, services: tuple[ServiceDescriptor, ...]) -> None:
    assert check_complete(peers, services) == []


def _errors(*modules: ModuleType) -> Iterator[type[SetlistError]]:
    for module in modules:
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, SetlistError) and value is not SetlistError:
                yield value


@pytest.mark.parametrize("service", REASONS)
def test_every_reason_is_in_the_contract(service: str) -> None:
    module, reasons = REASONS[service]
    known = {name.removeprefix("ERROR_REASON_") for name in reasons.ErrorReason.keys()}  # noqa: SIM118 - an enum wrapper
    used = {error.reason for error in _errors(kernel, module)}
    assert used <= known
