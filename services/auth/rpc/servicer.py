"""AuthService over gRPC."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from libs.kernel.errors import FieldViolation, InvalidRequestError, NotFoundError
from libs.kernel.ids import AccountId, account_name, account_of
from libs.rpc.identity import current_caller
from libs.rpc.pages import PageTokens, page_size, query_of
from services.auth.app.authorize import Authorize
from services.auth.app.complete_authorization import CompleteAuthorization
from services.auth.app.exchange_context import ExchangeContext
from services.auth.app.keep_keys import KeepKeys
from services.auth.app.open_session import OpenSession
from services.auth.app.ports import Store
from services.auth.app.revoke import Revoke
from services.auth.app.rotate_data_keys import RotateDataKeys
from services.auth.app.shred_account import ShredAccount
from services.auth.app.token_keys import KINDS, TokenKeys
from services.auth.app.verify_token import VerifyToken
from services.auth.app.watch_revocations import WatchRevocations
from services.auth.app.zendesk_access import GetZendeskAccess
from services.auth.rpc.mapping import (
    audit_message,
    feed_message,
    installation_message,
    state_message,
    state_of,
    timestamp,
)
from setlist.auth.v1 import auth_resources_pb2 as resources
from setlist.auth.v1 import auth_service_pb2 as messages
from setlist.auth.v1.auth_service_pb2_grpc import AuthServiceServicer

_KINDS = {
    "installation": resources.TOKEN_KIND_INSTALLATION,
    "session": resources.TOKEN_KIND_SESSION,
    "context": resources.TOKEN_KIND_CONTEXT,
}


@dataclass(frozen=True, slots=True)
class UseCases:
    """Everything the servicer calls."""

    open_session: OpenSession
    authorize: Authorize
    complete: CompleteAuthorization
    exchange: ExchangeContext
    access: GetZendeskAccess
    revoke: Revoke
    verify: VerifyToken
    keys: TokenKeys
    keep_keys: KeepKeys
    watch: WatchRevocations
    store: Store
    pages: PageTokens
    rotate_data_keys: RotateDataKeys
    shred: ShredAccount


class AuthServicer(AuthServiceServicer):
    """Translates, calls, translates."""

    def __init__(self, use: UseCases) -> None:
        self._use = use

    async def OpenSession(
        self, request: messages.OpenSessionRequest, context: Any
    ) -> messages.OpenSessionResponse:
        opened = await self._use.open_session(request.signed_url_token, request.origin)
        return messages.OpenSessionResponse(
            session_token=opened.token,
            account=account_name(opened.installation.account),
            subdomain=opened.installation.subdomain,
            user_id=opened.session.user,
            role=opened.role,
            installation_state=state_message(opened.installation.state),
            expire_time=timestamp(opened.session.ends_at),
        )

    async def BeginAuthorization(
        self, request: messages.BeginAuthorizationRequest, context: Any
    ) -> messages.BeginAuthorizationResponse:
        ticket, ends = await self._use.authorize.begin(request.session_token)
        return messages.BeginAuthorizationResponse(ticket=ticket, expire_time=timestamp(ends))

    async def StartAuthorization(
        self, request: messages.StartAuthorizationRequest, context: Any
    ) -> messages.StartAuthorizationResponse:
        url, cookie = await self._use.authorize.start(request.ticket)
        return messages.StartAuthorizationResponse(authorize_url=url, cookie_value=cookie)

    async def CompleteAuthorization(
        self, request: messages.CompleteAuthorizationRequest, context: Any
    ) -> messages.CompleteAuthorizationResponse:
        done = await self._use.complete(request.state, request.code, request.error, request.cookie_value)
        return messages.CompleteAuthorizationResponse(
            account=account_name(done.account), installation=installation_message(done)
        )

    async def VerifyToken(
        self, request: messages.VerifyTokenRequest, context: Any
    ) -> messages.VerifyTokenResponse:
        found = await self._use.verify(request.token)
        if found is None or request.kind not in (resources.TOKEN_KIND_UNSPECIFIED, _KINDS[found.kind]):
            return messages.VerifyTokenResponse(active=False)
        return messages.VerifyTokenResponse(
            active=True,
            kind=_KINDS[found.kind],
            issuer=self._use.keys.issuer,
            subject=found.subject,
            audience=found.audience,
            account=account_name(found.account),
            installation=found.installation,
            token_id=found.token_id,
            issue_time=timestamp(found.issued_at),
            expire_time=timestamp(found.expires_at),
        )

    async def ExchangeContext(
        self, request: messages.ExchangeContextRequest, context: Any
    ) -> messages.ExchangeContextResponse:
        peer = current_caller().peer
        if request.account:
            made = await self._use.exchange.of_job(
                account_of(request.account), request.job, peer, request.audience
            )
        else:
            made = await self._use.exchange.of_person(
                request.installation_token, request.session_token, peer, request.audience
            )
        return messages.ExchangeContextResponse(
            context_token=made.token,
            expire_time=timestamp(made.expires_at),
            account=account_name(made.account),
            subject=made.subject,
            role=made.role,
            generation=made.generation,
        )

    async def GetZendeskAccess(
        self, request: messages.GetZendeskAccessRequest, context: Any
    ) -> messages.GetZendeskAccessResponse:
        access = await self._use.access(account_of(request.account), request.known_version)
        return messages.GetZendeskAccessResponse(
            access_token=access.token,
            version=access.version,
            expire_time=timestamp(access.expires_at),
            subdomain=access.subdomain,
        )

    async def GetInstallation(
        self, request: messages.GetInstallationRequest, context: Any
    ) -> messages.GetInstallationResponse:
        account = account_of(request.account)
        async with self._use.store.transaction(account) as tx:
            found = await tx.installations.get()
        if found is None:
            raise NotFoundError("no such account", metadata={"name": request.account})
        return messages.GetInstallationResponse(installation=installation_message(found))

    async def ListInstallations(
        self, request: messages.ListInstallationsRequest, context: Any
    ) -> messages.ListInstallationsResponse:
        size, query = page_size(request.page_size), query_of(request)
        after = self._use.pages.decode(request.page_token, query).get("after")
        rows = await self._use.store.installations(
            AccountId(after) if after else None, size + 1, state_of(request.state)
        )
        more = len(rows) > size
        token = self._use.pages.encode({"after": rows[size - 1].account}, query) if more else ""
        return messages.ListInstallationsResponse(
            installations=[installation_message(row) for row in rows[:size]], next_page_token=token
        )

    async def RevokeInstallation(
        self, request: messages.RevokeInstallationRequest, context: Any
    ) -> messages.RevokeInstallationResponse:
        ended = await self._use.revoke.installation(
            account_of(request.account),
            f"service:{current_caller().peer}",
            validate_only=request.validate_only,
        )
        return messages.RevokeInstallationResponse(installation=installation_message(ended))

    async def RevokeSession(
        self, request: messages.RevokeSessionRequest, context: Any
    ) -> messages.RevokeSessionResponse:
        await self._use.revoke.session(request.session_token, f"service:{current_caller().peer}")
        return messages.RevokeSessionResponse()

    async def RevokeToken(
        self, request: messages.RevokeTokenRequest, context: Any
    ) -> messages.RevokeTokenResponse:
        await self._use.revoke.token(request.token, f"service:{current_caller().peer}")
        return messages.RevokeTokenResponse()

    async def GetKeySet(self, request: messages.GetKeySetRequest, context: Any) -> messages.GetKeySetResponse:
        keys = [
            resources.PublicKey(kind=_KINDS[kind], jwk_json=json.dumps(key.jwk()))
            for kind, ring in self._use.keys.sets.items()
            for key in ring
        ]
        return messages.GetKeySetResponse(keys=keys, issuer=self._use.keys.issuer)

    async def ListAuditEvents(
        self, request: messages.ListAuditEventsRequest, context: Any
    ) -> messages.ListAuditEventsResponse:
        size, query = page_size(request.page_size), query_of(request)
        after = int(self._use.pages.decode(request.page_token, query).get("after", 0))
        async with self._use.store.transaction(account_of(request.parent)) as tx:
            rows = await tx.audit.page(after, size + 1)
        more = len(rows) > size
        token = self._use.pages.encode({"after": rows[size - 1].sequence}, query) if more else ""
        return messages.ListAuditEventsResponse(
            audit_events=[audit_message(row) for row in rows[:size]], next_page_token=token
        )

    async def WatchRevocations(
        self, request: messages.WatchRevocationsRequest, context: Any
    ) -> AsyncIterator[messages.WatchRevocationsResponse]:
        async for message in self._use.watch.stream(request.position):
            yield feed_message(message)

    async def RotateSigningKey(
        self, request: messages.RotateSigningKeyRequest, context: Any
    ) -> messages.RotateSigningKeyResponse:
        kind = next((name for name in KINDS if _KINDS[name] == request.kind), None)
        if kind is None:
            fault = FieldViolation("kind", "must be TOKEN_KIND_INSTALLATION or TOKEN_KIND_CONTEXT")
            raise InvalidRequestError("no keys sign tokens of this kind", violations=[fault])
        kid = await self._use.keep_keys.rotate(kind, f"service:{current_caller().peer}")
        return messages.RotateSigningKeyResponse(key_id=kid)

    async def RevokeSigningKey(
        self, request: messages.RevokeSigningKeyRequest, context: Any
    ) -> messages.RevokeSigningKeyResponse:
        await self._use.keep_keys.revoke(request.key_id, f"service:{current_caller().peer}")
        return messages.RevokeSigningKeyResponse()

    async def RotateDataKeys(
        self, request: messages.RotateDataKeysRequest, context: Any
    ) -> messages.RotateDataKeysResponse:
        rewrapped, rotation = await self._use.rotate_data_keys(f"service:{current_caller().peer}")
        return messages.RotateDataKeysResponse(
            rewrapped=rewrapped,
            rotation_id=rotation.id,
            start_time=timestamp(rotation.started_at),
            renewed=rotation.renewed,
            resealed=rotation.resealed,
            dropped=rotation.dropped,
        )

    async def ShredAccount(
        self, request: messages.ShredAccountRequest, context: Any
    ) -> messages.ShredAccountResponse:
        receipt = await self._use.shred(
            account_of(request.account),
            f"service:{current_caller().peer}",
            validate_only=request.validate_only,
        )
        return messages.ShredAccountResponse(
            destroyed=len(receipt.keys),
            data_key_ids=receipt.keys,
            effective_time=None if request.validate_only else timestamp(receipt.effective_at),
        )
