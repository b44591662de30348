"""AuthZEN's evaluation and evaluations, with all three semantics (facts: policy §5.2, §5.3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from starlette.requests import Request

from services.edge.http.authzen_callers import Asker
from services.edge.http.authzen_entities import Json, action_name, context_of, entity, require_objects
from services.edge.http.authzen_errors import RefusedError
from services.edge.http.authzen_questions import TOKEN, UnknownError, question_of, token_of
from services.edge.http.authzen_setup import authzen_of
from services.edge.http.suite import suite_of
from setlist.policy.v1 import policy_resources_pb2 as resources
from setlist.policy.v1 import policy_service_pb2 as messages

EXECUTE_ALL, DENY_FIRST, PERMIT_FIRST = "execute_all", "deny_on_first_deny", "permit_on_first_permit"
SEMANTICS = (EXECUTE_ALL, DENY_FIRST, PERMIT_FIRST)
DEFAULTS = ("subject", "action", "resource", "context")
MAXIMUM_BATCH_BYTES = 3 * 1024 * 1024
"""Of all questions of a request with their defaults written out; policy takes messages of 4 MiB."""
_STATUSES = {"INVALID_REQUEST": 400, "PERMISSION_DENIED": 403}
Answer = dict[str, Any]


async def evaluation(request: Request, asker: Asker, body: Json) -> Answer:
    """Answer `{decision, context}`."""
    token = token_of(context_of(body))
    try:
        question = _question(body, asker)
    except UnknownError as unknown:
        return _denied(unknown.reason)
    answer = await suite_of(request).policy.CheckPermission(
        messages.CheckPermissionRequest(
            parent=asker.parent,
            user_id=question.user_id,
            action=question.action,
            object_type=question.object_type,
            record_id=question.record_id,
            given=question.given,
            consistency=messages.Consistency(at_least=token),
        ),
        metadata=asker.metadata,
    )
    return _decision(answer.decided)


async def evaluations(request: Request, asker: Asker, body: Json) -> Answer:
    """Answer `{evaluations}` in the order of the items, or as `evaluation` does when there are none."""
    items, maximum = body.get("evaluations", []), authzen_of(request).maximum_items
    if not isinstance(items, list):
        raise RefusedError(400, "evaluations must be an array")
    if not items:
        return await evaluation(request, asker, body)
    if len(items) > maximum:
        raise RefusedError(413, f"there are more than {maximum} evaluations")
    require_objects(body, *DEFAULTS)
    semantic = _semantic(body)
    asked, tokens = _prepare(items, body, asker, semantic)
    questions = [one for one in asked if isinstance(one, messages.Question)]
    decided = iter(await ask(request, asker, questions, tokens))
    answers = (_item(next(decided)) if isinstance(one, messages.Question) else one for one in asked)
    return {"evaluations": list(_until(answers, semantic))}


async def ask(
    request: Request, asker: Asker, questions: Sequence[messages.Question], tokens: set[str]
) -> Sequence[messages.Answer]:
    """Return policy's answers, all on one state of the account.

    Args:
        tokens: of consistency; tokens cannot be compared here, so several ask for the state of now, which
            is at least as fresh as each of them.
    """
    if not questions:
        return ()
    one = next(iter(tokens)) if len(tokens) == 1 else ""
    answer = await suite_of(request).policy.BatchCheckPermissions(
        messages.BatchCheckPermissionsRequest(
            parent=asker.parent,
            questions=questions,
            consistency=messages.Consistency(at_least=one, fully=len(tokens) > 1),
        ),
        metadata=asker.metadata,
    )
    return answer.answers


def _prepare(
    items: Sequence[object], body: Json, asker: Asker, semantic: str
) -> tuple[list[messages.Question | Answer], set[str]]:
    """Return a question or an answer for each item up to a certain end, and the tokens that are sent."""
    defaults = {name: body[name] for name in DEFAULTS if name in body}
    asked: list[messages.Question | Answer] = []
    tokens: set[str] = set()
    size = 0
    for item in items:
        try:
            if not isinstance(item, dict):
                raise RefusedError(400, "the item must be an object")
            whole = {**defaults, **item}  # a member of an item replaces the default whole
            token = token_of(context_of(whole))
            question = _question(whole, asker)
        except RefusedError as error:
            asked.append(_failed(error.status, error.message))
        except UnknownError as unknown:
            asked.append(_denied(unknown.reason))
        else:
            size += question.ByteSize()
            if size > MAXIMUM_BATCH_BYTES:
                raise RefusedError(413, "the evaluations with their defaults written out are too large")
            tokens |= {token} if token else set()
            asked.append(question)
            continue
        if semantic == DENY_FIRST:  # nobody needs to ask what follows a deny
            break
    return asked, tokens


def _question(body: Json, asker: Asker) -> messages.Question:
    subject, action, resource = entity(body, "subject"), action_name(body), entity(body, "resource")
    return question_of(subject, action, resource, context_of(body), trusted=asker.trusted)


def _semantic(body: Json) -> str:
    options = body.get("options", {})
    if not isinstance(options, dict):
        raise RefusedError(400, "options must be an object")
    semantic = options.get("evaluations_semantic", EXECUTE_ALL)
    if semantic not in SEMANTICS:
        raise RefusedError(400, f"options.evaluations_semantic must be one of {', '.join(SEMANTICS)}")
    return str(semantic)


def _until(answers: Iterator[Answer], semantic: str) -> Iterator[Answer]:
    """Yield answers up to and including the one that ends the semantic."""
    for answer in answers:
        if semantic == DENY_FIRST and not answer["decision"]:
            told = answer["context"]
            cause = {"cause": told["reason"]} if "reason" in told else {}
            answer["context"] = {**told, **cause, "reason": DENY_FIRST}
            yield answer
            return
        yield answer
        if semantic == PERMIT_FIRST and answer["decision"]:
            return


def _item(answer: messages.Answer) -> Answer:
    try:
        require_answer(answer)
    except RefusedError as error:
        return _failed(error.status, error.message)
    return _decision(answer.decided)


def require_answer(answer: messages.Answer) -> None:
    """Refuse what policy refused: `REASON: message`.

    Raises:
        RefusedError: the question was not answered.
    """
    if answer.error:
        reason, _, message = answer.error.partition(": ")
        status = _STATUSES.get(reason, 500)
        raise RefusedError(status, (message or reason) if status < 500 else "the question was not answered")


def _decision(decided: resources.Decided) -> Answer:
    """Return a decision; `REBAC:{key}` is told as reason and policy."""
    reason, _, policy = decided.reason.partition(":")
    told = {
        "reason": reason,
        "policy": policy,
        "row": decided.row,
        "decision_id": decided.decision_id,
        TOKEN: decided.token,
    }
    return {"decision": decided.allowed, "context": {name: value for name, value in told.items() if value}}


def _denied(reason: str) -> Answer:
    return {"decision": False, "context": {"reason": reason}}


def _failed(status: int, message: str) -> Answer:
    return {"decision": False, "context": {"error": {"status": status, "message": message}}}
