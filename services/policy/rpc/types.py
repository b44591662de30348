"""RPCs about types and their permissions."""

from __future__ import annotations

from typing import Any

from libs.decision.differences import Flip
from libs.kernel.errors import FieldViolation, InvalidRequestError
from libs.kernel.ids import account_name, account_of
from libs.rpc.pages import page_size, query_of
from services.policy.app.asked import Freshness
from services.policy.app.ports import OBJECT, RELATIONSHIP, TypeRow
from services.policy.app.simulate_change import Proposal
from services.policy.app.write_relationships import CREATES, DELETES
from services.policy.rpc.callers import acting, actor, require_admin, require_staff
from services.policy.rpc.mapping import (
    extensions_of,
    flip_message,
    kind_and_key,
    object_type_message,
    permissions_json,
    permissions_message,
    relationship_type_message,
    warning_message,
)
from services.policy.rpc.use_cases import Methods, of_page, repeat_of
from setlist.policy.v1 import policy_service_pb2 as messages


class TypeMethods(Methods):
    """Types: made and deleted by admins, read by whoever reads their records; permissions by role alone."""

    async def CreateObjectType(
        self, request: messages.CreateObjectTypeRequest, context: Any
    ) -> messages.CreateObjectTypeResponse:
        require_admin()
        account = account_of(request.parent)
        row, revision = await self._use.types.create(
            account,
            OBJECT,
            request.key,
            actor=actor(),
            validate_only=request.validate_only,
            repeat=repeat_of(request),
        )
        return messages.CreateObjectTypeResponse(
            object_type=object_type_message(request.parent, row), token=self._token(account, revision)
        )

    async def CreateRelationshipType(
        self, request: messages.CreateRelationshipTypeRequest, context: Any
    ) -> messages.CreateRelationshipTypeResponse:
        require_admin()
        account = account_of(request.parent)
        row, revision = await self._use.types.create(
            account,
            RELATIONSHIP,
            request.key,
            source=request.source,
            target=request.target,
            many=request.many,
            actor=actor(),
            validate_only=request.validate_only,
            repeat=repeat_of(request),
        )
        return messages.CreateRelationshipTypeResponse(
            relationship_type=relationship_type_message(request.parent, row),
            token=self._token(account, revision),
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
        account, (kind, key) = account_of(name), kind_and_key(name)
        revision = await self._use.types.delete(
            account, kind, key, actor=actor(), validate_only=validate_only
        )
        return self._token(account, revision)

    async def GetPermissions(
        self, request: messages.GetPermissionsRequest, context: Any
    ) -> messages.GetPermissionsResponse:
        require_staff()
        account, (kind, key) = account_of(request.name), kind_and_key(request.name)
        freshness = self._freshness(account, request.consistency)
        row = await self._use.read_types.as_of(account, kind, key, freshness)
        return messages.GetPermissionsResponse(
            permissions=permissions_message(account_name(account), row),
            permissions_json=permissions_json(row, patched=False),
        )

    async def UpdatePermissions(
        self, request: messages.UpdatePermissionsRequest, context: Any
    ) -> messages.UpdatePermissionsResponse:
        require_admin()
        account, (kind, key) = account_of(request.name), kind_and_key(request.name)
        warned = set(await self._use.lint(account))
        changed = await self._use.types.update_permissions(
            account,
            kind,
            key,
            request.merge_patch_json,
            request.etag,
            actor=actor(),
            validate_only=request.validate_only,
        )
        warnings = [] if request.validate_only else await self._use.lint(account)
        return messages.UpdatePermissionsResponse(
            permissions=permissions_message(account_name(account), changed.row),
            permissions_json=permissions_json(changed.row, patched=True),
            token=self._token(account, changed.revision),
            ignored=changed.ignored,
            warnings=[warning_message(warning) for warning in warnings if warning not in warned],
        )

    async def UpdateExtensions(
        self, request: messages.UpdateExtensionsRequest, context: Any
    ) -> messages.UpdateExtensionsResponse:
        require_admin()
        account, (_, key) = account_of(request.name), kind_and_key(request.name)
        changed = await self._use.types.update_extensions(
            account,
            key,
            extensions_of(request.extensions),
            request.etag,
            actor=actor(),
            validate_only=request.validate_only,
        )
        return messages.UpdateExtensionsResponse(
            permissions=permissions_message(account_name(account), changed.row),
            token=self._token(account, changed.revision),
        )

    async def LintPolicies(
        self, request: messages.LintPoliciesRequest, context: Any
    ) -> messages.LintPoliciesResponse:
        require_admin()
        found = await self._use.lint(account_of(request.parent))
        return messages.LintPoliciesResponse(warnings=[warning_message(warning) for warning in found])

    async def SimulateChange(
        self, request: messages.SimulateChangeRequest, context: Any
    ) -> messages.SimulateChangeResponse:
        require_admin()
        account = account_of(request.name)
        size, query = page_size(request.page_size), query_of(request)
        position = self._use.pages.decode(request.page_token, query)
        found = await self._use.simulate(
            account,
            self._proposal(request),
            of_page(position, Freshness(fully=True)),
            skip=int(position.get("skip", 0)),
            limit=size,
        )
        further = {"skip": int(position.get("skip", 0)) + size, "revision": found.revision, "now": found.now}
        flips = [flip_message(flip) for flip in found.flips]
        return messages.SimulateChangeResponse(
            gained=found.gained,
            lost=found.lost,
            examples=[sentence_of(flip) for flip in found.flips[:10]],
            flips=flips,
            next_page_token=self._use.pages.encode(further, query) if found.more else "",
            users_gaining=found.gaining,
            users_losing=found.losing,
            warnings=[warning_message(warning) for warning in found.warnings],
            revision=found.revision,
        )

    def _proposal(self, request: messages.SimulateChangeRequest) -> Proposal:
        kind, key = kind_and_key(request.name) if request.name.count("/") > 1 else ("", "")
        extensions = extensions_of(request.extensions) if request.HasField("extensions") else None
        changes_type = bool(request.merge_patch_json) or extensions is not None
        if changes_type and not kind:
            fault = FieldViolation("name", "is not that of a type, and a patch is given")
            raise InvalidRequestError(f"`name` {fault.description}", violations=[fault])
        if extensions is not None and kind == RELATIONSHIP:
            fault = FieldViolation("extensions", "are for object types only")
            raise InvalidRequestError(f"`extensions` {fault.description}", violations=[fault])
        creates, deletes = self._rows(request.creates, CREATES), self._rows(request.deletes, DELETES)
        return Proposal(kind, key, request.merge_patch_json, extensions, creates, deletes)


def sentence_of(flip: Flip) -> str:
    """Return an answer that would differ as a sentence."""
    what = f"every record of {flip.type}" if flip.record == "*" else f"{flip.type}/{flip.record}"
    return f"user {flip.user} {'gains' if flip.allowed else 'loses'} {flip.action} on {what}"
