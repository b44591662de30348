"""RPCs that decide, and that list what would be decided."""

from __future__ import annotations

from typing import Any

from libs.kernel.errors import SetlistError
from libs.kernel.ids import account_of
from libs.rpc.pages import page_size, query_of
from services.policy.app.list_everything_of import START, shown
from services.policy.app.ports import Answer
from services.policy.rpc.callers import (
    acting,
    asked_with,
    question_of,
    require_admin,
    require_plain,
    subject_of,
)
from services.policy.rpc.mapping import (
    FROM_ACTION,
    TO_ACTION,
    decided_message,
    logged_message,
    tried_messages,
)
from services.policy.rpc.use_cases import Methods
from setlist.policy.v1 import policy_service_pb2 as messages


class DecisionMethods(Methods):
    """A deny is an answer, not an error. People ask about themselves, admins and services about anybody."""

    async def CheckPermission(
        self, request: messages.CheckPermissionRequest, context: Any
    ) -> messages.CheckPermissionResponse:
        return messages.CheckPermissionResponse(decided=decided_message(await self._one(request)))

    async def ExplainDecision(
        self, request: messages.ExplainDecisionRequest, context: Any
    ) -> messages.ExplainDecisionResponse:
        answer = await self._one(request)
        return messages.ExplainDecisionResponse(decided=decided_message(answer), tried=tried_messages(answer))

    async def _one(self, request: Any) -> Answer:
        (answer,) = await self._use.check(
            account_of(request.parent), [question_of(request)], asked_with(request.consistency)
        )
        return answer

    async def BatchCheckPermissions(
        self, request: messages.BatchCheckPermissionsRequest, context: Any
    ) -> messages.BatchCheckPermissionsResponse:
        asked = asked_with(request.consistency)
        answers, questions, places = [messages.Answer() for _ in request.questions], [], []
        for place, given in enumerate(request.questions):
            try:
                questions.append(question_of(given))
                places.append(place)
            except SetlistError as error:
                answers[place].error = f"{error.reason}: {error.message}"
        decided = await self._use.check(account_of(request.parent), questions, asked)
        for place, answer in zip(places, decided, strict=True):
            answers[place].decided.CopyFrom(decided_message(answer))
        return messages.BatchCheckPermissionsResponse(answers=answers)

    async def LookupActions(
        self, request: messages.LookupActionsRequest, context: Any
    ) -> messages.LookupActionsResponse:
        require_plain(object_type=request.object_type, record_id=request.record_id)
        actions = await self._use.actions(
            account_of(request.parent),
            subject_of(request.user_id),
            request.object_type,
            request.record_id,
            asked_with(request.consistency),
        )
        return messages.LookupActionsResponse(actions=[FROM_ACTION[a] for a in actions])

    async def LookupResources(
        self, request: messages.LookupResourcesRequest, context: Any
    ) -> messages.LookupResourcesResponse:
        require_plain(object_type=request.object_type)
        size, query = page_size(request.page_size), query_of(request)
        page = await self._use.resources(
            account_of(request.parent),
            subject_of(request.user_id),
            TO_ACTION[request.action],
            request.object_type,
            asked_with(request.consistency),
            after=str(self._use.pages.decode(request.page_token, query).get("after", "")),
            limit=size,
        )
        return messages.LookupResourcesResponse(
            all_records=page.all_records,
            record_ids=page.ids,
            next_page_token=self._use.pages.encode({"after": page.ids[-1]}, query) if page.more else "",
        )

    async def LookupSubjects(
        self, request: messages.LookupSubjectsRequest, context: Any
    ) -> messages.LookupSubjectsResponse:
        require_admin()  # it is about everybody
        require_plain(object_type=request.object_type, record_id=request.record_id)
        size, query = page_size(request.page_size), query_of(request)
        page = await self._use.subjects(
            account_of(request.parent),
            TO_ACTION[request.action],
            request.object_type,
            request.record_id,
            asked_with(request.consistency),
            after=int(self._use.pages.decode(request.page_token, query).get("after", 0)),
            limit=size,
        )
        return messages.LookupSubjectsResponse(
            user_ids=page.ids,
            next_page_token=self._use.pages.encode({"after": page.ids[-1]}, query) if page.more else "",
        )

    async def ListEverythingOf(
        self, request: messages.ListEverythingOfRequest, context: Any
    ) -> messages.ListEverythingOfResponse:
        size, query = page_size(request.page_size), query_of(request)
        type_name, record, action = self._use.pages.decode(request.page_token, query).get("after", START)
        rights, more = await self._use.everything(
            account_of(request.parent),
            subject_of(request.user_id),
            acting(),
            after=(type_name, record, action),
            limit=size,
        )
        return messages.ListEverythingOfResponse(
            rights=[shown(right) for right in rights],
            next_page_token=self._use.pages.encode({"after": rights[-1]}, query) if more else "",
        )

    async def ListDecisions(
        self, request: messages.ListDecisionsRequest, context: Any
    ) -> messages.ListDecisionsResponse:
        require_admin()
        size, query = page_size(request.page_size), query_of(request)
        rows, more = await self._use.read_log(
            account_of(request.parent),
            request.user_id or None,
            before=str(self._use.pages.decode(request.page_token, query).get("before", "")),
            limit=size,
        )
        return messages.ListDecisionsResponse(
            decisions=[logged_message(r) for r in rows],
            next_page_token=self._use.pages.encode({"before": rows[-1].id}, query) if more else "",
        )
