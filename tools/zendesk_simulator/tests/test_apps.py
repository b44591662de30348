"""Installations, signed URLs and the proxy that puts secure settings in on the server."""

from __future__ import annotations

from typing import Any

import httpx2
import jwt
import pytest

from tools.zendesk_simulator.tests.machine import ADMIN, AGENT, GROUP, REQUESTER, Machine, Receiver

SECRETS = {"token": "hidden", "secret": "a key of at least thirty-two bytes", "far": "for example.com"}


def installation(machine: Machine) -> int:
    """Return the installation's id."""
    return next(iter(machine.account.installations))


async def proxied(machine: Machine, receiver: Receiver, **spec: Any) -> httpx2.Response:
    """Send a request through the proxy as the app in a browser does."""
    path = f"apps/installations/{installation(machine)}"
    assert (await machine.call("PUT", path, {"settings": SECRETS})).status_code == 200
    body = {"url": f"{receiver.url}/v1", "type": "POST", **spec}
    return await machine.http.post(f"/proxy/apps/{installation(machine)}", json=body)


async def test_secure_settings_go_in_and_never_come_out(machine: Machine) -> None:
    path = f"apps/installations/{installation(machine)}"

    changed = await machine.call("PUT", path, {"settings": {"token": "hidden", "title": "x"}})
    shown = (await machine.call("GET", path, user=AGENT)).json()

    assert changed.status_code == 200
    assert changed.json()["settings"] == shown["settings"] == {"title": "x"}
    assert machine.account.installations[installation(machine)]["settings"]["token"] == "hidden"


async def test_only_admins_install_and_an_installation_needs_a_name(machine: Machine) -> None:
    body = {"app_id": 77, "settings": {"name": "Setlist"}}

    assert (await machine.call("POST", "apps/installations", body, user=AGENT)).status_code == 403
    nameless = await machine.call("POST", "apps/installations", {"app_id": 77, "settings": {}})
    assert nameless.json()["details"]["name"][0]["error"] == "BlankValue"
    assert (await machine.call("POST", "apps/installations", {**body, "app_id": 5})).status_code == 404
    made = await machine.call("POST", "apps/installations", body)
    assert made.status_code == 201
    path = f"apps/installations/{made.json()['id']}"
    assert (await machine.call("DELETE", path, user=AGENT)).status_code == 403
    assert (await machine.call("DELETE", path)).status_code == 204

    assert (await machine.call("GET", path)).status_code == 404


@pytest.mark.parametrize(
    ("change", "servable"),
    [
        ({}, True),
        ({"enabled": False}, False),
        ({"group_restrictions": [GROUP]}, True),
        ({"group_restrictions": [99]}, False),
        ({"group_restrictions": []}, True),
        ({"role_restrictions": [5]}, False),
    ],
)
async def test_restrictions_are_strings_and_decide_whom_the_app_is_served(
    machine: Machine, change: dict[str, Any], servable: bool
) -> None:
    path = f"apps/installations/{installation(machine)}"
    changed = (await machine.call("PUT", path, change)).json()

    rows = (await machine.call("GET", "apps/installations", user=AGENT)).json()["installations"]

    assert [row["servable"] for row in rows] == [servable]
    for name in ("group_restrictions", "role_restrictions"):
        assert all(isinstance(entry, str) for entry in changed[name] or ())


async def test_the_signed_url_fits_the_public_key(machine: Machine) -> None:
    spec = {"installation_id": installation(machine), "user_id": AGENT}
    opened = (await machine.control("POST", "signed_url", spec)).json()
    key = (await machine.call("GET", "apps/77/public_key.pem", user=AGENT)).text
    assert (await machine.call("GET", "apps/77/public_key")).json()["public_key"] == key

    claims = jwt.decode(
        opened["token"],
        key,
        ["RS256"],
        audience=f"https://acme.zendesk.com/api/v2/apps/installations/{installation(machine)}.json",
        options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
    )

    assert claims["iss"] == "acme.zendesk.com"
    assert claims["sub"] == f"https://acme.zendesk.com/api/v2/users/{AGENT}.json"
    assert claims["exp"] - claims["iat"] == 300
    assert claims["iat"] == int(machine.clock.now().timestamp())
    assert "origin=https%3A%2F%2Facme.zendesk.com" in opened["url"]


async def test_an_agents_page_posts_the_signed_url(machine: Machine) -> None:
    page = await machine.http.get(f"/agent/apps/{installation(machine)}?user_id={AGENT}")

    assert page.status_code == 200
    assert 'method="post" action="http://127.0.0.1:1/app?' in page.text
    assert 'name="token"' in page.text
    missing = await machine.http.get(f"/agent/apps/{installation(machine)}?user_id=999")
    assert missing.status_code == 404


async def test_the_proxy_fills_a_setting_in_where_its_scopes_allow(
    machine: Machine, receiver: Receiver
) -> None:
    headers = {
        "authorization": "Bearer {{setting.token}}",
        "x-far": "{{setting.far}}",
        "x_dropped": "1",
        "x-unknown": "{{setting.nothing}}",
    }

    answer = await proxied(machine, receiver, headers=headers, data='{"token": "{{setting.token}}"}')

    assert answer.status_code == 200
    assert receiver.headers[0]["authorization"] == "Bearer hidden"
    assert receiver.headers[0]["x-far"] == "{{setting.far}}"
    assert receiver.headers[0]["x-unknown"] == "{{setting.nothing}}"
    assert "x_dropped" not in receiver.headers[0]
    assert receiver.bodies == ['{"token": "{{setting.token}}"}']


async def test_the_proxy_signs_whatever_claims_it_is_given(machine: Machine, receiver: Receiver) -> None:
    spec = {
        "algorithm": "HS256",
        "secret_key": "{{setting.secret}}",
        "expiry": 90,
        "claims": {"user": "anybody"},
    }

    await proxied(machine, receiver, headers={"x-jwt": "{{jwt.token}}"}, jwt=spec)
    claims = jwt.decode(
        receiver.headers[0]["x-jwt"],
        SECRETS["secret"],
        ["HS256"],
        options={"verify_exp": False, "verify_iat": False},
    )

    assert claims["user"] == "anybody"
    assert claims["exp"] - claims["iat"] == 90
    odd = await proxied(machine, receiver, jwt={**spec, "algorithm": "none"})
    assert odd.status_code == 400


async def test_the_proxy_reaches_listed_hosts_only(machine: Machine, receiver: Receiver) -> None:
    far = await proxied(machine, receiver, url="https://evil.example/")
    away = await proxied(machine, receiver, url="http://127.0.0.1:1/")

    assert (far.status_code, far.json()["error"]) == (403, "DomainNotWhitelisted")
    assert away.status_code == 502
    assert receiver.bodies == []


async def test_an_event_reaches_open_apps_of_a_known_app(machine: Machine) -> None:
    body = {"app_id": 77, "event": "refresh", "body": "x", "agent_id": AGENT}

    assert (await machine.call("POST", "apps/notify", body)).status_code == 204
    assert (await machine.call("POST", "apps/notify", {**body, "app_id": 1})).status_code == 404
    assert (await machine.call("POST", "apps/notify", {**body, "body": "x" * 1_000_001})).status_code == 413
    assert (await machine.call("POST", "apps/notify", body, user=REQUESTER)).status_code == 403

    assert [n["event"] for n in machine.account.streams["app_notifications"]] == ["refresh"]
    assert (await machine.call("GET", "apps/77", user=ADMIN)).json()["name"] == "App"
