"""Policy's contract over a few dictionaries: seed 002's rule in its shortest form, for tests of the edge.

The edge may not import the policy service; `tests/contract/test_authzen.py` asks the real one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx2

from libs.kernel.errors import (
    EtagMismatchError,
    FieldViolation,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    SetlistError,
)
from libs.rpc.identity import current_caller
from libs.rpc.pages import PageTokens, page_size, query_of
from setlist.policy.v1 import policy_resources_pb2 as resources
from setlist.policy.v1 import policy_service_pb2 as messages
from setlist.policy.v1.policy_service_pb2_grpc import PolicyServiceServicer

Rows = dict[str, str]
"""Role or `custom/{id}` -> letters of c r u d."""
_LETTERS = {
    resources.ACTION_CREATE: "c",
    resources.ACTION_READ: "r",
    resources.ACTION_UPDATE: "u",
    resources.ACTION_DELETE: "d",
}
_SHOW, _UPDATE = resources.ACTION_SHOW_POLICIES, resources.ACTION_UPDATE_POLICIES


@dataclass
class NaivePolicy(PolicyServiceServicer):
    """One account's policies.

    Attributes:
        types: RBAC rows by key, a relationship type's as `relationship:{key}`.
        rebac: object type -> relationship type -> rows.
        users: id -> role.
        related: (relationship type, user, record).
        records: (type, record).
        version: of all permissions.
        ignored: what UpdatePermissions says that it passed over.
        failing: what every call raises instead of answering.
        requests: what was asked, in order.
    """

    types: dict[str, Rows] = field(default_factory=dict)
    rebac: dict[str, dict[str, Rows]] = field(default_factory=dict)
    users: dict[int, str] = field(default_factory=dict)
    related: set[tuple[str, int, str]] = field(default_factory=set)
    records: set[tuple[str, str]] = field(default_factory=set)
    version: int = 1
    ignored: list[str] = field(default_factory=list)
    failing: Exception | None = None
    requests: list[Any] = field(default_factory=list)
    pages: PageTokens = field(default_factory=PageTokens)

    def _took(self, request: Any) -> None:
        self.requests.append(request)
        if self.failing is not None:
            raise self.failing

    def _decide(self, q: messages.Question) -> resources.Decided:
        caller = current_caller()
        if caller.user is not None and caller.role != "admin" and q.user_id != caller.user:
            raise PermissionDeniedError("you may ask about yourself only")
        if q.given.role and caller.user is not None:
            raise PermissionDeniedError("a role is taken from services only")
        role = q.given.role or self.users.get(q.user_id, "")
        custom = f"custom/{q.given.custom_role_id}" if q.given.HasField("custom_role_id") else ""
        reason, allowed = self._reason(q, role, custom)
        return resources.Decided(
            allowed=allowed, reason=reason, revision=7, decision_id=f"log-{len(self.requests)}", token="t7"
        )

    def _reason(self, q: messages.Question, role: str, custom: str) -> tuple[str, bool]:
        if not role:
            return "UNKNOWN_USER", False
        asked = q.object_type.removeprefix("object:")
        if asked not in self.types:
            return "UNKNOWN_TYPE", False
        if q.action in (_SHOW, _UPDATE):
            return "ROLE", role == "admin" or (q.action == _SHOW and role == "agent")
        letter = _LETTERS[q.action]
        rows = self.types[asked]
        if letter in rows.get(custom, rows.get(role, "")):
            return "RBAC", True
        for key, policy in sorted(self.rebac.get(asked, {}).items()):
            related = (key, q.user_id, q.record_id) in self.related
            if letter in "ru" and letter in policy.get(custom, policy.get(role, "")) and related:
                return f"REBAC:{key}", True
        return "NO_RULE_ALLOWS", False

    async def CheckPermission(
        self, request: messages.CheckPermissionRequest, context: Any
    ) -> messages.CheckPermissionResponse:
        self._took(request)
        self._require_token(request.consistency)
        question = messages.Question(
            user_id=request.user_id,
            action=request.action,
            object_type=request.object_type,
            record_id=request.record_id,
            given=request.given,
        )
        return messages.CheckPermissionResponse(decided=self._decide(question))

    @staticmethod
    def _require_token(consistency: messages.Consistency) -> None:
        if consistency.at_least not in ("", "t7"):
            raise InvalidRequestError("`consistency.at_least` is none of ours")

    async def BatchCheckPermissions(
        self, request: messages.BatchCheckPermissionsRequest, context: Any
    ) -> messages.BatchCheckPermissionsResponse:
        self._took(request)
        self._require_token(request.consistency)
        answers = []
        for question in request.questions:
            try:
                answers.append(messages.Answer(decided=self._decide(question)))
            except SetlistError as error:
                answers.append(messages.Answer(error=f"{error.reason}: {error.message}"))
        return messages.BatchCheckPermissionsResponse(answers=answers)

    async def LookupResources(
        self, request: messages.LookupResourcesRequest, context: Any
    ) -> messages.LookupResourcesResponse:
        self._took(request)
        asked = [r for kind, r in sorted(self.records) if kind == request.object_type.removeprefix("object:")]
        found = [r for r in asked if self._allows(request, request.user_id, r)]
        ids, token = self._page(request, found)
        every = self._allows(request, request.user_id, "")
        return messages.LookupResourcesResponse(record_ids=ids, next_page_token=token, all_records=every)

    def _allows(self, request: Any, user: int, record: str) -> bool:
        question = messages.Question(
            user_id=user,
            action=request.action,
            object_type=request.object_type,
            record_id=record,
            given=request.given,
        )
        return bool(self._decide(question).allowed)

    async def LookupSubjects(
        self, request: messages.LookupSubjectsRequest, context: Any
    ) -> messages.LookupSubjectsResponse:
        self._took(request)
        caller = current_caller()
        if caller.user is not None and caller.role != "admin":
            raise PermissionDeniedError("only admins may do this")
        found = [str(u) for u in sorted(self.users) if self._allows(request, u, request.record_id)]
        ids, token = self._page(request, found)
        letter = _LETTERS.get(request.action, "-")
        rows = self.types.get(request.object_type.removeprefix("object:"), {})
        grants = [r for r, row in sorted(rows.items()) if letter in row]
        return messages.LookupSubjectsResponse(
            user_ids=[int(u) for u in ids], next_page_token=token, role_grants=grants
        )

    def _page(self, request: Any, found: list[str]) -> tuple[list[str], str]:
        start = self.pages.decode(request.page_token, query_of(request)).get("at", 0)
        end = start + page_size(request.page_size)
        token = self.pages.encode({"at": end}, query_of(request)) if end < len(found) else ""
        return found[start:end], token

    async def ListObjectTypes(
        self, request: messages.ListObjectTypesRequest, context: Any
    ) -> messages.ListObjectTypesResponse:
        self._took(request)
        keys, token = self._page(request, sorted(k for k in self.types if ":" not in k))
        made = [resources.ObjectType(key=key) for key in keys]
        return messages.ListObjectTypesResponse(object_types=made, next_page_token=token)

    async def ListRelationshipTypes(
        self, request: messages.ListRelationshipTypesRequest, context: Any
    ) -> messages.ListRelationshipTypesResponse:
        self._took(request)
        keys, token = self._page(request, sorted(k.partition(":")[2] for k in self.types if ":" in k))
        made = [resources.RelationshipType(key=key) for key in keys]
        return messages.ListRelationshipTypesResponse(relationship_types=made, next_page_token=token)

    async def ListRelationships(
        self, request: messages.ListRelationshipsRequest, context: Any
    ) -> messages.ListRelationshipsResponse:
        self._took(request)
        names = sorted(
            f"accounts/acc-1/relationships/rel-{t}-{u}-{r}" for t, u, r in self.related if t == request.type
        )
        page, token = self._page(request, names)
        made = [resources.Relationship(name=name) for name in page]
        return messages.ListRelationshipsResponse(relationships=made, next_page_token=token)

    async def GetPermissions(
        self, request: messages.GetPermissionsRequest, context: Any
    ) -> messages.GetPermissionsResponse:
        self._took(request)
        self._require(request.name, "admin", "agent")
        return messages.GetPermissionsResponse(permissions=self._shown(), permissions_json='{"rbac":{}}')

    async def UpdatePermissions(
        self, request: messages.UpdatePermissionsRequest, context: Any
    ) -> messages.UpdatePermissionsResponse:
        self._took(request)
        self._require(request.name, "admin")
        if request.etag not in ("", str(self.version)):
            raise EtagMismatchError("the permissions changed since they were read")
        patch = json.loads(request.merge_patch_json)
        faults = [FieldViolation(f"/data/{name}", "is not one of rbac, rebac") for name in _unknown(patch)]
        if faults:
            raise InvalidRequestError("the patch breaks rules", violations=faults)
        self.version += bool(patch) and not request.validate_only
        return messages.UpdatePermissionsResponse(
            permissions=self._shown(), permissions_json='{"rbac":{},"rebac":{}}', ignored=self.ignored
        )

    def _shown(self) -> resources.Permissions:
        return resources.Permissions(etag=str(self.version))

    def _require(self, name: str, *roles: str) -> None:
        if current_caller().role not in roles:
            raise PermissionDeniedError("your role may not do this")
        _, _, plural, key = name.split("/")
        if (key if plural == "objectTypes" else f"relationship:{key}") not in self.types:
            raise NotFoundError(f"there is no type `{key}`")


@dataclass(frozen=True)
class House:
    """What a test of the edge holds."""

    http: httpx2.AsyncClient
    policy: NaivePolicy


def _unknown(patch: Iterable[str]) -> list[str]:
    return [name for name in patch if name not in ("rbac", "rebac")]
