"""Skills, and agents' activity."""

from __future__ import annotations

from typing import Any

from libs.kernel.errors import NotBuiltError
from services.assignment.rpc.use_cases import Methods
from setlist.assignment.v1 import assignment_service_pb2 as messages


class SkillMethods(Methods):
    """Translates, calls, translates."""

    async def ListSkills(
        self, request: messages.ListSkillsRequest, context: Any
    ) -> messages.ListSkillsResponse:
        raise NotBuiltError("skills are not built yet")

    async def UpdateSkill(
        self, request: messages.UpdateSkillRequest, context: Any
    ) -> messages.UpdateSkillResponse:
        raise NotBuiltError("skills are not built yet")

    async def UpdateAgentSkills(
        self, request: messages.UpdateAgentSkillsRequest, context: Any
    ) -> messages.UpdateAgentSkillsResponse:
        raise NotBuiltError("skills are not built yet")

    async def RecordActivity(
        self, request: messages.RecordActivityRequest, context: Any
    ) -> messages.RecordActivityResponse:
        raise NotBuiltError("idle rules are not built yet")
