"""Codes, PKCE, rotation, expiry, scopes and clients as Zendesk has them."""

from __future__ import annotations

import base64
import hashlib
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from tools.zendesk_simulator.tests.machine import ADMIN, AGENT, Machine

VERIFIER = "v" * 60
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
REDIRECT = "http://127.0.0.1/callback"
ASKED = {"client_id": "setlist", "redirect_uri": REDIRECT, "scope": "read write", "state": "st"}
CLIENT = {"client_id": "setlist", "client_secret": "s3"}


async def decided(machine: Machine, **changes: str) -> httpx2.Response:
    """Press a button of the consent page."""
    form = {**ASKED, "code_challenge": CHALLENGE, "decision": "allow", "user_id": str(ADMIN), **changes}
    return await machine.http.post("/oauth/authorizations/new", data=form)


def sent_back(answer: httpx2.Response) -> dict[str, str]:
    """Return what the redirect carries."""
    assert answer.status_code == 302, answer.text
    return {k: v[0] for k, v in parse_qs(urlsplit(answer.headers["location"]).query).items()}


async def exchanged(machine: Machine, code: str, **changes: Any) -> httpx2.Response:
    """Exchange a code."""
    body = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, **CLIENT}
    return await machine.http.post("/oauth/tokens", json={**body, "code_verifier": VERIFIER, **changes})


async def pair(machine: Machine, **changes: Any) -> dict[str, Any]:
    """Go the whole way and return the pair."""
    code = sent_back(await decided(machine))["code"]
    answer = await exchanged(machine, code, **changes)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def refreshed(machine: Machine, refresh: str, **changes: Any) -> httpx2.Response:
    """Refresh a pair."""
    body = {"grant_type": "refresh_token", "refresh_token": refresh, **CLIENT, **changes}
    return await machine.http.post("/oauth/tokens", json=body)


async def test_the_page_names_client_and_scopes_and_asks(machine: Machine) -> None:
    answer = await machine.http.get("/oauth/authorizations/new", params={**ASKED, "response_type": "code"})

    assert answer.status_code == 200
    assert "setlist asks for access" in answer.text
    assert "<li>read</li><li>write</li>" in answer.text
    assert 'name="state" value="st"' in answer.text


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_id": "nobody"}, "invalid_client"),
        ({"redirect_uri": "https://evil.example/"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"client_id": "page", "redirect_uri": "https://example.com/back?from=zendesk"}, "invalid_request"),
    ],
)
async def test_a_wrong_request_is_refused_on_the_page_and_never_redirected(
    machine: Machine, changes: dict[str, str], error: str
) -> None:
    query = {**ASKED, "response_type": "code", **changes}

    answer = await machine.http.get("/oauth/authorizations/new", params=query)

    assert answer.status_code in (400, 401)
    assert answer.json()["error"] == error


async def test_a_denial_goes_back_with_the_state(machine: Machine) -> None:
    answer = sent_back(await decided(machine, decision="deny"))

    assert answer == {
        "error": "access_denied",
        "error_description": "The end-user or authorization server denied the request",
        "state": "st",
    }


