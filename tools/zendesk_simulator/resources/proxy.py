"""Zendesk's proxy for requests of apps: fills in secure settings on the server and forwards (facts: Zendesk §12.3, §13.3)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2
import jwt
from starlette.responses import Response

from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import Refusal, not_found, number
from tools.zendesk_simulator.state import App, Row

_PLACE = re.compile(r"\{\{setting\.([A-Za-z0-9_]+)\}\}")
_TOKEN = re.compile(r"\{\{jwt\.token\}\}")
_KEPT = ("content-type", "retry-after", "etag")
_ALGORITHMS = ("HS256", "HS384", "HS512")
TIMEOUT_SECONDS, JWT_SECONDS = 20.0, 60


@dataclass(frozen=True, slots=True)
class Filling:
    """Puts an installation's settings into a request, each only where its scopes allow and to its own domain."""

    app: App
    settings: Row
    host: str
    token: str | None = None

    def fill(self, text: str, where: str) -> str:
        """Return text with its places filled; others stay as they are."""

        def value(found: re.Match[str]) -> str:
            parameter = next((p for p in self.app.parameters if p["name"] == found[1]), None)
            if parameter is None or where not in parameter.get("scopes", ()):
                return found[0]
            domain = parameter.get("allowed_domain")
            if domain and self.host != domain and not self.host.endswith(f".{domain}"):
                return found[0]
            return str(self.settings.get(found[1], ""))

        filled = _PLACE.sub(value, text)
        return filled if self.token is None else _TOKEN.sub(self.token, filled)


def _signed(filling: Filling, spec: Row, now: int) -> str:
    """Return the token that the proxy signs: whatever claims the browser supplies."""
    if spec.get("algorithm", "HS256") not in _ALGORITHMS:
        raise Refusal(400, {"error": "InvalidJwtAlgorithm"})
    claims: dict[str, Any] = {
        k: filling.fill(v, "jwt_claim") if isinstance(v, str) else v
        for k, v in (spec.get("claims") or {}).items()
    }
    claims |= {"iat": now, "exp": now + int(spec.get("expiry", JWT_SECONDS))}
    key = filling.fill(str(spec.get("secret_key", "")), "jwt_secret_key")
    return jwt.encode(claims, key, spec.get("algorithm", "HS256"))


async def proxy(call: Call) -> Response:
    """Forward a request of an app in an agent's browser."""
    account, spec = call.account, call.body
    row = account.installations.get(number(call.path["id"]))
    if row is None:
        raise not_found()
    app, url = account.apps[row["app_id"]], str(spec.get("url", ""))
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.netloc not in app.domain_whitelist and host not in app.domain_whitelist:
        raise Refusal(403, {"error": "DomainNotWhitelisted"})
    filling = Filling(app, row["settings"], host)
    if isinstance(spec.get("jwt"), dict):
        token = _signed(filling, spec["jwt"], int(account.now().timestamp()))
        filling = Filling(app, row["settings"], host, token)
    headers = {
        k: filling.fill(str(v), "header") for k, v in (spec.get("headers") or {}).items() if "_" not in k
    }
    data = spec.get("data")
    http: httpx2.AsyncClient = call.request.scope["zendesk_http"]
    try:
        answer = await http.request(
            str(spec.get("type", "GET")),
            filling.fill(url, "url"),
            headers=headers,
            content=filling.fill(data, "body").encode() if isinstance(data, str) else None,
            timeout=TIMEOUT_SECONDS,
        )
    except httpx2.TransportError:
        raise Refusal(502, {"error": "BadGateway"}) from None
    kept = {k: v for k, v in answer.headers.items() if k in _KEPT}
    return Response(answer.content, answer.status_code, headers=kept)


ROUTES = [endpoint("POST", "proxy/apps/{id:int}", proxy, api=False)]
