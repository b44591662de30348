"""Recorded days under other rules."""

from __future__ import annotations

from typing import Any

from libs.rpc.unbuilt import UnbuiltStream
from services.assignment.rpc.use_cases import Methods
from setlist.assignment.v1 import assignment_service_pb2 as messages


class ReplayMethods(Methods):
    """Translates, calls, translates."""

    def ReplayDay(self, request: messages.ReplayDayRequest, context: Any) -> UnbuiltStream:
        return UnbuiltStream("replay of recorded days is not built yet")
