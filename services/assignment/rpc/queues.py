"""Queues, and the account's defaults."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from libs.kernel.errors import FieldViolation, InvalidRequestError, NotBuiltError, NotFoundError
from libs.kernel.ids import account_name, account_of
from services.assignment.app.rows import Account, QueueRow
from services.assignment.rpc.authority import require_admin, require_staff
from services.assignment.rpc.limits import rate_in, written
from services.assignment.rpc.mapping import (
    KIND_NAMES,
    MODEL_NAMES,
    queue_message,
    schedule_of,
    settings_message,
)
from services.assignment.rpc.options import options_of
from services.assignment.rpc.use_cases import Methods, last
from setlist.assignment.v1 import assignment_resources_pb2 as resources
from setlist.assignment.v1 import assignment_service_pb2 as messages


class QueueMethods(Methods):
    """Translates, calls, translates."""

    async def CreateQueue(
        self, request: messages.CreateQueueRequest, context: Any
    ) -> messages.CreateQueueResponse:
        require_admin()
        now, given = self._use.clock.now(), request.queue
        queue_id = f"que-{request.request_id}" if request.request_id else self._use.ids.new("que")
        row = queue_of(
            given, QueueRow(queue_id, "", "scheduled", 0, "round_robin", 0, now, now), _QUEUE_FIELDS
        )
        body = messages.CreateQueueRequest(parent=request.parent, queue=given)
        made = await self._use.queues.create(
            account_of(request.parent),
            row,
            request.request_id,
            body.SerializeToString(deterministic=True),
            validate_only=request.validate_only,
        )
        return messages.CreateQueueResponse(queue=queue_message(request.parent, made))

    async def GetQueue(self, request: messages.GetQueueRequest, context: Any) -> messages.GetQueueResponse:
        require_staff()
        account = account_of(request.name)
        async with self._use.store.transaction(account) as tx:
            row = await tx.directory.queue(last(request.name))
        if row is None:
            raise NotFoundError("no such queue", metadata={"name": request.name})
        return messages.GetQueueResponse(queue=queue_message(account_name(account), row))

    async def ListQueues(
        self, request: messages.ListQueuesRequest, context: Any
    ) -> messages.ListQueuesResponse:
        require_staff()
        size, after, query = self._page(request)
        async with self._use.store.transaction(account_of(request.parent)) as tx:
            rows = (await tx.directory.queues())[after : after + size + 1]
        token = self._use.pages.encode({"after": after + size}, query) if len(rows) > size else ""
        return messages.ListQueuesResponse(
            queues=[queue_message(request.parent, r) for r in rows[:size]], next_page_token=token
        )

    async def UpdateQueue(
        self, request: messages.UpdateQueueRequest, context: Any
    ) -> messages.UpdateQueueResponse:
        require_admin()
        given = request.queue
        paths = list(request.update_mask.paths) or [f.name for f, _ in given.ListFields()]
        account = account_of(given.name)
        changed = await self._use.queues.change(
            account,
            last(given.name),
            given.etag,
            lambda row: queue_of(given, row, paths),
            validate_only=request.validate_only,
        )
        return messages.UpdateQueueResponse(queue=queue_message(account_name(account), changed))

    async def DeleteQueue(
        self, request: messages.DeleteQueueRequest, context: Any
    ) -> messages.DeleteQueueResponse:
        require_admin()
        await self._use.queues.delete(
            account_of(request.name), last(request.name), request.etag, validate_only=request.validate_only
        )
        return messages.DeleteQueueResponse()

    async def PauseQueue(
        self, request: messages.PauseQueueRequest, context: Any
    ) -> messages.PauseQueueResponse:
        queue = await self._set_state(request.name, "paused", validate_only=request.validate_only)
        return messages.PauseQueueResponse(queue=queue)

    async def ResumeQueue(
        self, request: messages.ResumeQueueRequest, context: Any
    ) -> messages.ResumeQueueResponse:
        queue = await self._set_state(request.name, "active", validate_only=request.validate_only)
        return messages.ResumeQueueResponse(queue=queue)

    async def ResetRotation(
        self, request: messages.ResetRotationRequest, context: Any
    ) -> messages.ResetRotationResponse:
        require_admin()
        agents = await self._use.queues.reset_rotation(
            account_of(request.name), last(request.name), validate_only=request.validate_only
        )
        return messages.ResetRotationResponse(agents=agents)

    async def _set_state(self, name: str, state: str, *, validate_only: bool) -> resources.Queue:
        require_admin()
        account = account_of(name)
        changed = await self._use.queues.change(
            account, last(name), "", lambda row: replace(row, state=state), validate_only=validate_only
        )
        return queue_message(account_name(account), changed)

    async def GetAccountSettings(
        self, request: messages.GetAccountSettingsRequest, context: Any
    ) -> messages.GetAccountSettingsResponse:
        require_staff()
        row = await self._use.queues.settings(account_of(request.parent))
        return messages.GetAccountSettingsResponse(settings=settings_message(request.parent, row))

    async def UpdateAccountSettings(
        self, request: messages.UpdateAccountSettingsRequest, context: Any
    ) -> messages.UpdateAccountSettingsResponse:
        require_admin()
        given = request.settings
        paths = list(request.update_mask.paths) or [f.name for f, _ in given.ListFields()]

        def change(row: Account) -> Account:
            if "inbox_limit" in paths:
                row = replace(row, inbox_limit=given.inbox_limit if given.HasField("inbox_limit") else None)
            if "daily_limit" in paths:
                row = replace(row, daily_limit=given.daily_limit if given.HasField("daily_limit") else None)
            if "default_status" in paths:
                row = replace(row, default_status=given.default_status or "away")
            return replace(row, options=options_of(given, row.options, paths))

        row = await self._use.queues.change_settings(
            account_of(request.parent), given.etag, change, validate_only=request.validate_only
        )
        return messages.UpdateAccountSettingsResponse(settings=settings_message(request.parent, row))


_QUEUE_FIELDS = (
    "display_name",
    "kind",
    "source_id",
    "model",
    "position",
    "use_sla",
    "batch_size",
    "daily_limit",
    "agent_ids",
    "scan_limit",
    "offer_seconds",
    "ageing_seconds",
    "missed_offers",
    "missed_status",
    "schedule_id",
    "overflow_group_ids",
    "overflow_seconds",
    "weights",
    "overflow_queue_id",
    "work_units",
    "interruptible",
    "open_limit",
    "sticky_seconds",
    "rate_limit",
    "pull_only",
)


def queue_of(given: resources.Queue, row: QueueRow, paths: Any) -> QueueRow:
    """Return a queue with the named fields of a message; fields that only the server writes are ignored."""
    values: dict[str, Any] = {}
    options: dict[str, Any] = {}
    for path in paths:
        if path == "display_name":
            values["title"] = given.display_name
        elif path == "kind":
            values["kind"] = KIND_NAMES.get(given.kind, "scheduled")
        elif path == "source_id":
            values["source"] = given.source_id
        elif path == "model":
            values["model"] = _model(given.model)
        elif path == "agent_ids":
            values["agents"] = tuple(given.agent_ids)
        elif path in ("batch_size", "daily_limit", "scan_limit"):
            values[path] = getattr(given, path) if given.HasField(path) else None
        elif path in ("position", "use_sla"):
            values[path] = getattr(given, path)
        else:
            options |= _option(given, path)
    return replace(row, **values, options=replace(row.options, **options))


def _option(given: resources.Queue, path: str) -> dict[str, Any]:
    """Return the option that a field sets; none for a field that is no option."""
    match path:
        case "schedule_id":
            return {"schedule": schedule_of(given.schedule_id)}
        case "weights":
            return {"weights": _weights(given)}
        case "missed_status":
            return {"missed_status": _away(given.missed_status)}
        case (
            "offer_seconds"
            | "ageing_seconds"
            | "missed_offers"
            | "overflow_seconds"
            | "open_limit"
            | "sticky_seconds"
        ):
            return {path: getattr(given, path) if given.HasField(path) else None}
        case "rate_limit":
            return {"rate_limit": written(rate_in(given.rate_limit, "queue.rate_limit"))}
        case "work_units":
            return {"work_units": given.work_units or 1}
        case "interruptible" | "pull_only":
            return {path: getattr(given, path)}
        case "overflow_group_ids":
            return {"overflow_groups": tuple(given.overflow_group_ids)}
        case "overflow_queue_id":
            return {"overflow_queue": given.overflow_queue_id}
    return {}


def _weights(given: resources.Queue) -> tuple[tuple[int, int], ...]:
    """Return weights in order of the agents.

    Raises:
        InvalidRequestError: an agent has two.
    """
    found = {one.agent_id: one.weight for one in given.weights}
    if len(found) < len(given.weights):
        fault = FieldViolation("queue.weights", "names an agent twice")
        raise InvalidRequestError(f"`queue.weights` {fault.description}", violations=[fault])
    return tuple(sorted(found.items()))


def _away(status: str) -> str:
    if status == "online":
        violation = FieldViolation(
            "queue.missed_status", "`online` receives tickets: name one in which he is away"
        )
        raise InvalidRequestError("the queue cannot be used", violations=[violation])
    return status or "away"


def _model(model: resources.RoutingModel.ValueType) -> str:
    if model == resources.ROUTING_MODEL_UNSPECIFIED:
        return "round_robin"
    if model not in MODEL_NAMES:
        raise NotBuiltError("this routing model is not built yet: leave it out for round robin")
    return MODEL_NAMES[model]
