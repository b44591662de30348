"""Searches that policy has no lookup for: which types, which actions, which relationship records."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from starlette.requests import Request

from libs.kernel.ids import account_of
from services.edge.http.authzen_callers import Asker
from services.edge.http.authzen_evaluation import ask, require_answer
from services.edge.http.authzen_pages import Found
from services.edge.http.authzen_questions import RELATIONSHIP, TYPES
from services.edge.http.suite import suite_of
from setlist.policy.v1 import policy_resources_pb2 as resources
from setlist.policy.v1 import policy_service_pb2 as messages

PAGE = 1000


async def allowed_types(
    request: Request,
    asker: Asker,
    kind: str,
    question: messages.Question,
    token: str,
    position: str,
    limit: int,
) -> Found:
    """Return the types, by key, of which the question holds.

    Args:
        kind: `type` or `relationship_type`.
        question: without its object type.
        position: the last key before.

    Raises:
        RefusedError: policy does not answer such questions of this asker.
    """
    found: list[dict[str, str]] = []
    async for keys in _keys(request, asker, kind):
        after = [key for key in keys if key > position]
        questions = []
        for key in after:
            one = messages.Question(object_type=TYPES[kind] + key)
            one.MergeFrom(question)
            questions.append(one)
        answers = await ask(request, asker, questions, {token} if token else set())
        for key, answer in zip(after, answers, strict=True):
            require_answer(answer)
            if answer.decided.allowed:
                if len(found) == limit:
                    return Found(found, found[-1]["id"])
                found.append({"type": kind, "id": key})
    return Found(found)


async def _keys(request: Request, asker: Asker, kind: str) -> AsyncIterator[list[str]]:
    """Yield the keys of all types, in order; in the edge's name, since each is then decided upon.

    A person who lists types sees those whose records he reads, and may show the policies of others too.
    """
    suite = suite_of(request)
    acting = await suite.job(account_of(asker.parent), "policy")
    page = ""
    while True:
        if kind == "type":
            objects = await suite.policy.ListObjectTypes(
                messages.ListObjectTypesRequest(parent=asker.parent, page_size=PAGE, page_token=page),
                metadata=acting.metadata,
            )
            keys, page = [one.key for one in objects.object_types], objects.next_page_token
        else:
            relationships = await suite.policy.ListRelationshipTypes(
                messages.ListRelationshipTypesRequest(parent=asker.parent, page_size=PAGE, page_token=page),
                metadata=acting.metadata,
            )
            keys = [one.key for one in relationships.relationship_types]
            page = relationships.next_page_token
        yield keys
        if not page:
            return


async def relationship_records(request: Request, asker: Asker, key: str, position: str, limit: int) -> Found:
    """Return the records of a relationship type, by id; for those whose role gives every one of them.

    Nothing but roles decides about relationship records, so that it is all of them or none.
    """
    suite = suite_of(request)
    acting = await suite.job(account_of(asker.parent), "policy")
    answer = await suite.policy.ListRelationships(
        messages.ListRelationshipsRequest(
            parent=asker.parent, type=key, page_size=limit, page_token=position
        ),
        metadata=acting.metadata,
    )
    ids = [one.name.rpartition("/")[2] for one in answer.relationships]
    results = [{"type": f"{RELATIONSHIP}{key}", "id": one} for one in ids]
    return Found(results, answer.next_page_token, {"all_records": True})


async def allowed_actions(
    request: Request,
    asker: Asker,
    actions: Mapping[str, resources.Action.ValueType],
    question: messages.Question,
    token: str,
) -> set[str]:
    """Return the names of the actions for which the question, without its action, holds.

    Raises:
        RefusedError: as above.
    """
    questions = []
    for action in actions.values():
        one = messages.Question(action=action)
        one.MergeFrom(question)
        questions.append(one)
    answers = await ask(request, asker, questions, {token} if token else set())
    for answer in answers:
        require_answer(answer)
    return {name for name, answer in zip(actions, answers, strict=True) if answer.decided.allowed}
