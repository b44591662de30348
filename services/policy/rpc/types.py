"""RPCs about types and their permissions."""

from __future__ import annotations

from typing import Any

from libs.kernel.ids import account_name, account_of
from libs.rpc.pages import page_size, query_of
from services.policy.app.ports import OBJECT, RELATIONSHIP, TypeRow
from services.policy.app.tokens import token_of
from services.policy.rpc.callers import acting, require_admin, require_staff
from services.policy.rpc.mapping import (
    kind_and_key,
    object_type_message,
    permissions_json,
    permissions_message,
    relationship_type_message,
)
from services.policy.rpc.use_cases import Methods
from setlist.policy.v1 import policy_service_pb2 as messages


class TypeMethods(Methods):
    """Types: made and deleted by admins, read by whoever reads their records; permissions by role alone."""

    async def CreateObjectType(
        self, request: messages.CreateObjectTypeRequest, context: Any
    ) -> messages.CreateObjectTypeResponse:
        require_admin()
        row, revision = await self._use.types.create(
            account_of(request.parent), OBJECT, request.key, validate_only=request.validate_only
        )
        return messages.CreateObjectTypeResponse(
            object_type=object_type_message(request.parent, row), token=token_of(revision)
        )

    async def CreateRelationshipType(
        self, request: messages.CreateRelationshipTypeRequest, context: Any
    ) -> messages.CreateRelationshipTypeResponse:
        require_admin()
        row, revision = await self._use.types.create(
            account_of(request.parent),
            RELATIONSHIP,
            request.key,
            source=request.source,
            target=request.target,
            many=request.many,
            validate_only=request.validate_only,
        )
        return messages.CreateRelationshipTypeResponse(
            relationship_type=relationship_type_message(request.parent, row), token=token_of(revision)
        )

    async def GetObjectType(
        self, request: messages.GetObjectTypeRequest, context: Any
    ) -> messages.GetObjectTypeResponse:
        account, (kind, key) = account_of(request.name), kind_and_key(request.name)
        row = await self._use.read_types.get(account, kind, key, acting())
        return messages.GetObjectTypeResponse(object_type=object_type_message(account_name(account), row))

    async def GetRelationshipType(
        self, request: messages.GetRelationshipTypeRequest, context: Any
    ) -> messages.GetRelationshipTypeResponse:
        account, (kind, key) = account_of(request.name), kind_and_key(request.name)
        row = await self._use.read_types.get(account, kind, key, acting())
        return messages.GetRelationshipTypeResponse(
            relationship_type=relationship_type_message(account_name(account), row)
        )

    async def ListObjectTypes(
        self, request: messages.ListObjectTypesRequest, context: Any
    ) -> messages.ListObjectTypesResponse:
        rows, token = await self._list(request, OBJECT)
        return messages.ListObjectTypesResponse(
            object_types=[object_type_message(request.parent, r) for r in rows], next_page_token=token
        )

    async def ListRelationshipTypes(
        self, request: messages.ListRelationshipTypesRequest, context: Any
    ) -> messages.ListRelationshipTypesResponse:
        rows, token = await self._list(request, RELATIONSHIP)
        return messages.ListRelationshipTypesResponse(
            relationship_types=[relationship_type_message(request.parent, r) for r in rows],
            next_page_token=token,
        )

    async def _list(self, request: Any, kind: str) -> tuple[list[TypeRow], str]:
        size, query = page_size(request.page_size), query_of(request)
        after = str(self._use.pages.decode(request.page_token, query).get("after", ""))
        rows, more = await self._use.read_types.list(
            account_of(request.parent), kind, acting(), after=after, limit=size
        )
        return rows, self._use.pages.encode({"after": rows[-1].key}, query) if more else ""

    async def DeleteObjectType(
        self, request: messages.DeleteObjectTypeRequest, context: Any
    ) -> messages.DeleteObjectTypeResponse:
        token = await self._delete_type(request.name, request.validate_only)
        return messages.DeleteObjectTypeResponse(token=token)

    async def DeleteRelationshipType(
        self, request: messages.DeleteRelationshipTypeRequest, context: Any
    ) -> messages.DeleteRelationshipTypeResponse:
        token = await self._delete_type(request.name, request.validate_only)
        return messages.DeleteRelationshipTypeResponse(token=token)

    async def _delete_type(self, name: str, validate_only: bool) -> str:
        require_admin()
        kind, key = kind_and_key(name)
        return token_of(
            await self._use.types.delete(account_of(name), kind, key, validate_only=validate_only)
        )

    async def GetPermissions(
        self, request: messages.GetPermissionsRequest, context: Any
    ) -> messages.GetPermissionsResponse:
        require_staff()
        account, (kind, key) = account_of(request.name), kind_and_key(request.name)
        row = await self._use.read_types.get(account, kind, key)
        return messages.GetPermissionsResponse(
            permissions=permissions_message(account_name(account), row),
            permissions_json=permissions_json(row, patched=False),
        )

    async def UpdatePermissions(
        self, request: messages.UpdatePermissionsRequest, context: Any
    ) -> messages.UpdatePermissionsResponse:
        require_admin()
        account, (kind, key) = account_of(request.name), kind_and_key(request.name)
        row, revision = await self._use.types.update_permissions(
            account, kind, key, request.merge_patch_json, request.etag, validate_only=request.validate_only
        )
        return messages.UpdatePermissionsResponse(
            permissions=permissions_message(account_name(account), row),
            permissions_json=permissions_json(row, patched=True),
            token=token_of(revision),
        )

    async def LintPolicies(
        self, request: messages.LintPoliciesRequest, context: Any
    ) -> messages.LintPoliciesResponse:
        require_admin()
        found = await self._use.lint(account_of(request.parent))
        return messages.LintPoliciesResponse(
            warnings=[messages.Warning(code=w.code, type=w.type, text=w.text) for w in found]
        )
