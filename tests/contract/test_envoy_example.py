"""The Envoy of deploy/envoy asks as docs/envoy.md says, and policy understands its routes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.policy.rpc.ext_authz_route import route_of

EXAMPLE = Path("deploy/envoy/envoy.yaml")
FILTER = "envoy.filters.http.ext_authz"


@pytest.fixture(scope="module")
def manager() -> Any:
    """The HTTP connection manager of the only listener."""
    (listener,) = yaml.safe_load(EXAMPLE.read_text())["static_resources"]["listeners"]
    (chain,) = listener["filter_chains"]
    assert chain["transport_socket"]["typed_config"]["require_client_certificate"] is True
    return chain["filters"][0]["typed_config"]


def routes(manager: Any) -> Iterator[tuple[Any, Any]]:
    for host in manager["route_config"]["virtual_hosts"]:
        for route in host["routes"]:
            yield route["match"], route["typed_per_filter_config"][FILTER]


def test_it_fails_closed(manager: Any) -> None:
    (asking,) = [f["typed_config"] for f in manager["http_filters"] if f["name"] == FILTER]

    assert asking["transport_api_version"] == "V3"
    assert asking["failure_mode_allow"] is False
    assert asking["status_on_error"] == {"code": "ServiceUnavailable"}
    assert asking["grpc_service"]["timeout"] == "0.5s"
    assert "encode_raw_headers" not in asking  # headers would come where policy does not read them
    assert manager["http_filters"][-1]["name"] == "envoy.filters.http.router"


def test_envoy_and_policy_read_paths_alike(manager: Any) -> None:
    assert manager["normalize_path"] is True
    assert manager["merge_slashes"] is True
    assert manager["path_with_escaped_slashes_action"] == "REJECT_REQUEST"


def test_every_route_is_decided_on_or_left_out_by_name(manager: Any) -> None:
    decided = 0
    for match, config in routes(manager):
        if config.get("disabled"):
            assert set(match) == {"path"}  # one path, never a prefix
            continue
        route = route_of(config["check_settings"]["context_extensions"])
        assert route.record(f"{match['prefix']}/p1") == "p1"
        decided += 1
    assert decided
