"""Dedicated support."""

from __future__ import annotations

from typing import Any

from libs.kernel.errors import FieldViolation, InvalidRequestError
from libs.kernel.ids import account_of
from services.assignment.app.rows import DedicatedRow
from services.assignment.rpc.authority import require_admin
from services.assignment.rpc.use_cases import Methods
from setlist.assignment.v1 import assignment_resources_pb2 as resources
from setlist.assignment.v1 import assignment_service_pb2 as messages

_FIELDS = {"requester": "requester_id", "organization": "organization_id", "tag": "tag"}
_KINDS = {field: kind for kind, field in _FIELDS.items()}


class PreferenceMethods(Methods):
    """Translates, calls, translates."""

    async def ListDedicatedRules(
        self, request: messages.ListDedicatedRulesRequest, context: Any
    ) -> messages.ListDedicatedRulesResponse:
        require_admin()  # they name requesters
        size, after, query = self._page(request)
        async with self._use.store.transaction(account_of(request.parent)) as tx:
            rows = (await tx.directory.dedicated_rules())[after : after + size + 1]
        token = self._use.pages.encode({"after": after + size}, query) if len(rows) > size else ""
        return messages.ListDedicatedRulesResponse(
            rules=[_message(row) for row in rows[:size]], next_page_token=token
        )

    async def ReplaceDedicatedRules(
        self, request: messages.ReplaceDedicatedRulesRequest, context: Any
    ) -> messages.ReplaceDedicatedRulesResponse:
        require_admin()
        rows = [_row(rule) for rule in request.rules]
        unknown = await self._use.queues.replace_dedicated_rules(
            account_of(request.parent), rows, validate_only=request.validate_only
        )
        if unknown:
            raise InvalidRequestError(
                "a rule names an agent who is not in this account",
                violations=[
                    FieldViolation(
                        f"rules[{place}].agent_ids",
                        f"`{agent}` is no active agent of this account: sync the account, or choose another agent",
                    )
                    for place, agent in unknown
                ],
            )
        return messages.ReplaceDedicatedRulesResponse(rules=len(rows))


def _row(rule: resources.DedicatedRule) -> DedicatedRow:
    field = rule.WhichOneof("match") or "tag"
    wait = rule.fallback == resources.DedicatedRule.FALLBACK_WAIT
    value = str(getattr(rule, field))
    return DedicatedRow(_KINDS[field], value, tuple(rule.agent_ids), "wait" if wait else "queue")


def _message(row: DedicatedRow) -> resources.DedicatedRule:
    fallback = (
        resources.DedicatedRule.FALLBACK_WAIT
        if row.fallback == "wait"
        else resources.DedicatedRule.FALLBACK_QUEUE
    )
    value: Any = row.value if row.kind == "tag" else int(row.value)
    return resources.DedicatedRule(agent_ids=row.agents, fallback=fallback, **{_FIELDS[row.kind]: value})
