"""AuthZEN's searches for subjects, resources and actions (facts: policy §5.4).

Only what policy knows can be found: users of the directory, records that were put or that relationships lead
to (decision 14). What goes beyond is told in the context: `role_grants`, `all_records`.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from services.edge.http.authzen_callers import Asker
from services.edge.http.authzen_entities import Entity, Json, action_name, context_of, entity
from services.edge.http.authzen_pages import Found, paged
from services.edge.http.authzen_questions import (
    RELATIONSHIP,
    TYPES,
    USER,
    UnknownError,
    action_of,
    actions_of,
    given_of,
    object_type_of,
    target_of,
    token_of,
    user_of,
)
from services.edge.http.authzen_setup import authzen_of
from services.edge.http.authzen_types import allowed_actions, allowed_types, relationship_records
from services.edge.http.suite import suite_of
from setlist.policy.v1 import policy_service_pb2 as messages


async def search_subject(request: Request, asker: Asker, body: Json) -> dict[str, Any]:
    """Answer who may do it."""
    subject, action = entity(body, "subject", with_id=False), action_name(body)
    resource, context = entity(body, "resource"), context_of(body)
    consistency = messages.Consistency(at_least=token_of(context))

    async def fetch(position: str, limit: int) -> Found:
        if subject.type != USER:
            return Found([])
        try:
            object_type, record = target_of(resource)
            known = action_of(action, resource.type)
        except UnknownError:
            return Found([])
        answer = await suite_of(request).policy.LookupSubjects(
            messages.LookupSubjectsRequest(
                parent=asker.parent,
                action=known,
                object_type=object_type,
                record_id=record,
                consistency=consistency,
                given=given_of(None, resource, context, trusted=False),
                page_size=limit,
                page_token=position,
            ),
            metadata=asker.metadata,
        )
        context_ = {"role_grants": list(answer.role_grants)} if answer.role_grants else {}
        results = [{"type": USER, "id": str(user)} for user in answer.user_ids]
        return Found(results, answer.next_page_token, context_)

    search = _search("subject", asker, context, resource, {"type": subject.type}, action)
    return await paged(authzen_of(request), body, search, fetch)


async def search_resource(request: Request, asker: Asker, body: Json) -> dict[str, Any]:
    """Answer with what he may do it."""
    subject, action = entity(body, "subject"), action_name(body)
    resource, context = entity(body, "resource", with_id=False), context_of(body)
    token = token_of(context)

    async def fetch(position: str, limit: int) -> Found:
        try:
            user, known = user_of(subject), action_of(action, resource.type)
            given = given_of(subject, resource, context, trusted=asker.trusted)
            if resource.type in TYPES:
                question = messages.Question(user_id=user, action=known, given=given)
                return await allowed_types(request, asker, resource.type, question, token, position, limit)
            object_type = object_type_of(resource.type)
        except UnknownError:
            return Found([])
        key = object_type.removeprefix(RELATIONSHIP) if object_type.startswith(RELATIONSHIP) else ""
        answer = await suite_of(request).policy.LookupResources(
            messages.LookupResourcesRequest(
                parent=asker.parent,
                user_id=user,
                action=known,
                object_type=object_type,
                consistency=messages.Consistency(at_least=token),
                given=given,
                list_all=not key,
                page_size=limit,
                page_token="" if key else position,
            ),
            metadata=asker.metadata,
        )
        if key:
            if not answer.all_records:
                return Found([])
            return await relationship_records(request, asker, key, position, limit)
        results = [{"type": resource.type, "id": record} for record in answer.record_ids]
        return Found(results, answer.next_page_token, {"all_records": True} if answer.all_records else {})

    search = _search("resource", asker, context, subject, {"type": resource.type}, action)
    return await paged(authzen_of(request), body, search | {"properties": resource.properties}, fetch)


async def search_action(request: Request, asker: Asker, body: Json) -> dict[str, Any]:
    """Answer what he may do with it."""
    subject, resource, context = entity(body, "subject"), entity(body, "resource"), context_of(body)
    token = token_of(context)

    async def fetch(position: str, limit: int) -> Found:
        names = list(actions_of(resource.type))
        try:
            object_type, record = target_of(resource)
            given = given_of(subject, resource, context, trusted=asker.trusted)
            question = messages.Question(
                user_id=user_of(subject), object_type=object_type, record_id=record, given=given
            )
        except UnknownError:
            return Found([])
        allowed = await allowed_actions(request, asker, actions_of(resource.type), question, token)
        rest = [name for name in names[int(position or 0) :] if name in allowed]
        end = names.index(rest[limit]) if len(rest) > limit else None
        return Found([{"name": name} for name in rest[:limit]], str(end) if end else "")

    search = _search("action", asker, context, subject, {}, "") | {"resource": _plain(resource)}
    return await paged(authzen_of(request), body, search, fetch)


def _plain(one: Entity) -> dict[str, Any]:
    return {"type": one.type, "id": one.id, "properties": one.properties}


def _search(
    kind: str, asker: Asker, context: Json, given: Entity, searched: dict[str, str], action: str
) -> dict[str, Any]:
    """Return what must be the same on every page."""
    return {
        "kind": kind,
        "asker": [asker.parent, asker.trusted],
        "context": context,
        "given": _plain(given),
        "searched": searched,
        "action": action,
    }
