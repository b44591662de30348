"""Business hours and holidays."""

from __future__ import annotations

from libs.zendesk.models import Holiday, Schedule
from libs.zendesk.transport import Transport


class Schedules:
    """`/api/v2/business_hours/schedules` (Professional and above)."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def all(self) -> list[Schedule]:
        """Return every schedule."""
        return await self._transport.fetch_list("business_hours/schedules", "schedules", Schedule.of)

    async def holidays(self, schedule_id: int) -> list[Holiday]:
        """Return a schedule's holidays."""
        return await self._transport.fetch_list(
            "business_hours/schedules/{id}/holidays", "holidays", Holiday.of, {"id": schedule_id}
        )
