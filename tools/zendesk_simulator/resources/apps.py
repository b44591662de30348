"""Apps, installations and signed URLs (facts: Zendesk §12)."""

from __future__ import annotations

import html
import json
from datetime import timedelta
from urllib.parse import urlencode

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import Refusal, invalid, not_found, number
from tools.zendesk_simulator.state import Account, App, Row

NOTIFICATION_BYTES = 1_000_000
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


def show(account: Account, row: Row, user: Row | None = None) -> Row:
    """Return an installation as a user sees it; secure settings never come back."""
    hidden = _secure(account, row)
    shown = {**row, "settings": {k: v for k, v in row["settings"].items() if k not in hidden}}
    if user is not None:
        shown["servable"] = _servable(account, row, user)
    return shown


def _servable(account: Account, row: Row, user: Row) -> bool:
    """Tell whether a user is served the app: null or empty restrictions mean everybody (unconfirmed)."""
    groups, roles = row["group_restrictions"] or [], row["role_restrictions"] or []
    mine = {str(g) for g in account.groups_of(user["id"])}
    return (
        row["enabled"]
        and (not groups or bool(mine & set(groups)))
        and (not roles or str(user["custom_role_id"]) in roles)
    )


def _installation(call: Call) -> Row:
    row = call.account.installations.get(number(call.path["id"]))
    if row is None:
        raise not_found()
    return row


async def list_installations(call: Call) -> Row:
    user = call.require_agent()
    return {"installations": [show(call.account, row, user) for row in call.account.installations.values()]}


async def show_installation(call: Call) -> Row:
    return show(call.account, _installation(call), call.require_agent())


async def create_installation(call: Call) -> tuple[int, Row]:
    call.require_admin()
    app = call.account.apps.get(number(call.body.get("app_id")))
    if app is None:
        raise not_found()
    settings = _settings(call)
    if not settings.get("name"):
        raise invalid("BlankValue", name="Name: cannot be blank")
    row = install(call.account, app, settings, enabled=bool(call.body.get("enabled", True)))
    return 201, show(call.account, row, call.user)


def _settings(call: Call) -> Row:
    settings = call.body.get("settings") or {}
    if not isinstance(settings, dict):
        raise invalid(settings="Settings: is invalid")
    return settings


async def update_installation(call: Call) -> Row:
    call.require_admin()
    row = _installation(call)
    row["settings"] |= _settings(call)
    if "enabled" in call.body:
        row["enabled"] = bool(call.body["enabled"])
    for name in ("group_restrictions", "role_restrictions"):
        if name in call.body:  # entries are ids as strings
            given = call.body[name]
            row[name] = None if given is None else [str(entry) for entry in given]
    row["updated_at"] = stamp(call.account.now())
    return show(call.account, row, call.user)


async def delete_installation(call: Call) -> tuple[int, None]:
    call.require_admin()
    del call.account.installations[_installation(call)["id"]]
    return 204, None


def public_pem(app: App) -> str:
    """Return an app's public key."""
    return app.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _app(call: Call) -> App:
    call.require_agent()
    app = call.account.apps.get(number(call.path["id"]))
    if app is None:
        raise not_found()
    return app


async def show_app(call: Call) -> Row:
    app = _app(call)
    return {"id": app.id, "name": app.name, "visibility": "private", "parameters": app.parameters}


async def public_key(call: Call) -> Response | Row:
    app = _app(call)
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
        "cnf": {"jku": f"https://{host}/api/v2/apps/{app.id}/public_key"},
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


async def notify(call: Call) -> tuple[int, None]:
    """Fire an event in open iframes; here it is kept for the control API's snapshot."""
    call.require_agent()
    if len(json.dumps(call.body)) > NOTIFICATION_BYTES:
        raise Refusal(413, {"error": "PayloadTooLarge", "description": "The body is larger than 1 MB"})
    if number(call.body.get("app_id")) not in call.account.apps:
        raise not_found()
    kept = {k: call.body.get(k) for k in ("app_id", "event", "body", "agent_id")}
    call.account.streams["app_notifications"].append({**kept, "at": stamp(call.account.now())})
    return 204, None


ROUTES = [
    endpoint("GET", "apps/installations", list_installations),
    endpoint("POST", "apps/installations", create_installation),
    endpoint("GET", "apps/installations/{id:int}", show_installation),
    endpoint("PUT", "apps/installations/{id:int}", update_installation),
    endpoint("DELETE", "apps/installations/{id:int}", delete_installation),
    endpoint("GET", "apps/{id:int}", show_app),
    endpoint("GET", "apps/{id:int}/public_key", public_key),
    endpoint("GET", "apps/{id:int}/public_key.pem", public_key),
    endpoint("GET", "agent/apps/{id:int}", open_app, api=False),
    endpoint("POST", "apps/notify", notify),
]
