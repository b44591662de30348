"""Which service account may call which method. One table per service, and it fails closed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from google.protobuf.descriptor import ServiceDescriptor


@dataclass(frozen=True, slots=True)
class MethodRule:
    """Who may call one method.

    Attributes:
        peers: service accounts, compared whole.
        context: whether a context token is demanded.
        users: whether a person may act; False = only `service:*` subjects.
    """

    peers: frozenset[str]
    context: bool = True
    users: bool = True


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
    rule = MethodRule(frozenset(peers), context, users)
    return {f"/{service.full_name}/{method}": rule for method in methods}


def check_complete(table: PeerTable, services: Iterable[ServiceDescriptor]) -> list[str]:
    """Return one sentence for each method without a rule and each rule without a method."""
    methods = {f"/{s.full_name}/{m.name}" for s in services for m in s.methods}
    missing = [f"`{m}` has no entry in the peer table" for m in sorted(methods - table.keys())]
    surplus = [f"`{m}` is in the peer table but not in a proto" for m in sorted(table.keys() - methods)]
    return missing + surplus
