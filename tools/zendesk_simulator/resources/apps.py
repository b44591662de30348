"""Apps, installations, signed URLs and the secure proxy (facts: Zendesk §12)."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from urllib.parse import urlencode, urlsplit

import httpx2
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import Refusal, not_found, number
from tools.zendesk_simulator.state import Account, App, Row

_PLACE = re.compile(r"\{\{setting\.([A-Za-z0-9_]+)\}\}")
SIGNED_URL_LIFE = timedelta(minutes=5)


def add_app(account: Account, spec: Row, key: rsa.RSAPrivateKey | None = None) -> App:
    """Upload an app: makes its key pair, unless another account has the app already."""
    key = key or rsa.generate_private_key(public_exponent=65537, key_size=2048)
    app_id = int(spec.get("id") or account.next_id("app"))
    app = App(
        app_id,
        spec.get("guid", f"guid-{app_id}"),
        spec.get("name", "App"),
        spec.get("url", ""),
        spec.get("parameters", []),
        spec.get("domain_whitelist", []),
        key,
    )
    account.apps[app_id] = app
    return app


def install(account: Account, app: App, settings: Row, enabled: bool = True) -> Row:
    """Install an app."""
    row: Row = {
        "id": account.next_id("installation"),
        "app_id": app.id,
        "product": "support",
        "settings": dict(settings),
        "enabled": enabled,
        "paid": False,
        "group_restrictions": None,
        "role_restrictions": None,
        "servable": True,
        "pending_job_id": None,
        "updated_at": stamp(account.now()),
    }
    account.installations[row["id"]] = row
    return row


def _secure(account: Account, row: Row) -> set[str]:
    return {p["name"] for p in account.apps[row["app_id"]].parameters if p.get("secure")}


def show(account: Account, row: Row) -> Row:
    """Return an installation; secure settings never come back."""
    hidden = _secure(account, row)
    return {**row, "settings": {k: v for k, v in row["settings"].items() if k not in hidden}}


def _installation(call: Call) -> Row:
    row = call.account.installations.get(number(call.path["id"]))
    if row is None:
        raise not_found()
    return row


async def list_installations(call: Call) -> Row:
    call.require_agent()
    return {"installations": [show(call.account, row) for row in call.account.installations.values()]}


async def show_installation(call: Call) -> Row:
    call.require_agent()
    return show(call.account, _installation(call))


async def create_installation(call: Call) -> tuple[int, Row]:
    call.require_admin()
    app = call.account.apps.get(number(call.body.get("app_id")))
    if app is None:
        raise not_found()
    return 201, show(call.account, install(call.account, app, call.body.get("settings") or {}))


async def update_installation(call: Call) -> Row:
    call.require_admin()
    row = _installation(call)
    row["settings"] |= call.body.get("settings") or {}
    for name in ("enabled", "group_restrictions", "role_restrictions"):
        if name in call.body:
            row[name] = call.body[name]
    row["updated_at"] = stamp(call.account.now())
    return show(call.account, row)


async def delete_installation(call: Call) -> tuple[int, None]:
    call.require_admin()
    del call.account.installations[_installation(call)["id"]]
    return 204, None


def public_pem(app: App) -> str:
    """Return an app's public key."""
    return app.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


async def public_key(call: Call) -> Response | Row:
    app = call.account.apps.get(number(call.path["id"]))
    if app is None:
        raise not_found()
    if call.request.url.path.endswith(".pem"):
        return PlainTextResponse(public_pem(app), media_type="application/x-pem-file")
    return {"public_key": public_pem(app)}


def signed_url(account: Account, row: Row, user_id: int, location: str = "nav_bar") -> Row:
    """Return what the iframe is loaded with: address and form."""
    now, app = account.now(), account.apps[row["app_id"]]
    host = f"{account.subdomain}.zendesk.com"
    claims = {
        "iss": host,
        "aud": f"https://{host}/api/v2/apps/installations/{row['id']}.json",
        "sub": f"https://{host}/api/v2/users/{user_id}.json",
        "iat": int(now.timestamp()),
        "nbf": int(now.timestamp()),
        "exp": int((now + SIGNED_URL_LIFE).timestamp()),
        "context": {"product": "support", "location": location},
        # Two loads within one second would carry equal tokens; the live service's `jti` is not confirmed.
        "qsh": f"{account.next_id('signed_url'):064x}",
    }
    query = urlencode({"origin": f"https://{host}", "app_guid": app.guid})
    return {"url": f"{app.url}?{query}", "token": jwt.encode(claims, app.key, "RS256")}


async def open_app(call: Call) -> Response:
    """The page that Zendesk shows an agent: it posts the signed URL into the app's frame."""
    from tools.zendesk_simulator.resources.oauth import SESSION_COOKIE

    row, user_id = _installation(call), number(call.query.get("user_id"))
    if user_id not in call.account.users:
        raise not_found()
    opened = signed_url(call.account, row, user_id)
    page = HTMLResponse(
        f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Zendesk</title></head>
<body onload="document.forms[0].submit()"><form method="post" action="{html.escape(opened["url"])}">
<input type="hidden" name="token" value="{opened["token"]}"></form></body></html>"""
    )
    page.set_cookie(SESSION_COOKIE, str(user_id), httponly=True, samesite="lax")
    return page


async def proxy(call: Call) -> Response:
    """Zendesk's proxy: fills in secure settings on the server and forwards (facts §13.3)."""
    row = _installation(call)
    app, spec = call.account.apps[row["app_id"]], call.body
    url = str(spec.get("url", ""))
    if (
        urlsplit(url).netloc not in app.domain_whitelist
        and urlsplit(url).hostname not in app.domain_whitelist
    ):
        raise Refusal(403, {"error": "DomainNotWhitelisted"})
    scopes = {p["name"]: p.get("scopes", []) for p in app.parameters}

    def fill(text: str, where: str) -> str:
        def value(found: re.Match[str]) -> str:
            name = found[1]
            return str(row["settings"].get(name, "")) if where in scopes.get(name, []) else found[0]

        return _PLACE.sub(value, text)

    headers = {k: fill(str(v), "header") for k, v in (spec.get("headers") or {}).items() if "_" not in k}
    data = spec.get("data")
    async with httpx2.AsyncClient(trust_env=False, timeout=20.0) as client:
        answer = await client.request(
            str(spec.get("type", "GET")),
            fill(url, "url"),
            headers=headers,
            content=fill(data, "body").encode() if isinstance(data, str) else None,
        )
    kept = {k: v for k, v in answer.headers.items() if k in ("content-type", "retry-after", "etag")}
    return Response(answer.content, answer.status_code, headers=kept)


ROUTES = [
    endpoint("GET", "apps/installations", list_installations),
    endpoint("POST", "apps/installations", create_installation),
    endpoint("GET", "apps/installations/{id:int}", show_installation),
    endpoint("PUT", "apps/installations/{id:int}", update_installation),
    endpoint("DELETE", "apps/installations/{id:int}", delete_installation),
    endpoint("GET", "apps/{id:int}/public_key", public_key),
    endpoint("GET", "apps/{id:int}/public_key.pem", public_key),
    endpoint("GET", "agent/apps/{id:int}", open_app, api=False),
    endpoint("POST", "proxy/apps/{id:int}", proxy, api=False),
]
