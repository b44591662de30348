"""Another program goes on with a kept house: plain grpcio, plain HTTP, nothing of ours but the generated code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import httpx2
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from setlist.assignment.v1 import assignment_service_pb2 as assignment
from setlist.assignment.v1.assignment_service_pb2_grpc import AssignmentServiceStub
from setlist.auth.v1 import auth_service_pb2 as auth
from setlist.auth.v1.auth_service_pb2_grpc import AuthServiceStub

pytestmark = pytest.mark.e2e
SERVICES = ("auth", "policy", "assignment", "privacy")


def channel(found: dict[str, Any], service: str, *, certified: bool = True) -> grpc.Channel:
    root = Path(found["ca_file"]).read_bytes()
    key = Path(found["client_key_file"]).read_bytes() if certified else None
    chain = Path(found["client_certificate_file"]).read_bytes() if certified else None
    return grpc.secure_channel(found["services"][service], grpc.ssl_channel_credentials(root, key, chain))


@pytest.mark.parametrize("service", SERVICES)
def test_reflection_names_the_services(summary: dict[str, Any], service: str) -> None:
    with channel(summary["connection"], service) as opened:
        names = ProtoReflectionDescriptorDatabase(opened).get_services()
    assert f"setlist.{service}.v1.{service.title()}Service" in names


@pytest.mark.parametrize("service", SERVICES)
def test_health_is_served_in_plain_text_on_its_own_port(summary: dict[str, Any], service: str) -> None:
    host, _, port = summary["connection"]["services"][service].partition(":")
    with grpc.insecure_channel(f"{host}:{int(port) + 100}") as opened:
        stub = health_pb2_grpc.HealthStub(opened)
        answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=5)  # type: ignore[attr-defined]  # types lack it
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_no_certificate_no_answer(summary: dict[str, Any]) -> None:
    with channel(summary["connection"], "assignment", certified=False) as opened:
        stub = AssignmentServiceStub(opened)
        with pytest.raises(grpc.RpcError) as caught:
            stub.ListAgents(assignment.ListAgentsRequest(parent=summary["connection"]["account"]), timeout=5)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_person_lists_agents_with_an_exchanged_token(summary: dict[str, Any]) -> None:
    found = summary["connection"]
    with channel(found, "auth") as opened:
        exchanged = AuthServiceStub(opened).ExchangeContext(
            auth.ExchangeContextRequest(
                installation_token=found["installation_token"],
                session_token=found["sessions"]["agent"]["token"],
                audience="assignment",
            ),
            timeout=10,
        )
    metadata = (("authorization", f"Bearer {exchanged.context_token}"),)
    with channel(found, "assignment") as opened:
        stub = AssignmentServiceStub(opened)
        page = stub.ListAgents(
            assignment.ListAgentsRequest(parent=found["account"], page_size=5), metadata=metadata, timeout=10
        )
        with pytest.raises(grpc.RpcError) as caught:
            stub.ListAgents(
                assignment.ListAgentsRequest(parent="accounts/acc-other"), metadata=metadata, timeout=10
            )
    assert len(page.agents) == 5
    assert page.next_page_token
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


def test_the_edge_answers_problems(summary: dict[str, Any]) -> None:
    found = summary["connection"]
    with httpx2.Client(trust_env=False, timeout=10) as http:
        nobody = http.get(f"{found['edge']}/v1/agents")
        headers = {
            "authorization": f"Bearer {found['installation_token']}",
            "x-setlist-session": found["sessions"]["agent"]["token"],
        }
        somebody = http.get(f"{found['edge']}/v1/decisions?page_size=2", headers=headers)
        unsigned = http.post(
            f"{found['edge']}/zendesk/webhooks/{found['account'].removeprefix('accounts/')}", content=b"{}"
        )
    assert (nobody.status_code, nobody.headers["content-type"]) == (401, "application/problem+json")
    assert len(somebody.json()["decisions"]) == 2
    assert unsigned.status_code == 400
