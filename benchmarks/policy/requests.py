"""Questions as bytes on the wire, ours and Cerbos', and what the answers say."""

from __future__ import annotations

import random
from collections.abc import Sequence

from benchmarks.policy.model import (
    ACCOUNT,
    CONTRACT,
    KINDS,
    OWNS,
    PRODUCT,
    Asked,
    Model,
    asked_about,
    questions,
)
from libs.decision.rows import ACTIONS
from libs.decision.snapshot import Snapshot
from setlist.policy.v1 import policy_resources_pb2 as resources
from setlist.policy.v1 import policy_service_pb2 as messages

BATCH = 50
SERVICE = "/setlist.policy.v1.PolicyService"
CHECK, CHECK_BATCH = f"{SERVICE}/CheckPermission", f"{SERVICE}/BatchCheckPermissions"
_PARENT = f"accounts/{ACCOUNT}"


def single(model: Model, snapshot: Snapshot, count: int) -> tuple[list[Asked], list[Asked]]:
    """Return different questions of the seed alone, and different ones with a condition."""
    kinds = questions(model, snapshot, count)
    plain = [one for kind in KINDS[:3] for one in kinds[kind]]
    random.Random(model.seed).shuffle(plain)
    return plain, kinds[KINDS[3]]


def batches(model: Model, snapshot: Snapshot, count: int) -> list[list[Asked]]:
    """Return batches of 50 questions about one user each: half of the records are related to him."""
    dice = random.Random(model.seed + 2)
    people = [user for _, user in sorted(snapshot.users.items())]
    records, found = sorted(snapshot.objects[PRODUCT]), []
    for _ in range(count):
        user = dice.choice(people)
        own = sorted(snapshot.targets(OWNS, f"zen:user:{user.id}", 0.0))
        chosen = dict.fromkeys(own[: BATCH // 2] + dice.sample(records, BATCH))
        some = list(chosen)[:BATCH]
        found.append([asked_about(snapshot, user, dice.choice(ACTIONS), PRODUCT, one) for one in some])
    return found


def check(asked: Asked) -> bytes:
    """Return a CheckPermission request."""
    request = messages.CheckPermissionRequest(
        parent=_PARENT,
        user_id=asked.user.id,
        action=_action(asked),
        object_type=asked.type,
        record_id=asked.record,
    )
    if asked.type == CONTRACT:
        request.given.context.update({"channel": asked.channel})
    return request.SerializeToString()


def check_batch(asked: Sequence[Asked]) -> bytes:
    """Return a BatchCheckPermissions request."""
    return messages.BatchCheckPermissionsRequest(
        parent=_PARENT,
        questions=[
            messages.Question(
                user_id=one.user.id, action=_action(one), object_type=one.type, record_id=one.record
            )
            for one in asked
        ],
    ).SerializeToString()


def _action(asked: Asked) -> resources.Action.ValueType:
    return resources.Action.Value(f"ACTION_{asked.action.upper()}")


def answer(raw: bytes) -> list[bool]:
    """Return what CheckPermission says."""
    return [messages.CheckPermissionResponse.FromString(raw).decided.allowed]


def batch_answer(raw: bytes) -> list[bool]:
    """Return what BatchCheckPermissions says.

    Raises:
        ValueError: a question was refused.
    """
    answers = messages.BatchCheckPermissionsResponse.FromString(raw).answers
    if refused := [one.error for one in answers if one.error]:
        raise ValueError(refused[0])
    return [one.decided.allowed for one in answers]
