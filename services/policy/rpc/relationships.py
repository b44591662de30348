"""RPCs about users and relationship records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from libs.kernel.ids import account_of
from libs.rpc.pages import page_size, query_of
from services.policy.app.ports import RelationshipRow, UserRow
from services.policy.app.tokens import token_of
from services.policy.domain.decide import User
from services.policy.rpc.callers import acting, require_plain, require_targets
from services.policy.rpc.mapping import instant, relationship_message
from services.policy.rpc.use_cases import Methods
from setlist.policy.v1 import policy_service_pb2 as messages


class RelationshipMethods(Methods):
    """Users come from assignment; of people the relationship type's policy decides who writes records."""

    async def SyncUsers(self, request: messages.SyncUsersRequest, context: Any) -> messages.SyncUsersResponse:
        rows = [
            UserRow(
                User(u.user_id, u.role, u.custom_role_id if u.HasField("custom_role_id") else None),
                tuple(u.group_ids),
                u.organization_id if u.HasField("organization_id") else None,
            )
            for u in request.users
        ]
        changed, revision = await self._use.sync_users(
            account_of(request.parent), rows, request.removed_user_ids, complete=request.complete
        )
        return messages.SyncUsersResponse(changed=changed, token=token_of(revision))

    async def CreateRelationship(
        self, request: messages.CreateRelationshipRequest, context: Any
    ) -> messages.CreateRelationshipResponse:
        (row,) = self._rows([request.relationship])
        kept, revision = await self._use.write_relationships.create(
            account_of(request.parent), row, acting(), validate_only=request.validate_only
        )
        return messages.CreateRelationshipResponse(
            relationship=relationship_message(request.parent, kept), token=token_of(revision)
        )

    async def BatchWriteRelationships(
        self, request: messages.BatchWriteRelationshipsRequest, context: Any
    ) -> messages.BatchWriteRelationshipsResponse:
        creates, deletes = self._rows(request.creates), self._rows(request.deletes)
        written = await self._use.write_relationships.batch(
            account_of(request.parent), creates, deletes, acting()
        )
        return messages.BatchWriteRelationshipsResponse(
            created=written.created, deleted=written.deleted, token=token_of(written.revision)
        )

    async def DeleteRelationship(
        self, request: messages.DeleteRelationshipRequest, context: Any
    ) -> messages.DeleteRelationshipResponse:
        revision = await self._use.write_relationships.delete(
            account_of(request.name),
            request.name.rpartition("/")[2],
            acting(),
            validate_only=request.validate_only,
        )
        return messages.DeleteRelationshipResponse(token=token_of(revision))

    async def ListRelationships(
        self, request: messages.ListRelationshipsRequest, context: Any
    ) -> messages.ListRelationshipsResponse:
        require_plain(type=request.type, source=request.source, target=request.target)
        size, query = page_size(request.page_size), query_of(request)
        rows, more = await self._use.list_relationships(
            account_of(request.parent),
            acting(),
            type_key=request.type,
            source=request.source,
            target=request.target,
            after=str(self._use.pages.decode(request.page_token, query).get("after", "")),
            limit=size,
        )
        return messages.ListRelationshipsResponse(
            relationships=[relationship_message(request.parent, r) for r in rows],
            next_page_token=self._use.pages.encode({"after": rows[-1].id}, query) if more else "",
        )

    def _rows(self, given: Sequence[messages.NewRelationship]) -> list[RelationshipRow]:
        require_targets(given)
        now = self._use.clock.now()
        return [
            RelationshipRow(
                self._use.ids.new("rel"),
                r.type,
                r.source,
                r.target,
                now,
                instant(r.expire_time, "expire_time") if r.HasField("expire_time") else None,
            )
            for r in given
        ]
