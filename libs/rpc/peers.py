"""Which service account may call which method. One table per service, and it fails closed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions


@dataclass(frozen=True, slots=True)
class MethodRule:
    """Who may call one method.

    Attributes:
        peers: service accounts, compared whole.
        context: whether a context token is demanded.
        users: whether a person may act; False = only `service:*` subjects.
        stale: whether it is answered, flagged, while it cannot be known what was revoked; so are reads
            (`NO_SIDE_EFFECTS`), never writes.
    """

    peers: frozenset[str]
    context: bool = True
    users: bool = True
    stale: bool = False


PeerTable: TypeAlias = Mapping[str, MethodRule]
"""Full method name (`/setlist.policy.v1.PolicyService/CheckPermission`) → rule."""

_OPEN_TO_OPS = ("grpc.reflection.v1alpha.ServerReflection", "grpc.reflection.v1.ServerReflection")
REFLECTION = {
    f"/{name}/ServerReflectionInfo": MethodRule(frozenset({"ops"}), context=False) for name in _OPEN_TO_OPS
}


def rules(
    service: ServiceDescriptor, methods: Iterable[str], *peers: str, context: bool = True, users: bool = True
) -> dict[str, MethodRule]:
    """Return the same rule for several methods of a service."""
    return {
        f"/{service.full_name}/{method}": MethodRule(
            frozenset(peers), context, users, stale=_reads(service, method)
        )
        for method in methods
    }


def _reads(service: ServiceDescriptor, method: str) -> bool:
    found = service.methods_by_name.get(method)
    return found is not None and found.GetOptions().idempotency_level == MethodOptions.NO_SIDE_EFFECTS


def check_complete(table: PeerTable, services: Iterable[ServiceDescriptor]) -> list[str]:
    """Return one sentence for each method without a rule and each rule without a method."""
    methods = {f"/{s.full_name}/{m.name}" for s in services for m in s.methods}
    missing = [f"`{m}` has no entry in the peer table" for m in sorted(methods - table.keys())]
    surplus = [f"`{m}` is in the peer table but not in a proto" for m in sorted(table.keys() - methods)]
    return missing + surplus
