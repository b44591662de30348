"""RPCs that decide, and that list what would be decided."""

from __future__ import annotations

from typing import Any

from libs.kernel.errors import SetlistError
from libs.kernel.ids import AccountId, account_of
from libs.rpc.pages import page_size, query_of
from services.policy.app.list_everything_of import START, shown
from services.policy.app.ports import Answer
from services.policy.rpc.callers import question_of, require_admin, subject_of
from services.policy.rpc.mapping import FROM_ACTION, logged_message, tried_messages, write_decided
from services.policy.rpc.use_cases import Methods
from setlist.policy.v1 import policy_resources_pb2 as resources
from setlist.policy.v1 import policy_service_pb2 as messages


class DecisionMethods(Methods):
    """A deny is an answer, not an error. People ask about themselves, admins and services about anybody."""

    async def CheckPermission(
        self, request: messages.CheckPermissionRequest, context: Any
    ) -> messages.CheckPermissionResponse:
        account, answer = await self._one(request)
        response = messages.CheckPermissionResponse()
        write_decided(response.decided, answer, self._token(account, answer.revision))
        return response

    async def ExplainDecision(
        self, request: messages.ExplainDecisionRequest, context: Any
    ) -> messages.ExplainDecisionResponse:
        account, answer = await self._one(request, explain=True)
        response = messages.ExplainDecisionResponse(tried=tried_messages(answer))
        write_decided(response.decided, answer, self._token(account, answer.revision))
        return response

    async def _one(self, request: Any, *, explain: bool = False) -> tuple[AccountId, Answer]:
        account = account_of(request.parent)
        asked = self._asked(account, request.consistency)
        (answer,) = await self._use.check(account, [question_of(request)], asked, explain=explain)
        return account, answer

    async def BatchCheckPermissions(
        self, request: messages.BatchCheckPermissionsRequest, context: Any
    ) -> messages.BatchCheckPermissionsResponse:
        account = account_of(request.parent)
        asked = self._asked(account, request.consistency)
        response, questions, places = messages.BatchCheckPermissionsResponse(), [], []
        for place, given in enumerate(request.questions):
            one = response.answers.add()
            try:
                questions.append(question_of(given))
                places.append(place)
            except SetlistError as error:
                one.error = f"{error.reason}: {error.message}"
        decided = await self._use.check(account, questions, asked)
        token = self._token(account, decided[0].revision) if decided else ""
        for place, answer in zip(places, decided, strict=True):
            write_decided(response.answers[place].decided, answer, token)
        return response

    async def LookupActions(
        self, request: messages.LookupActionsRequest, context: Any
    ) -> messages.LookupActionsResponse:
        account = account_of(request.parent)
        question = question_of(request, resources.ACTION_READ)
        actions = await self._use.actions(account, question, self._asked(account, request.consistency))
        return messages.LookupActionsResponse(actions=[FROM_ACTION[a] for a in actions])

    async def LookupResources(
        self, request: messages.LookupResourcesRequest, context: Any
    ) -> messages.LookupResourcesResponse:
        account, question = account_of(request.parent), question_of(request)
        size, query = page_size(request.page_size), query_of(request)
        position = self._use.pages.decode(request.page_token, query)
        page = await self._use.resources(
            account,
            question,
            self._asked(account, request.consistency, position),
            after=str(position.get("after", "")),
            limit=size,
            list_all=request.list_all,
        )
        further = {"after": page.ids[-1] if page.ids else "", "revision": page.revision, "now": page.now}
        return messages.LookupResourcesResponse(
            all_records=page.every,
            record_ids=page.ids,
            next_page_token=self._use.pages.encode(further, query) if page.more else "",
        )

    async def LookupSubjects(
        self, request: messages.LookupSubjectsRequest, context: Any
    ) -> messages.LookupSubjectsResponse:
        require_admin()  # it is about everybody
        account, question = account_of(request.parent), question_of(request)
        size, query = page_size(request.page_size), query_of(request)
        position = self._use.pages.decode(request.page_token, query)
        page = await self._use.subjects(
            account,
            question,
            self._asked(account, request.consistency, position),
            after=int(position.get("after", 0)),
            limit=size,
        )
        further = {"after": page.ids[-1] if page.ids else 0, "revision": page.revision, "now": page.now}
        return messages.LookupSubjectsResponse(
            user_ids=page.ids,
            next_page_token=self._use.pages.encode(further, query) if page.more else "",
            role_grants=page.roles,
        )

    async def ListEverythingOf(
        self, request: messages.ListEverythingOfRequest, context: Any
    ) -> messages.ListEverythingOfResponse:
        account = account_of(request.parent)
        size, query = page_size(request.page_size), query_of(request)
        position = self._use.pages.decode(request.page_token, query)
        type_name, record, action = position.get("after", START)
        page = await self._use.everything(
            account,
            subject_of(request.user_id),
            self._asked(account, request.consistency, position),
            after=(type_name, record, action),
            limit=size,
        )
        further = {
            "after": page.rights[-1] if page.rights else START,
            "revision": page.revision,
            "now": page.now,
        }
        return messages.ListEverythingOfResponse(
            rights=[shown(right) for right in page.rights],
            next_page_token=self._use.pages.encode(further, query) if page.more else "",
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
