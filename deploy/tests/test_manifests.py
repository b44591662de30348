"""The rendered manifests fit together; the schemas of Kubernetes check types and names of fields only."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tools.checks.deployment import faults, render

ROOT = Path.cwd()
SERVICES = {"auth": 7001, "policy": 7002, "assignment": 7003, "privacy": 7004, "edge": 8080}
QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")  # RFC 1123
FLUSH_SECONDS = 3

Document = dict[str, Any]


class Manifests:
    """The documents of one base."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.documents = render(ROOT, ROOT / "deploy" / service / "base")

    def of(self, kind: str) -> list[Document]:
        return [document for document in self.documents if document["kind"] == kind]

    def one(self, kind: str) -> Document:
        (document,) = self.of(kind)
        return document

    def workloads(self) -> list[Document]:
        return self.of("Deployment") + self.of("Job")

    def pods(self) -> Iterator[Document]:
        for workload in self.workloads():
            yield workload["spec"]["template"]

    def containers(self) -> Iterator[Document]:
        for pod in self.pods():
            yield from pod["spec"]["containers"]


@pytest.fixture(scope="module", params=SERVICES)
def manifests(request: pytest.FixtureRequest) -> Manifests:
    return Manifests(request.param)


def selects(selector: dict[str, str], pod: Document) -> bool:
    return bool(selector.items() <= pod["metadata"]["labels"].items())


def port_numbers(container: Document) -> dict[str, int]:
    return {port["name"]: port["containerPort"] for port in container["ports"]}


def test_kubernetes_accepts_every_document(manifests: Manifests) -> None:
    assert faults(manifests.documents) == []


def test_every_expected_kind_is_there_once(manifests: Manifests) -> None:
    kinds = sorted(document["kind"] for document in manifests.documents)

    migration = [] if manifests.service == "edge" else ["Job"]
    assert kinds == sorted(
        [
            "ConfigMap",
            "Deployment",
            "NetworkPolicy",
            "PodDisruptionBudget",
            "Service",
            "ServiceAccount",
            *migration,
        ]
    )


def test_names_are_rfc_1123_labels_in_one_namespace(manifests: Manifests) -> None:
    for document in manifests.documents:
        assert LABEL.fullmatch(document["metadata"]["name"])
        assert document["metadata"]["namespace"] == "setlist"


def test_the_service_is_headless_and_reaches_a_port_of_the_servers_only(manifests: Manifests) -> None:
    service = manifests.one("Service")["spec"]
    server = manifests.one("Deployment")["spec"]["template"]
    (container,) = server["spec"]["containers"]

    assert service["clusterIP"] == "None"
    assert [pod for pod in manifests.pods() if selects(service["selector"], pod)] == [server]
    (port,) = service["ports"]
    assert port["port"] == SERVICES[manifests.service]
    assert port_numbers(container)[port["targetPort"]] == port["port"]


def test_the_deployment_selects_its_own_pods_only(manifests: Manifests) -> None:
    deployment = manifests.one("Deployment")["spec"]

    selected = [pod for pod in manifests.pods() if selects(deployment["selector"]["matchLabels"], pod)]
    assert selected == [deployment["template"]]


def test_probes_ask_a_port_that_the_container_has(manifests: Manifests) -> None:
    (container,) = manifests.one("Deployment")["spec"]["template"]["spec"]["containers"]
    ports = port_numbers(container)

    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        probe = container[name]
        if manifests.service == "edge":
            assert probe["httpGet"] == {"path": "/healthz", "port": "http"}
        else:
            assert probe["grpc"]["port"] == ports["health"] == SERVICES[manifests.service] + 100
    if manifests.service != "edge":
        assert container["livenessProbe"]["grpc"]["service"] == "liveness"
        assert container["readinessProbe"]["grpc"]["service"] == "readiness"


def test_the_configuration_agrees_with_the_ports(manifests: Manifests) -> None:
    config = manifests.one("ConfigMap")["data"]
    prefix = manifests.service.upper()

    assert config[f"{prefix}_PORT"] == str(SERVICES[manifests.service])
    for name, value in config.items():
        peer = re.fullmatch(rf"{prefix}_([A-Z]+)_ADDRESS", name)
        if peer:
            service = peer[1].lower()
            assert value == f"dns:///{service}.setlist.svc.cluster.local:{SERVICES[service]}"


