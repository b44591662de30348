"""Usage figures."""

from __future__ import annotations

from typing import Any

from libs.kernel.ids import account_of
from services.assignment.domain.usage import UsageDay
from services.assignment.rpc.authority import require_admin
from services.assignment.rpc.use_cases import Methods
from setlist.assignment.v1 import assignment_resources_pb2 as resources
from setlist.assignment.v1 import assignment_service_pb2 as messages


class UsageMethods(Methods):
    """Translates, calls, translates."""

    async def GetUsage(self, request: messages.GetUsageRequest, context: Any) -> messages.GetUsageResponse:
        require_admin()
        days = await self._use.usage(account_of(request.parent), request.first_day, request.last_day)
        return messages.GetUsageResponse(days=[_message(day) for day in days])


def _message(day: UsageDay) -> resources.UsageDay:
    message = resources.UsageDay(
        day=day.day.isoformat(),
        withheld=day.withheld,
        assigned=day.assigned,
        decisions=day.decisions,
        agents=day.agents,
        other=day.other,
        shares=[
            resources.UsageShare(mechanism=s.mechanism, model=s.model, assigned=s.assigned)
            for s in day.shares
        ],
    )
    if day.wait_median_seconds is not None and day.wait_p90_seconds is not None:
        message.wait_median_seconds = day.wait_median_seconds
        message.wait_p90_seconds = day.wait_p90_seconds
    return message
