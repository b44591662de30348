"""Calls of the RPCs as somebody: what tests of the servicer are written with."""

from __future__ import annotations

from typing import Any

from libs.rpc.identity import Caller, set_caller
from libs.rpc.pages import PageTokens
from services.assignment.rpc.servicer import AssignmentServicer
from services.assignment.rpc.use_cases import UseCases
from services.assignment.tests.house import ACCOUNT, House
from setlist.assignment.v1 import assignment_resources_pb2 as resources
from setlist.assignment.v1 import assignment_service_pb2 as messages

PARENT = f"accounts/{ACCOUNT}"
QUEUE: dict[str, Any] = {"display_name": "Q", "kind": resources.Queue.KIND_SCHEDULED, "position": 0}


def acts(user: int | None, role: str | None = None) -> None:
    """Let somebody call from here on."""
    subject = f"user:{user}" if user is not None else "service:edge"
    set_caller(Caller("edge", ACCOUNT, "55", subject, role))


def servicer(house: House) -> AssignmentServicer:
    """Return the servicer of a house."""
    use = UseCases(
        sync=house.sync,
        ingest=house.ingest,
        minute_job=house.job,
        next=house.next,
        absences=house.absences,
        answer=house.answer,
        skip=house.skip,
        release=house.release,
        watch=house.watch,
        settings=house.settings,
        exceptions=house.exceptions,
        queues=house.queues,
        explain=house.explain,
        rehearse=house.rehearse,
        why_idle=house.why_idle,
        usage=house.usage,
        store=house.store,
        pages=PageTokens(),
        clock=house.clock,
        ids=house.ids,
    )
    return AssignmentServicer(use)


async def call(rpc: AssignmentServicer, method: str, **values: Any) -> Any:
    """Call a method with a request of these values."""
    return await getattr(rpc, method)(getattr(messages, f"{method}Request")(**values), None)
