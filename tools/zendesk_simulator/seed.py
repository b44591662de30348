"""Fills an account from a plain description (JSON or YAML)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives.asymmetric import rsa

from tools.zendesk_simulator.limits import PLANS
from tools.zendesk_simulator.resources.apps import add_app, install
from tools.zendesk_simulator.resources.groups import add_field, add_group, add_membership
from tools.zendesk_simulator.resources.oauth_clients import add_client
from tools.zendesk_simulator.resources.tickets import create
from tools.zendesk_simulator.resources.users import add_user
from tools.zendesk_simulator.resources.views import add_view
from tools.zendesk_simulator.seed_more import seed_before_users, seed_user
from tools.zendesk_simulator.state import Account, Row, World


def read_seed(path: Path) -> list[dict[str, Any]]:
    """Return the accounts that a YAML or JSON file describes: one, or a list.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no YAML, or describes no account.
    """
    try:
        read = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
    specs = read if isinstance(read, list) else [read]
    if not specs or not all(isinstance(spec, dict) and "subdomain" in spec for spec in specs):
        raise ValueError("an account needs at least a `subdomain`")
    return specs


def seed_account(world: World, spec: dict[str, Any]) -> dict[str, Any]:
    """Make an account and what the description names; return the ids that were given.

    Members: subdomain, plan, job_seconds, regime, oauth_clients, custom_roles, groups, users (with `groups` and
    `skills`), views, user_fields, ticket_fields, apps (each with `install: true` or settings), tickets, and those of
    `seed_more.seed_before_users`. An OAuth client given as an
    identifier alone is one that another account has: a global client. An app keeps its key in every account.
    """
    plan = spec.get("plan", "enterprise_plus")
    if plan not in PLANS:
        raise ValueError(f"`{plan}` is no plan: choose one of {', '.join(PLANS)}")
    account = world.accounts.get(spec["subdomain"]) or world.add(
        spec["subdomain"], plan, float(spec.get("job_seconds", 1.0))
    )
    account.regime = spec.get("regime", account.regime)
    for given in spec.get("oauth_clients", ()):
        client = _known_client(world, given) if isinstance(given, str) else given
        account.clients.pop(client["identifier"], None)
        add_client(account, {"name": client["identifier"], **client}, client.get("user_id"))
    for role in spec.get("custom_roles", ()):
        account.custom_roles[int(role["id"])] = dict(role)
    made: dict[str, Any] = {"subdomain": account.subdomain, "account_id": account.id}
    made |= seed_before_users(account, spec)
    made["groups"] = [add_group(account, g)["id"] for g in spec.get("groups", ())]
    made["users"] = [_user(account, u) for u in spec.get("users", ())]
    made["user_fields"] = [add_field(account, "user_field", f)["id"] for f in spec.get("user_fields", ())]
    made["ticket_fields"] = [
        add_field(account, "ticket_field", f)["id"] for f in spec.get("ticket_fields", ())
    ]
    made["views"] = [add_view(account, v)["id"] for v in spec.get("views", ())]
    made["apps"] = []
    for one in spec.get("apps", ()):
        app = add_app(account, one, _known_key(world, one.get("id")))
        row = install(account, app, one.get("settings", {})) if one.get("install", True) else None
        made["apps"].append({"app_id": app.id, "installation_id": row["id"] if row else None})
    made["tickets"] = [create(account, t, t.get("requester_id"))[0]["id"] for t in spec.get("tickets", ())]
    return made


def _known_client(world: World, identifier: str) -> Row:
    known = (a.clients[identifier] for a in world.accounts.values() if identifier in a.clients)
    found = next(known, None)
    if found is None:
        raise KeyError(f"no account has the OAuth client `{identifier}`")
    return found


def _known_key(world: World, app_id: object) -> rsa.RSAPrivateKey | None:
    return next((a.apps[app_id].key for a in world.accounts.values() if app_id in a.apps), None)


def _user(account: Account, spec: dict[str, Any]) -> int:
    user = add_user(account, spec)
    for group in spec.get("groups", ()):
        add_membership(account, user["id"], int(group))
    seed_user(account, user["id"], spec)
    return int(user["id"])
