"""RPCs about users, relationship records and object records."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from libs.decision.rows import ObjectRow, User
from libs.kernel.errors import InvalidRequestError
from libs.kernel.ids import account_of
from libs.rpc.pages import page_size, query_of
from services.policy.app.transfer import Imported
from services.policy.app.write_relationships import CREATES, DELETES, ONE
from services.policy.rpc.callers import acting, actor, require_admin, require_plain
from services.policy.rpc.mapping import object_message, relationship_message, struct_of
from services.policy.rpc.use_cases import Methods, repeat_of
from setlist.policy.v1 import policy_service_pb2 as messages


class RelationshipMethods(Methods):
    """Users come from assignment; of people the relationship type's policy decides who writes records."""

    async def SyncUsers(self, request: messages.SyncUsersRequest, context: Any) -> messages.SyncUsersResponse:
        account = account_of(request.parent)
        users = [
            User(
                u.user_id,
                u.role,
                u.custom_role_id if u.HasField("custom_role_id") else None,
                tuple(u.group_ids),
                u.organization_id if u.HasField("organization_id") else None,
            )
            for u in request.users
        ]
        changed, revision = await self._use.sync_users(
            account, users, request.removed_user_ids, complete=request.complete, actor=actor()
        )
        return messages.SyncUsersResponse(changed=changed, token=self._token(account, revision))

    async def CreateRelationship(
        self, request: messages.CreateRelationshipRequest, context: Any
    ) -> messages.CreateRelationshipResponse:
        account, (row,) = account_of(request.parent), self._rows([request.relationship], ONE)
        kept, revision = await self._use.write_relationships.create(
            account,
            row,
            acting(),
            actor=actor(),
            validate_only=request.validate_only,
            repeat=repeat_of(request),
        )
        return messages.CreateRelationshipResponse(
            relationship=relationship_message(request.parent, kept), token=self._token(account, revision)
        )

    async def BatchWriteRelationships(
        self, request: messages.BatchWriteRelationshipsRequest, context: Any
    ) -> messages.BatchWriteRelationshipsResponse:
        account = account_of(request.parent)
        creates, deletes = self._rows(request.creates, CREATES), self._rows(request.deletes, DELETES)
        done = await self._use.write_relationships.batch(
            account, creates, deletes, acting(), actor=actor(), repeat=repeat_of(request)
        )
        return messages.BatchWriteRelationshipsResponse(
            created=done.created, deleted=done.deleted, token=self._token(account, done.revision)
        )

    async def DeleteRelationship(
        self, request: messages.DeleteRelationshipRequest, context: Any
    ) -> messages.DeleteRelationshipResponse:
        account = account_of(request.name)
        revision = await self._use.write_relationships.delete(
            account,
            request.name.rpartition("/")[2],
            acting(),
            actor=actor(),
            validate_only=request.validate_only,
        )
        return messages.DeleteRelationshipResponse(token=self._token(account, revision))

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

    async def BatchWriteObjects(
        self, request: messages.BatchWriteObjectsRequest, context: Any
    ) -> messages.BatchWriteObjectsResponse:
        require_admin()
        account = account_of(request.parent)
        for put in request.puts:
            require_plain(type=put.type)
        puts = [
            ObjectRow(r.type, r.record_id, struct_of(r.attributes, f"puts[{place}].attributes"))
            for place, r in enumerate(request.puts)
        ]
        deletes = [(r.type, r.record_id) for r in request.deletes]
        for _, record_id in deletes:
            require_plain(record_id=record_id)
        changed, deleted, revision = await self._use.objects.write(
            account, puts, deletes, actor=actor(), repeat=repeat_of(request)
        )
        return messages.BatchWriteObjectsResponse(
            changed=changed, deleted=deleted, token=self._token(account, revision)
        )

    async def ListObjects(
        self, request: messages.ListObjectsRequest, context: Any
    ) -> messages.ListObjectsResponse:
        require_admin()
        require_plain(object_type=request.type)
        account = account_of(request.parent)
        size, query = page_size(request.page_size), query_of(request)
        position = self._use.pages.decode(request.page_token, query)
        asked = self._asked(account, messages.Consistency(), position)
        page = await self._use.objects.list(
            account, request.type, asked.freshness, after=str(position.get("after", "")), limit=size
        )
        further = {"after": page.rows[-1].id if page.rows else "", "revision": page.revision, "now": 0}
        return messages.ListObjectsResponse(
            objects=[object_message(row) for row in page.rows],
            next_page_token=self._use.pages.encode(further, query) if page.more else "",
        )

    async def ImportRelationships(
        self, request_iterator: AsyncIterator[messages.ImportRelationshipsRequest], context: Any
    ) -> messages.ImportRelationshipsResponse:
        done, parent = Imported(), ""
        async for request in request_iterator:
            require_admin()
            if parent not in ("", request.parent):
                raise InvalidRequestError("every message of an import names the same account")
            parent = request.parent
            if request.relationships:
                rows = self._rows(request.relationships, "relationships[{}]")
                await self._use.importing(account_of(parent), rows, done, actor=actor())
        if not parent:
            raise InvalidRequestError("the import is empty: name the account in a message at least")
        return messages.ImportRelationshipsResponse(
            created=done.created,
            token=self._token(account_of(parent), done.revision),
            skipped=done.skipped,
            refused=[messages.RefusedRelationship(place=p, error=why) for p, why in done.refused],
            refused_count=done.refused_count,
        )

    async def ExportRelationships(
        self, request: messages.ExportRelationshipsRequest, context: Any
    ) -> AsyncIterator[messages.ExportRelationshipsResponse]:
        require_admin()
        require_plain(type=request.type)
        account = account_of(request.parent)
        freshness = self._freshness(account, request.consistency)
        async for revision, rows in self._use.exporting(account, freshness, request.type):
            for row in rows:
                yield messages.ExportRelationshipsResponse(
                    relationship=relationship_message(request.parent, row), revision=revision
                )
