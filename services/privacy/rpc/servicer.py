"""PrivacyService over gRPC."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from google.protobuf.message import Message

from libs.kernel.errors import NotBuiltError
from libs.kernel.ids import account_name, account_of
from libs.rpc.identity import Caller
from libs.rpc.pages import PageTokens, page_size, query_of
from libs.rpc.unbuilt import UnbuiltStream
from services.privacy.app.create_request import Asked
from services.privacy.app.read_requests import RequestView
from services.privacy.app.use_cases import UseCases
from services.privacy.rpc.authority import require_admin, require_staff
from services.privacy.rpc.mapping import (
    certificate_message,
    hold_message,
    identities_of,
    identity_message,
    kind_name,
    request_message,
    state_name,
)
from setlist.privacy.v1 import privacy_resources_pb2 as resources
from setlist.privacy.v1 import privacy_service_pb2 as messages
from setlist.privacy.v1.privacy_service_pb2_grpc import PrivacyServiceServicer

T = TypeVar("T")


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def _body(request: Message) -> bytes:
    """Return a call without its `request_id`, always the same bytes for the same content."""
    plain = type(request)()
    plain.CopyFrom(request)
    plain.ClearField("request_id")
    return plain.SerializeToString(deterministic=True)


class PrivacyServicer(PrivacyServiceServicer):
    """Translates, calls, translates."""

    def __init__(self, use: UseCases, pages: PageTokens) -> None:
        self._use = use
        self._pages = pages

    async def CreateRequest(
        self, request: messages.CreateRequestRequest, context: Any
    ) -> messages.CreateRequestResponse:
        caller, account = require_admin(), account_of(request.parent)
        asked = Asked(
            kind_name(request.kind),
            identities_of(request.identities),
            auto=request.auto_approve,
            request_id=request.request_id,
            body=_body(request),
        )
        if request.validate_only:
            row, plan = await self._use.create.preview(account, asked)
            shown = request_message(request.parent, RequestView(row), plan)
            return messages.CreateRequestResponse(request=shown)
        made = await self._use.create(account, asked, caller.subject)
        return messages.CreateRequestResponse(request=await self._shown(f"{request.parent}/requests/{made}"))

    async def GetRequest(
        self, request: messages.GetRequestRequest, context: Any
    ) -> messages.GetRequestResponse:
        require_admin()
        return messages.GetRequestResponse(request=await self._shown(request.name))

    async def ListRequests(
        self, request: messages.ListRequestsRequest, context: Any
    ) -> messages.ListRequestsResponse:
        require_admin()
        size, before, query = self._page(request)
        account, state = account_of(request.parent), state_name(request.state)
        views = await self._use.read.page(account, before, size + 1, state)
        shown, token = self._cut(views, size, query, lambda view: view.row.id)
        return messages.ListRequestsResponse(
            requests=[request_message(request.parent, view) for view in shown], next_page_token=token
        )

    async def ApproveRequest(
        self, request: messages.ApproveRequestRequest, context: Any
    ) -> messages.ApproveRequestResponse:
        caller = require_admin()
        await self._use.approve(
            account_of(request.name), _last(request.name), request.plan_hash, caller.subject
        )
        return messages.ApproveRequestResponse(request=await self._shown(request.name))

    async def CancelRequest(
        self, request: messages.CancelRequestRequest, context: Any
    ) -> messages.CancelRequestResponse:
        caller = require_admin()
        await self._use.withdraw.cancel(account_of(request.name), _last(request.name), caller.subject)
        return messages.CancelRequestResponse(request=await self._shown(request.name))

    async def ExtendRequest(
        self, request: messages.ExtendRequestRequest, context: Any
    ) -> messages.ExtendRequestResponse:
        caller = require_admin()
        await self._use.extend(account_of(request.name), _last(request.name), request.reason, caller.subject)
        return messages.ExtendRequestResponse(request=await self._shown(request.name))

    async def RefuseRequest(
        self, request: messages.RefuseRequestRequest, context: Any
    ) -> messages.RefuseRequestResponse:
        caller = require_admin()
        await self._use.withdraw.refuse(
            account_of(request.name), _last(request.name), request.reason, caller.subject
        )
        return messages.RefuseRequestResponse(request=await self._shown(request.name))

    async def RetryRequest(
        self, request: messages.RetryRequestRequest, context: Any
    ) -> messages.RetryRequestResponse:
        caller = require_admin()
        await self._use.retry(account_of(request.name), _last(request.name), caller.subject)
        return messages.RetryRequestResponse(request=await self._shown(request.name))

    async def GetCertificate(
        self, request: messages.GetCertificateRequest, context: Any
    ) -> messages.GetCertificateResponse:
        require_admin()
        account = account_of(request.name)
        row = await self._use.read.certificate(account, _last(request.name))
        return messages.GetCertificateResponse(certificate=certificate_message(account, row))

    async def VerifyChain(
        self, request: messages.VerifyChainRequest, context: Any
    ) -> messages.VerifyChainResponse:
        require_admin()
        length, fault, head = await self._use.verify_chain(account_of(request.parent))
        return messages.VerifyChainResponse(
            intact=fault == 0, length=length, first_fault=fault, head=head.hex()
        )

    async def CreateLegalHold(
        self, request: messages.CreateLegalHoldRequest, context: Any
    ) -> messages.CreateLegalHoldResponse:
        caller = require_admin()
        row = await self._use.holds.create(
            account_of(request.parent),
            identities_of(request.identities),
            request.matter,
            request.ground,
            caller.subject,
            request.request_id,
            _body(request),
        )
        return messages.CreateLegalHoldResponse(hold=hold_message(request.parent, row))

    async def ReleaseLegalHold(
        self, request: messages.ReleaseLegalHoldRequest, context: Any
    ) -> messages.ReleaseLegalHoldResponse:
        caller, account = require_admin(), account_of(request.name)
        row = await self._use.holds.release(account, _last(request.name), caller.subject)
        return messages.ReleaseLegalHoldResponse(hold=hold_message(account_name(account), row))

    async def ListLegalHolds(
        self, request: messages.ListLegalHoldsRequest, context: Any
    ) -> messages.ListLegalHoldsResponse:
        require_admin()
        size, before, query = self._page(request)
        rows = await self._use.holds.page(account_of(request.parent), before, size + 1)
        shown, token = self._cut(rows, size, query, lambda row: row.id)
        return messages.ListLegalHoldsResponse(
            holds=[hold_message(request.parent, row) for row in shown], next_page_token=token
        )

    async def SetRestriction(
        self, request: messages.SetRestrictionRequest, context: Any
    ) -> messages.SetRestrictionResponse:
        caller: Caller = require_admin()
        revision = await self._use.restrictions.set(
            account_of(request.parent),
            identities_of([request.subject])[0],
            request.purposes,
            caller.subject,
            restricted=request.restricted,
        )
        return messages.SetRestrictionResponse(revision=revision)

    async def CheckProcessing(
        self, request: messages.CheckProcessingRequest, context: Any
    ) -> messages.CheckProcessingResponse:
        require_staff()
        found, revision = await self._use.restrictions.check(
            account_of(request.parent), identities_of(request.subjects), request.purposes
        )
        restrictions = [
            resources.Restriction(
                subject=identity_message(identity),
                purposes=uses,  # type: ignore[arg-type]  # numbers of the enum, checked by the use case
                restricted=True,
            )
            for identity, uses in found
        ]
        return messages.CheckProcessingResponse(restrictions=restrictions, revision=revision)

    def WatchRestrictions(self, request: messages.WatchRestrictionsRequest, context: Any) -> UnbuiltStream:
        return UnbuiltStream("the stream of restrictions is not built yet: call CheckProcessing")

    async def CreateExport(
        self, request: messages.CreateExportRequest, context: Any
    ) -> messages.CreateExportResponse:
        require_admin()
        raise NotBuiltError("packages of a person's data are not built yet")

    async def CreateBulkJob(
        self, request: messages.CreateBulkJobRequest, context: Any
    ) -> messages.CreateBulkJobResponse:
        require_admin()
        raise NotBuiltError("bulk jobs are not built yet: call CreateRequest for each person")

    async def GetReport(self, request: messages.GetReportRequest, context: Any) -> messages.GetReportResponse:
        require_admin()
        raise NotBuiltError("the report for an authority is not built yet: list requests")

    async def _shown(self, name: str) -> resources.Request:
        account = account_of(name)
        return request_message(account_name(account), await self._use.read.one(account, _last(name)))

    def _page(self, request: Any) -> tuple[int, str, bytes]:
        query = query_of(request)
        before = str(self._pages.decode(request.page_token, query).get("before", ""))
        return page_size(request.page_size), before, query

    def _cut(
        self, rows: Sequence[T], size: int, query: bytes, key: Callable[[T], str]
    ) -> tuple[Sequence[T], str]:
        if len(rows) <= size:
            return rows, ""
        return rows[:size], self._pages.encode({"before": key(rows[size - 1])}, query)
