"""Auth and policy, as assignment needs them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import grpc

from libs.clients.channels import Channels
from libs.clients.context_tokens import AUTH, ContextTokens, Metadata
from libs.kernel.ids import AccountId, account_name
from services.assignment.app.rows import AgentRow
from services.assignment.domain.model import Restrictions
from setlist.auth.v1 import auth_service_pb2 as auth
from setlist.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from setlist.policy.v1 import policy_resources_pb2 as policy_resources
from setlist.policy.v1 import policy_service_pb2 as policy
from setlist.policy.v1.policy_service_pb2_grpc import PolicyServiceStub

if TYPE_CHECKING:
    from setlist.policy.v1.policy_service_pb2_grpc import PolicyServiceAsyncStub

POLICY = policy.DESCRIPTOR.services_by_name["PolicyService"]
SETTINGS_TYPE = "agent_settings"
MANAGES_TYPE = "manages_agent_settings"
_UNTOUCHED = "1"
"""Etag of permissions that were never updated."""
# Admins may; agents only through a relationship `manages_agent_settings` from them to the record.
_PERMISSIONS = (
    '{"rbac":{"agent":{"create":false,"read":true,"update":false,"delete":false}},'
    '"rebac":{"manages_agent_settings":{"agent":{"read":true,"update":true}}}}'
)
# Nobody but admins may grant: without this row any agent could make himself an administrator.
_GRANT_PERMISSIONS = '{"rbac":{"agent":{"create":false,"read":true,"update":false,"delete":false}}}'


class AuthInstallations:
    """Implements the port `Installations`."""

    def __init__(self, channels: Channels) -> None:
        self._channels = channels

    async def restrictions(self, account: AccountId) -> Restrictions:
        stub = AuthServiceStub(self._channels.to("auth", [AUTH]))
        answer = await stub.GetInstallation(auth.GetInstallationRequest(account=account_name(account)))
        found = answer.installation
        return Restrictions(frozenset(found.group_restrictions), frozenset(found.role_restrictions))


class PolicyClient:
    """Implements the port `Policy`."""

    def __init__(self, channels: Channels, tokens: ContextTokens) -> None:
        self._channels = channels
        self._tokens = tokens

    async def _stub(self, account: AccountId) -> tuple[PolicyServiceAsyncStub, Metadata]:
        stub = PolicyServiceStub(self._channels.to("policy", [POLICY]))
        return stub, await self._tokens.job(account, "policy")

    async def may_update_settings(self, account: AccountId, user: int, agent: int) -> str | None:
        stub, metadata = await self._stub(account)
        answer = await stub.CheckPermission(
            policy.CheckPermissionRequest(
                parent=account_name(account),
                user_id=user,
                action=policy_resources.ACTION_UPDATE,
                object_type=SETTINGS_TYPE,
                record_id=str(agent),
            ),
            metadata=metadata,
        )
        return answer.decided.reason if answer.decided.allowed else None

    async def publish(self, account: AccountId, agents: Sequence[AgentRow]) -> None:
        stub, metadata = await self._stub(account)
        parent = account_name(account)
        users = [
            policy_resources.User(
                user_id=a.user_id, role=a.role, custom_role_id=a.custom_role_id, group_ids=a.groups
            )
            for a in agents
        ]
        await stub.SyncUsers(
            policy.SyncUsersRequest(parent=parent, users=users, complete=True), metadata=metadata
        )
        await self._ensure_types(stub, metadata, parent)
        await self._relate(stub, metadata, parent, agents)

    async def _ensure_types(self, stub: PolicyServiceAsyncStub, metadata: Metadata, parent: str) -> None:
        await _made(
            stub.CreateObjectType(
                policy.CreateObjectTypeRequest(parent=parent, key=SETTINGS_TYPE), metadata=metadata
            )
        )
        await _made(
            stub.CreateRelationshipType(
                policy.CreateRelationshipTypeRequest(
                    parent=parent,
                    key=MANAGES_TYPE,
                    source="zen:user",
                    target=SETTINGS_TYPE,
                    many=True,
                ),
                metadata=metadata,
            )
        )
        # Not only when they were made just now: a process may have died between the two.
        for name, patch in (
            (f"{parent}/objectTypes/{SETTINGS_TYPE}", _PERMISSIONS),
            (f"{parent}/relationshipTypes/{MANAGES_TYPE}", _GRANT_PERMISSIONS),
        ):
            shown = await stub.GetPermissions(policy.GetPermissionsRequest(name=name), metadata=metadata)
            if shown.permissions.etag == _UNTOUCHED:  # what an admin changed since is his
                await stub.UpdatePermissions(
                    policy.UpdatePermissionsRequest(name=name, merge_patch_json=patch, etag=_UNTOUCHED),
                    metadata=metadata,
                )

    async def _relate(
        self, stub: PolicyServiceAsyncStub, metadata: Metadata, parent: str, agents: Sequence[AgentRow]
    ) -> None:
        managers = {a.user_id for a in agents if a.manager}
        wanted = {(f"zen:user:{m}", str(a.user_id)) for m in managers for a in agents}
        present: set[tuple[str, str]] = set()
        token = ""
        while True:
            page = await stub.ListRelationships(
                policy.ListRelationshipsRequest(
                    parent=parent, type=MANAGES_TYPE, page_size=1000, page_token=token
                ),
                metadata=metadata,
            )
            present |= {(r.source, r.target) for r in page.relationships}
            token = page.next_page_token
            if not token:
                break

        def rows(pairs: set[tuple[str, str]]) -> list[policy.NewRelationship]:
            return [policy.NewRelationship(type=MANAGES_TYPE, source=s, target=t) for s, t in sorted(pairs)]

        creates, deletes = rows(wanted - present), rows(present - wanted)
        for begin in range(0, max(len(creates), len(deletes)), 1000):
            await stub.BatchWriteRelationships(
                policy.BatchWriteRelationshipsRequest(
                    parent=parent,
                    creates=creates[begin : begin + 1000],
                    deletes=deletes[begin : begin + 1000],
                ),
                metadata=metadata,
            )


async def _made(call: object) -> None:
    """Await a creation; an existing type is as good as a new one."""
    try:
        await call  # type: ignore[misc]  # a call of the stub
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.ALREADY_EXISTS:
            raise
