"""Zendesk over HTTP: the OAuth endpoints here, the rest through `libs.zendesk`."""

from __future__ import annotations

import asyncio

import httpx2

from libs.kernel.errors import DependencyUnavailableError
from libs.kernel.ids import UserId
from libs.telemetry.logs import get_logger
from libs.zendesk.client import ZendeskClient
from libs.zendesk.errors import (
    InvalidTokenError,
    RecordNotFoundError,
    ZendeskError,
    ZendeskUnavailableError,
)
from libs.zendesk.models import User
from libs.zendesk.tokens import StaticToken
from services.auth.app.authorize import OAuthClient
from services.auth.app.ports import (
    GrantDeadError,
    RefreshLostError,
    RemoteInstallation,
    TokenPair,
    ZendeskPerson,
)
from services.auth.domain.errors import AccountGoneError, ZendeskRefusedError
from services.auth.domain.grant import HTTP_SECONDS

ACCESS_SECONDS = 14_400
REFRESH_SECONDS = 7_700_000
"""Asked for: fewer refreshes are fewer dangerous moments (facts: auth, decision 4)."""


class HttpZendesk:
    """Implements the port `Zendesk`.

    Args:
        http: connection pool; no redirects are followed.
        client: our OAuth client.
    """

    def __init__(self, http: httpx2.AsyncClient, client: OAuthClient) -> None:
        self._http = http
        self._client = client

    async def exchange_code(self, base: str, code: str, verifier: str) -> TokenPair:
        body: dict[str, object] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._client.redirect_uri,
            "code_verifier": verifier,
            "scope": self._client.scope,
        }
        try:
            answer = await self._token_call(base, body)
        except (httpx2.RequestError, TimeoutError):
            raise _away() from None
        if answer.status_code >= 500 or answer.status_code == 429:
            raise _away(answer.status_code)
        if answer.status_code not in (200, 201):
            raise ZendeskRefusedError(
                "Zendesk refused the authorisation code", metadata={"status": str(answer.status_code)}
            )
        try:
            return _pair(answer)
        except ValueError:
            raise _away(answer.status_code) from None

    async def refresh(self, base: str, refresh_token: str) -> TokenPair:
        try:
            answer = await self._token_call(
                base, {"grant_type": "refresh_token", "refresh_token": refresh_token}
            )
        except httpx2.ConnectError:
            raise _away() from None
        except (httpx2.RequestError, TimeoutError):
            raise RefreshLostError from None
        if answer.status_code in (200, 201):
            try:
                return _pair(answer)
            except ValueError:
                raise RefreshLostError from None
        if answer.status_code >= 500:
            raise RefreshLostError
        if answer.status_code == 400 and _error(answer) == "invalid_grant":
            raise GrantDeadError
        if answer.status_code == 404:
            raise AccountGoneError(
                "Zendesk has no such account", metadata={"service": "zendesk", "status": "404"}
            )
        if _error(answer) == "invalid_client":  # our own fault: the grant is kept, people must be told
            get_logger().error("Zendesk refuses our OAuth client", status=answer.status_code)
        raise _away(answer.status_code)

    async def _token_call(self, base: str, body: dict[str, object]) -> httpx2.Response:
        client = {"client_id": self._client.client_id, "client_secret": self._client.client_secret}
        lives = {"expires_in": ACCESS_SECONDS, "refresh_token_expires_in": REFRESH_SECONDS}
        # The client's own time-outs are per step, and an answer may come in drops: the lease counts on the whole.
        async with asyncio.timeout(HTTP_SECONDS):
            return await self._http.post(
                f"{base}/oauth/tokens", json={**body, **client, **lives}, timeout=HTTP_SECONDS
            )

    async def alive(self, base: str, access: str) -> bool:
        headers = {"authorization": f"Bearer {access}"}
        try:
            answer = await self._http.get(f"{base}/api/v2/oauth/tokens/current.json", headers=headers)
        except httpx2.RequestError:
            raise _away() from None
        if answer.status_code not in (200, 401):
            raise _away(answer.status_code)  # a busy Zendesk is no proof of death
        return answer.status_code == 200

    def _api(self, base: str, access: str) -> ZendeskClient:
        return ZendeskClient(base, StaticToken(access), self._http)

    async def myself(self, base: str, access: str) -> ZendeskPerson | None:
        try:
            user = await self._api(base, access).users.me()
        except ZendeskError as error:
            raise _translated(error) from None
        return None if user is None else _person(user)

    async def person(self, base: str, access: str, user: UserId) -> ZendeskPerson | None:
        try:
            return _person(await self._api(base, access).users.show(user))
        except RecordNotFoundError:
            return None
        except InvalidTokenError:
            raise GrantDeadError from None
        except ZendeskError as error:
            raise _translated(error) from None

    async def installation(self, base: str, access: str, installation_id: int) -> RemoteInstallation | None:
        try:
            found = await self._api(base, access).installations.show(installation_id)
        except RecordNotFoundError:
            return None
        except InvalidTokenError:
            raise GrantDeadError from None
        except ZendeskError as error:
            raise _translated(error) from None
        return RemoteInstallation(found.enabled, found.group_restrictions, found.role_restrictions)

    async def write_setting(self, base: str, access: str, installation_id: int, token: str) -> None:
        try:
            await self._api(base, access).installations.set_settings(installation_id, {"token": token})
        except ZendeskError as error:
            raise _translated(error) from None

    async def revoke(self, base: str, access: str) -> None:
        headers = {"authorization": f"Bearer {access}"}
        try:
            answer = await self._http.delete(f"{base}/api/v2/oauth/tokens/current.json", headers=headers)
        except httpx2.RequestError:
            raise _away() from None
        if answer.status_code not in (200, 204, 401, 404):
            raise _away(answer.status_code)


def _away(status: int | None = None) -> DependencyUnavailableError:
    said = {} if status is None else {"status": str(status)}
    return DependencyUnavailableError("Zendesk does not answer", metadata={"service": "zendesk", **said})


def _translated(error: ZendeskError) -> Exception:
    if isinstance(error, ZendeskUnavailableError) or error.status == 429:
        return _away()
    return ZendeskRefusedError(f"Zendesk refused `{error.route}`", metadata={"status": str(error.status)})


def _person(user: User) -> ZendeskPerson:
    role = {"end-user": "end_user"}.get(user.role, user.role)
    return ZendeskPerson(
        UserId(user.id), role, user.name, user.email, user.custom_role_id, user.active and not user.suspended
    )


def _error(answer: httpx2.Response) -> str:
    try:
        body = answer.json()
    except ValueError:
        return ""
    return str(body.get("error", "")) if isinstance(body, dict) else ""


def _pair(answer: httpx2.Response) -> TokenPair:
    """Read a pair strictly; raises ValueError."""
    body = answer.json()
    if not isinstance(body, dict):
        raise ValueError("no object")
    access, refresh, scope = body.get("access_token"), body.get("refresh_token"), body.get("scope") or ""
    if not isinstance(access, str) or not access or not isinstance(scope, str):
        raise ValueError("no access token")
    if refresh is not None and not isinstance(refresh, str):
        raise ValueError("no refresh token")
    return TokenPair(
        access,
        refresh or None,
        _seconds(body.get("expires_in")),
        _seconds(body.get("refresh_token_expires_in")),
        tuple(scope.split()),
    )


def _seconds(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**31:
        raise ValueError("no life")
    return value