async def test_a_code_lives_120_seconds_and_once(machine: Machine) -> None:
    first, second = [sent_back(await decided(machine))["code"] for _ in range(2)]

    machine.clock.advance(timedelta(seconds=119))
    assert (await exchanged(machine, first)).status_code == 201
    again = await exchanged(machine, first)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    machine.clock.advance(timedelta(seconds=1))

    assert (await exchanged(machine, second)).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"code_verifier": "x" * 60}, 400, "invalid_grant"),
        ({"redirect_uri": "http://127.0.0.1/other"}, 400, "invalid_grant"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"client_id": "page", "client_secret": None}, 400, "invalid_grant"),
        ({"expires_in": 299}, 400, "invalid_request"),
        ({"refresh_token_expires_in": 7_776_001}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
async def test_what_a_token_request_must_fit(
    machine: Machine, changes: dict[str, Any], status: int, error: str
) -> None:
    code = sent_back(await decided(machine))["code"]

    answer = await exchanged(machine, code, **changes)

    assert (answer.status_code, answer.json()["error"]) == (status, error)


async def test_a_public_client_goes_by_pkce_alone_and_its_address_keeps_its_query(machine: Machine) -> None:
    redirect = "https://example.com/back?from=zendesk"
    back = sent_back(await decided(machine, client_id="page", redirect_uri=redirect))
    assert back["from"] == "zendesk"

    answer = await exchanged(
        machine, back["code"], client_id="page", redirect_uri=redirect, client_secret=None
    )

    assert answer.status_code == 201


async def test_a_refresh_kills_the_old_pair_at_once(machine: Machine) -> None:
    old = await pair(machine)

    new = await refreshed(machine, old["refresh_token"])

    assert new.status_code == 201
    dead = await machine.call("GET", "groups", token=old["access_token"])
    assert (dead.status_code, dead.json()["error"]) == (401, "invalid_token")
    assert (await refreshed(machine, old["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await machine.call("GET", "groups", token=new.json()["access_token"])).status_code == 200


async def test_a_refresh_token_is_bound_to_its_client_and_a_wrong_one_does_not_kill_it(
    machine: Machine,
) -> None:
    old = await pair(machine)

    stolen = await refreshed(machine, old["refresh_token"], client_id="page", client_secret=None)
    odd = await refreshed(machine, old["refresh_token"], expires_in=1)

    assert [stolen.json()["error"], odd.json()["error"]] == ["invalid_grant", "invalid_request"]
    assert (await refreshed(machine, old["refresh_token"])).status_code == 201


async def test_lives_are_as_asked_for_or_30_minutes_and_30_days(machine: Machine) -> None:
    usual, asked = await pair(machine), await pair(machine, expires_in=300, refresh_token_expires_in=604_800)
    assert (usual["expires_in"], usual["refresh_token_expires_in"]) == (1800, 2_592_000)

    machine.clock.advance(timedelta(seconds=300))
    statuses = [
        (await machine.call("GET", "groups", token=p["access_token"])).status_code for p in (usual, asked)
    ]
    assert statuses == [200, 401]
    machine.clock.advance(timedelta(days=7))

    assert (await refreshed(machine, asked["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await refreshed(machine, usual["refresh_token"])).status_code == 201


async def test_in_the_legacy_regime_nothing_expires_unless_asked(machine: Machine) -> None:
    await machine.control("PUT", "", {"regime": "legacy"})

    eternal, mortal = await pair(machine), await pair(machine, expires_in=300)
    machine.clock.advance(timedelta(days=400))

    assert set(eternal) == {"access_token", "token_type", "scope"}
    assert (await machine.call("GET", "groups", token=eternal["access_token"])).status_code == 200
    assert mortal["expires_in"] == 300


async def test_client_credentials_act_as_the_clients_owner_without_a_refresh_token(machine: Machine) -> None:
    body = {"client": {"name": "Job", "identifier": "job", "kind": "confidential"}}
    client = (await machine.call("POST", "oauth/clients", body)).json()["client"]

    answer = await machine.http.post(
        "/oauth/tokens",
        json={"grant_type": "client_credentials", "client_id": "job", "client_secret": client["secret"]},
    )

    assert answer.status_code == 201
    assert "refresh_token" not in answer.json()
    me = await machine.call("GET", "users/me", token=answer.json()["access_token"])
    assert me.json()["user"]["id"] == ADMIN


async def test_scopes_bind_and_an_unknown_one_is_given_but_opens_nothing(machine: Machine) -> None:
    cases = {
        ("read",): [200, 403, 200],
        ("tickets:read", "tickets:write"): [200, 201, 403],
        ("tickets:write",): [403, 201, 403],
        ("groups:read",): [403, 403, 403],
        ("write",): [403, 201, 403],
    }
    for scopes, expected in cases.items():
        token = await machine.token(ADMIN, *scopes)
        new = {"ticket": {"subject": "x", "comment": {"body": "y"}}}
        statuses = [
            (await machine.call("GET", "tickets", token=token)).status_code,
            (await machine.call("POST", "tickets", new, token=token)).status_code,
            (await machine.call("GET", "group_memberships", token=token)).status_code,
        ]
        assert statuses == expected, scopes


async def test_a_token_shows_itself_and_can_end_itself(machine: Machine) -> None:
    made = await pair(machine)
    token = made["access_token"]

    row = (await machine.call("GET", "oauth/tokens/current", token=token)).json()["token"]
    assert row["token"] == token[:10]
    assert row["refresh_token"] == made["refresh_token"][:10]
    assert row["used_at"] == f"{machine.clock.now():%Y-%m-%dT%H:%M:%SZ}"
    assert row["client_id"] == machine.account.clients["setlist"]["id"]
    assert (await machine.call("DELETE", "oauth/tokens/current", token=token)).status_code == 204

    assert (await machine.call("GET", "oauth/tokens/current", token=token)).status_code == 401
    assert (await refreshed(machine, made["refresh_token"])).json()["error"] == "invalid_grant"


async def test_tokens_are_listed_and_revoked_by_their_owner_or_an_admin(machine: Machine) -> None:
    own, admin = await machine.token(AGENT), await machine.token(ADMIN)
    admins = machine.account.tokens[admin].id

    listed = (await machine.call("GET", "oauth/tokens", token=own)).json()["tokens"]
    assert {row["user_id"] for row in listed} == {AGENT}
    everything = (await machine.call("GET", "oauth/tokens?all=true", token=admin)).json()["tokens"]
    assert {row["user_id"] for row in everything} == {ADMIN, AGENT}
    assert (await machine.call("DELETE", f"oauth/tokens/{admins}", token=own)).status_code == 403
    agents = machine.account.tokens[own].id
    assert (await machine.call("GET", f"oauth/tokens/{agents}", token=admin)).status_code == 200
    assert (await machine.call("DELETE", f"oauth/tokens/{agents}", token=admin)).status_code == 204

    assert (await machine.call("GET", "groups", token=own)).status_code == 401
    assert (await machine.call("GET", f"oauth/tokens/{agents}", token=admin)).status_code == 404


async def test_an_admin_makes_a_token_that_never_expires(machine: Machine) -> None:
    client = machine.account.clients["setlist"]["id"]
    body = {"token": {"client_id": client, "scopes": ["read"]}}

    answer = await machine.call("POST", "oauth/tokens", body)
    assert answer.status_code == 201
    token = answer.json()["token"]["token"]
    machine.clock.advance(timedelta(days=4000))

    assert (await machine.call("GET", "groups", token=token)).status_code == 200
    assert (await machine.call("POST", "oauth/tokens", body, user=AGENT)).status_code == 403


async def test_clients_show_their_secret_once(machine: Machine) -> None:
    body = {
        "client": {
            "name": "Ours",
            "identifier": "ours",
            "redirect_uri": "https://a.example\nhttps://b.example",
        }
    }
    made = await machine.call("POST", "oauth/clients", body)
    assert made.status_code == 201
    client = made.json()["client"]
    assert client["redirect_uri"] == ["https://a.example", "https://b.example"]
    path = f"oauth/clients/{client['id']}"

    assert made.headers["location"] == client["url"]
    assert (await machine.call("GET", path)).json()["client"]["secret"] == client["secret"][:10]
    fresh = (await machine.call("PUT", f"{path}/generate_secret")).json()["client"]["secret"]
    assert len(fresh) == 64
    assert fresh != client["secret"]
    changed = await machine.call("PUT", path, {"client": {"name": "Theirs"}})
    assert changed.json()["client"]["name"] == "Theirs"
    twice = await machine.call("POST", "oauth/clients", body)
    assert (twice.status_code, twice.json()["error"]) == (422, "RecordInvalid")
    assert (await machine.call("GET", "oauth/clients", user=AGENT)).status_code == 403
    assert (await machine.call("DELETE", path)).status_code == 204
    assert (await machine.call("GET", path)).status_code == 404


async def test_a_lost_refresh_has_rotated_the_pair(machine: Machine) -> None:
    made = await pair(machine)
    await machine.fault("lose_refresh")
    with pytest.raises(httpx2.RemoteProtocolError):
        await refreshed(machine, made["refresh_token"])

    assert (await machine.call("GET", "groups", token=made["access_token"])).status_code == 401
    assert (await refreshed(machine, made["refresh_token"])).json()["error"] == "invalid_grant"
    other = await pair(machine)
    await machine.fault("lose_refresh", how="error")

    assert (await refreshed(machine, other["refresh_token"])).status_code == 500
    assert other["refresh_token"] not in machine.account.by_refresh


async def test_the_token_of_somebody_who_is_gone_is_dead(machine: Machine) -> None:
    token = await machine.token(AGENT)
    machine.account.users[AGENT]["suspended"] = True

    assert (await machine.call("GET", "groups", token=token)).status_code == 401


async def test_basic_credentials_name_a_user_by_his_address(machine: Machine) -> None:
    def basic(name: str) -> dict[str, str]:
        return {"authorization": f"Basic {base64.b64encode(name.encode()).decode()}"}

    me = await machine.http.get("/api/v2/users/me.json", headers=basic("ada@example.com/token:x"))
    assert me.json()["user"]["id"] == ADMIN
    machine.account.users[ADMIN]["email"] = "new@example.com"

    old = await machine.http.get("/api/v2/users/me.json", headers=basic("ada@example.com/token:x"))
    new = await machine.http.get("/api/v2/users/me.json", headers=basic("new@example.com/token:x"))
    assert (old.status_code, new.json()["user"]["id"]) == (401, ADMIN)
