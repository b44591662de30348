"""PolicyService over gRPC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from libs.kernel.clock import Clock
from libs.kernel.errors import NotBuiltError, NotFoundError, PermissionDeniedError
from libs.kernel.ids import IdSource, account_name, account_of
from libs.rpc.identity import current_caller
from libs.rpc.pages import PageTokens, page_size, query_of
from libs.rpc.unbuilt import UnbuiltStream
from services.policy.app.check import Check, Question, token_of
from services.policy.app.manage_types import ManageTypes
from services.policy.app.ports import OBJECT, RELATIONSHIP, RelationshipRow, Store, UserRow
from services.policy.domain.decide import User
from services.policy.rpc.mapping import (
    FROM_ACTION,
    KINDS,
    TO_ACTION,
    decided_message,
    logged_message,
    object_type_message,
    permissions_json,
    permissions_message,
    relationship_message,
    relationship_type_message,
    tried_messages,
)
from setlist.policy.v1 import policy_service_pb2 as messages
from setlist.policy.v1.policy_service_pb2_grpc import PolicyServiceServicer


@dataclass(frozen=True, slots=True)
class UseCases:
    """Everything the servicer calls."""

    types: ManageTypes
    check: Check
    store: Store
    pages: PageTokens
    clock: Clock
    ids: IdSource


def _kind_and_key(name: str) -> tuple[str, str]:
    _, _, plural, key = name.split("/")
    return KINDS[plural], key


def _require_admin() -> None:
    caller = current_caller()
    if caller.user is not None and not caller.is_admin:
        raise PermissionDeniedError("only admins may change this")


def _require_staff() -> None:
    caller = current_caller()
    if caller.user is not None and caller.role not in ("agent", "admin"):
        raise PermissionDeniedError("only agents and admins may see this")


def _subject(user_id: int) -> int:
    """Return whom a question is about: services and admins may ask about anybody, others about themselves."""
    caller = current_caller()
    if caller.user is None:
        return user_id
    if user_id not in (0, caller.user) and not caller.is_admin:
        raise PermissionDeniedError("you may ask about yourself only")
    return user_id or caller.user


class PolicyServicer(PolicyServiceServicer):
    """Translates, calls, translates."""

    def __init__(self, use: UseCases) -> None:
        self._use = use

    async def CreateObjectType(
        self, request: messages.CreateObjectTypeRequest, context: Any
    ) -> messages.CreateObjectTypeResponse:
        _require_admin()
        row, revision = await self._use.types.create(
            account_of(request.parent), OBJECT, request.key, validate_only=request.validate_only
        )
        return messages.CreateObjectTypeResponse(
            object_type=object_type_message(request.parent, row), token=token_of(revision)
        )

    async def CreateRelationshipType(
        self, request: messages.CreateRelationshipTypeRequest, context: Any
    ) -> messages.CreateRelationshipTypeResponse:
        _require_admin()
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
        _require_staff()
        account, (kind, key) = account_of(request.name), _kind_and_key(request.name)
        row = await self._use.types.get(account, kind, key)
        return messages.GetObjectTypeResponse(object_type=object_type_message(account_name(account), row))

    async def GetRelationshipType(
        self, request: messages.GetRelationshipTypeRequest, context: Any
    ) -> messages.GetRelationshipTypeResponse:
        _require_staff()
        account, (kind, key) = account_of(request.name), _kind_and_key(request.name)
        row = await self._use.types.get(account, kind, key)
        return messages.GetRelationshipTypeResponse(
            relationship_type=relationship_type_message(account_name(account), row)
        )

    async def ListObjectTypes(
        self, request: messages.ListObjectTypesRequest, context: Any
    ) -> messages.ListObjectTypesResponse:
        rows, token = await self._types(request, OBJECT)
        return messages.ListObjectTypesResponse(
            object_types=[object_type_message(request.parent, r) for r in rows], next_page_token=token
        )

    async def ListRelationshipTypes(
        self, request: messages.ListRelationshipTypesRequest, context: Any
    ) -> messages.ListRelationshipTypesResponse:
        rows, token = await self._types(request, RELATIONSHIP)
        return messages.ListRelationshipTypesResponse(
            relationship_types=[relationship_type_message(request.parent, r) for r in rows],
            next_page_token=token,
        )

    async def _types(self, request: Any, kind: str) -> tuple[list[Any], str]:
        _require_staff()
        size, query = page_size(request.page_size), query_of(request)
        after = str(self._use.pages.decode(request.page_token, query).get("after", ""))
        async with self._use.store.transaction(account_of(request.parent)) as tx:
            rows = [r for r in await tx.types(kind) if r.key > after][: size + 1]
        token = self._use.pages.encode({"after": rows[size - 1].key}, query) if len(rows) > size else ""
        return rows[:size], token

    async def DeleteObjectType(
        self, request: messages.DeleteObjectTypeRequest, context: Any
    ) -> messages.DeleteObjectTypeResponse:
        return messages.DeleteObjectTypeResponse(
            token=await self._delete_type(request.name, request.validate_only)
        )

    async def DeleteRelationshipType(
        self, request: messages.DeleteRelationshipTypeRequest, context: Any
    ) -> messages.DeleteRelationshipTypeResponse:
        token = await self._delete_type(request.name, request.validate_only)
        return messages.DeleteRelationshipTypeResponse(token=token)

    async def _delete_type(self, name: str, validate_only: bool) -> str:
        _require_admin()
        kind, key = _kind_and_key(name)
        return token_of(
            await self._use.types.delete(account_of(name), kind, key, validate_only=validate_only)
        )

    async def GetPermissions(
        self, request: messages.GetPermissionsRequest, context: Any
    ) -> messages.GetPermissionsResponse:
        _require_staff()
        account, (kind, key) = account_of(request.name), _kind_and_key(request.name)
        row = await self._use.types.get(account, kind, key)
        return messages.GetPermissionsResponse(
            permissions=permissions_message(account_name(account), row),
            permissions_json=permissions_json(row, patched=False),
        )

    async def UpdatePermissions(
        self, request: messages.UpdatePermissionsRequest, context: Any
    ) -> messages.UpdatePermissionsResponse:
        _require_admin()
        account, (kind, key) = account_of(request.name), _kind_and_key(request.name)
        row, revision = await self._use.types.update_permissions(
            account, kind, key, request.merge_patch_json, request.etag, validate_only=request.validate_only
        )
        return messages.UpdatePermissionsResponse(
            permissions=permissions_message(account_name(account), row),
            permissions_json=permissions_json(row, patched=True),
            token=token_of(revision),
        )

    async def SyncUsers(self, request: messages.SyncUsersRequest, context: Any) -> messages.SyncUsersResponse:
        rows = [
            UserRow(
                User(u.user_id, u.role, u.custom_role_id if u.HasField("custom_role_id") else None),
                tuple(u.group_ids),
                u.organization_id if u.HasField("organization_id") else None,
            )
            for u in request.users
        ]
        async with self._use.store.transaction(account_of(request.parent)) as tx:
            revision = await tx.next_revision()
            gone = set(request.removed_user_ids)
            if request.complete:
                gone |= {u.user.id for u in await tx.users()} - {r.user.id for r in rows}
            changed = await tx.put_users(rows) + await tx.remove_users(sorted(gone))
        return messages.SyncUsersResponse(changed=changed, token=token_of(revision))

    async def CreateRelationship(
        self, request: messages.CreateRelationshipRequest, context: Any
    ) -> messages.CreateRelationshipResponse:
        await self._may_relate(request.parent, [request.relationship], "create")
        (row,) = self._rows([request.relationship])
        async with self._use.store.transaction(account_of(request.parent)) as tx:
            revision = await tx.next_revision()
            await self._require_type(tx, row)
            if not request.validate_only:
                await tx.relate([row])
                found = await tx.relationships(
                    type_key=row.type, source=row.source, target=row.target, limit=1
                )
                row = found[0]
        return messages.CreateRelationshipResponse(
            relationship=relationship_message(request.parent, row), token=token_of(revision)
        )

    async def BatchWriteRelationships(
        self, request: messages.BatchWriteRelationshipsRequest, context: Any
    ) -> messages.BatchWriteRelationshipsResponse:
        await self._may_relate(request.parent, request.creates, "create")
        await self._may_relate(request.parent, request.deletes, "delete")
        creates, deletes = self._rows(request.creates), self._rows(request.deletes)
        async with self._use.store.transaction(account_of(request.parent)) as tx:
            revision = await tx.next_revision()
            for row in creates:
                await self._require_type(tx, row)
            deleted, created = await tx.unrelate(deletes), await tx.relate(creates)
        return messages.BatchWriteRelationshipsResponse(
            created=created, deleted=deleted, token=token_of(revision)
        )

    async def DeleteRelationship(
        self, request: messages.DeleteRelationshipRequest, context: Any
    ) -> messages.DeleteRelationshipResponse:
        _require_admin()
        async with self._use.store.transaction(account_of(request.name)) as tx:
            revision = await tx.next_revision()
            gone = request.validate_only or await tx.delete_relationship(request.name.rpartition("/")[2])
            if not gone:
                raise NotFoundError("no such relationship", metadata={"name": request.name})
        return messages.DeleteRelationshipResponse(token=token_of(revision))

    async def ListRelationships(
        self, request: messages.ListRelationshipsRequest, context: Any
    ) -> messages.ListRelationshipsResponse:
        _require_staff()
        size, query = page_size(request.page_size), query_of(request)
        after = str(self._use.pages.decode(request.page_token, query).get("after", ""))
        async with self._use.store.transaction(account_of(request.parent)) as tx:
            rows = await tx.relationships(
                type_key=request.type,
                source=request.source,
                target=request.target,
                after=after,
                limit=size + 1,
            )
        token = self._use.pages.encode({"after": rows[size - 1].id}, query) if len(rows) > size else ""
        return messages.ListRelationshipsResponse(
            relationships=[relationship_message(request.parent, r) for r in rows[:size]],
            next_page_token=token,
        )

    def _rows(self, given: Sequence[messages.NewRelationship]) -> list[RelationshipRow]:
        now = self._use.clock.now()
        return [
            RelationshipRow(
                self._use.ids.new("rel"),
                r.type,
                r.source,
                r.target,
                now,
                r.expire_time.ToDatetime(UTC) if r.HasField("expire_time") else None,
            )
            for r in given
        ]

    async def _may_relate(self, parent: str, given: Sequence[messages.NewRelationship], action: str) -> None:
        """Let people write only relationships whose type's policy lets them."""
        caller = current_caller()
        if caller.user is None or not given:
            return
        user = int(caller.user)
        questions = [Question(user, action, key) for key in sorted({r.type for r in given})]
        for answer in await self._use.check(account_of(parent), questions):
            if not answer.decided.allowed:
                raise PermissionDeniedError(f"the relationship type does not let you {action} its records")

    @staticmethod
    async def _require_type(tx: Any, row: RelationshipRow) -> None:
        if await tx.type(RELATIONSHIP, row.type) is None:
            raise NotFoundError(f"there is no relationship type `{row.type}`", metadata={"name": row.type})

    async def CheckPermission(
        self, request: messages.CheckPermissionRequest, context: Any
    ) -> messages.CheckPermissionResponse:
        (answer,) = await self._ask(request.parent, [request], request.consistency)
        return messages.CheckPermissionResponse(decided=decided_message(answer))

    async def ExplainDecision(
        self, request: messages.ExplainDecisionRequest, context: Any
    ) -> messages.ExplainDecisionResponse:
        (answer,) = await self._ask(request.parent, [request], request.consistency)
        return messages.ExplainDecisionResponse(decided=decided_message(answer), tried=tried_messages(answer))

    async def BatchCheckPermissions(
        self, request: messages.BatchCheckPermissionsRequest, context: Any
    ) -> messages.BatchCheckPermissionsResponse:
        answers = await self._ask(request.parent, request.questions, request.consistency)
        return messages.BatchCheckPermissionsResponse(
            answers=[messages.Answer(decided=decided_message(a)) for a in answers]
        )

    async def _ask(self, parent: str, asked: Sequence[Any], consistency: messages.Consistency) -> list[Any]:
        if consistency.exact_revision:
            raise NotBuiltError("decisions as of a kept revision are not built yet")
        questions = [
            Question(_subject(q.user_id), TO_ACTION[q.action], q.object_type, q.record_id) for q in asked
        ]
        return await self._use.check(account_of(parent), questions, consistency.at_least)

    async def LookupActions(
        self, request: messages.LookupActionsRequest, context: Any
    ) -> messages.LookupActionsResponse:
        actions = await self._use.check.actions(
            account_of(request.parent), _subject(request.user_id), request.object_type, request.record_id
        )
        return messages.LookupActionsResponse(actions=[FROM_ACTION[a] for a in actions])

    async def ListDecisions(
        self, request: messages.ListDecisionsRequest, context: Any
    ) -> messages.ListDecisionsResponse:
        _require_admin()
        size, query = page_size(request.page_size), query_of(request)
        before = str(self._use.pages.decode(request.page_token, query).get("before", ""))
        async with self._use.store.transaction(account_of(request.parent)) as tx:
            rows = await tx.logged(before, size + 1, request.user_id or None)
        token = self._use.pages.encode({"before": rows[size - 1].id}, query) if len(rows) > size else ""
        return messages.ListDecisionsResponse(
            decisions=[logged_message(r) for r in rows[:size]], next_page_token=token
        )

    async def LookupResources(
        self, request: messages.LookupResourcesRequest, context: Any
    ) -> messages.LookupResourcesResponse:
        raise NotBuiltError("lookup of resources is not built yet")

    async def LookupSubjects(
        self, request: messages.LookupSubjectsRequest, context: Any
    ) -> messages.LookupSubjectsResponse:
        raise NotBuiltError("lookup of subjects is not built yet")

    async def ListEverythingOf(
        self, request: messages.ListEverythingOfRequest, context: Any
    ) -> messages.ListEverythingOfResponse:
        raise NotBuiltError("the list of a user's rights is not built yet")

    async def SimulateChange(
        self, request: messages.SimulateChangeRequest, context: Any
    ) -> messages.SimulateChangeResponse:
        raise NotBuiltError("simulation of changes is not built yet: use validate_only")

    async def LintPolicies(
        self, request: messages.LintPoliciesRequest, context: Any
    ) -> messages.LintPoliciesResponse:
        raise NotBuiltError("lint of policies is not built yet")

    def WatchRelationships(self, request: messages.WatchRelationshipsRequest, context: Any) -> UnbuiltStream:
        return UnbuiltStream("the stream of relationship changes is not built yet")

    def ReadChanges(self, request: messages.ReadChangesRequest, context: Any) -> UnbuiltStream:
        return UnbuiltStream("the change log for embedded decision points is not built yet")

    def ExportRelationships(
        self, request: messages.ExportRelationshipsRequest, context: Any
    ) -> UnbuiltStream:
        return UnbuiltStream("bulk export is not built yet: list relationships instead")

    async def ImportRelationships(
        self, request_iterator: Any, context: Any
    ) -> messages.ImportRelationshipsResponse:
        raise NotBuiltError("bulk import is not built yet: use BatchWriteRelationships")