def test_a_drain_fits_into_the_grace_period(manifests: Manifests) -> None:
    config = manifests.one("ConfigMap")["data"]
    prefix = manifests.service.upper()
    spec = manifests.one("Deployment")["spec"]["template"]["spec"]

    lag, grace = int(config[f"{prefix}_DRAIN_LAG_SECONDS"]), int(config[f"{prefix}_DRAIN_GRACE_SECONDS"])
    assert spec["terminationGracePeriodSeconds"] > lag + grace + FLUSH_SECONDS


def test_a_disruption_leaves_somebody_and_can_happen(manifests: Manifests) -> None:
    budget = manifests.one("PodDisruptionBudget")["spec"]
    deployment = manifests.one("Deployment")["spec"]

    assert 1 <= budget["minAvailable"] < deployment["replicas"]
    assert selects(budget["selector"]["matchLabels"], deployment["template"])


def test_every_pod_is_restricted(manifests: Manifests) -> None:
    for pod in manifests.pods():
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 10_000
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in manifests.containers():
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_resources_are_quantities_and_memory_is_limited(manifests: Manifests) -> None:
    for container in manifests.containers():
        resources = container["resources"]
        assert set(resources["requests"]) == {"cpu", "memory"}
        assert set(resources["limits"]) == {"memory"}
        for quantity in (*resources["requests"].values(), *resources["limits"].values()):
            assert QUANTITY.fullmatch(quantity), quantity


def test_references_resolve(manifests: Manifests) -> None:
    config = manifests.one("ConfigMap")["metadata"]["name"]
    account = manifests.one("ServiceAccount")["metadata"]["name"]
    given = {f"{manifests.service}-secrets", f"{manifests.service}-tls"}  # made by whoever runs the cluster

    for pod in manifests.pods():
        assert pod["spec"]["serviceAccountName"] == account == manifests.service
        volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
        assert {v["secret"]["secretName"] for v in volumes.values() if "secret" in v} <= given
        for container in pod["spec"]["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes)
            for source in container["envFrom"]:
                if "configMapRef" in source:
                    assert source["configMapRef"]["name"] == config
                else:
                    assert source["secretRef"]["name"] in given


def test_the_network_policy_denies_by_default_and_names_its_peers(manifests: Manifests) -> None:
    policy = manifests.one("NetworkPolicy")["spec"]

    assert sorted(policy["policyTypes"]) == ["Egress", "Ingress"]
    for pod in manifests.pods():
        assert selects(policy["podSelector"]["matchLabels"], pod)
    for rule in policy["ingress"]:
        assert rule["from"]
        assert [port["port"] for port in rule["ports"]] == [SERVICES[manifests.service]]
        for peer in rule["from"]:
            if "podSelector" in peer:
                name = peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"]
                assert name in {*SERVICES, "ops"} - {manifests.service}
    for rule in policy["egress"]:
        assert rule["ports"]


def test_what_a_service_may_call_is_what_lets_it_in() -> None:
    suite = {service: Manifests(service) for service in SERVICES}

    def peers(rules: list[Document], side: str) -> set[str]:
        return {
            peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"]
            for rule in rules
            for peer in rule.get(side, [])
            if "podSelector" in peer
        }

    outgoing = {
        (service, peer)
        for service, manifests in suite.items()
        for peer in peers(manifests.one("NetworkPolicy")["spec"]["egress"], "to")
    }
    incoming = {
        (peer, service)
        for service, manifests in suite.items()
        for peer in peers(manifests.one("NetworkPolicy")["spec"]["ingress"], "from")
        if peer != "ops"
    }
    addresses = {
        (service, peer)
        for service, manifests in suite.items()
        for peer in SERVICES
        if f"{service.upper()}_{peer.upper()}_ADDRESS" in manifests.one("ConfigMap")["data"]
    }
    assert outgoing == incoming == addresses


def test_the_job_migrates_with_the_same_image(manifests: Manifests) -> None:
    if manifests.service == "edge":
        assert manifests.of("Job") == []  # it owns no table
        return
    (server,) = manifests.one("Deployment")["spec"]["template"]["spec"]["containers"]
    (migrate,) = manifests.one("Job")["spec"]["template"]["spec"]["containers"]

    assert migrate["image"] == server["image"]
    assert migrate["env"] == [{"name": "PEX_MODULE", "value": f"services.{manifests.service}.migrate"}]


def test_the_dockerfile_copies_the_pex_that_pants_packages(manifests: Manifests) -> None:
    service = manifests.service
    text = (ROOT / "deploy" / service / "Dockerfile").read_text()

    assert "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n" in text
    assert f" dist/services.{service}/{service}.pex /app/{service}.pex\n" in text
    assert re.search(r"^USER 65532", text, re.MULTILINE)
