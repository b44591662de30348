"""Why an agent gets nothing."""

from __future__ import annotations

from typing import Any

from libs.kernel.errors import PermissionDeniedError
from libs.kernel.ids import account_name, account_of
from services.assignment.app.why_idle import Standing
from services.assignment.rpc.authority import require_staff
from services.assignment.rpc.mapping import timestamp
from services.assignment.rpc.use_cases import Methods, last
from setlist.assignment.v1 import assignment_service_pb2 as messages


class IdleMethods(Methods):
    """Translates, calls, translates."""

    async def WhyIdle(self, request: messages.WhyIdleRequest, context: Any) -> messages.WhyIdleResponse:
        caller, agent = require_staff(), int(last(request.name))
        if caller.user not in (None, agent) and not caller.is_admin:
            raise PermissionDeniedError("agents may ask about themselves, admins about everybody")
        account = account_of(request.name)
        size, skip, query = self._page(request)
        found = await self._use.why_idle(account, agent, skip, size)
        token = self._use.pages.encode({"after": skip + size}, query) if found.more else ""
        return messages.WhyIdleResponse(
            sentences=found.sentences,
            standings=[_standing(account_name(account), one) for one in found.standings],
            next_page_token=token,
            as_of=timestamp(found.as_of),
        )


def _standing(parent: str, one: Standing) -> messages.AgentStanding:
    return messages.AgentStanding(
        queue=f"{parent}/queues/{one.queue.id}",
        display_name=one.queue.title,
        code=one.code,
        sentences=one.sentences,
        waiting=one.waiting,
        waiting_by_code=one.by_code,
        detail=one.detail,
        free_time=timestamp(one.free_at),
    )
