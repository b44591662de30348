"""The row of a user: its members, who may write them, its e-mail addresses (facts: Zendesk §5)."""

from __future__ import annotations

import re
from typing import Any

from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.errors import forbidden, invalid, not_found, number
from tools.zendesk_simulator.resources.events import CREATED, emit
from tools.zendesk_simulator.resources.identities import add_identity
from tools.zendesk_simulator.state import STATUSES, Account, Row

ROLES = ("end-user", "agent", "admin")
PERMITTED = (
    "name",
    "email",
    "role",
    "custom_role_id",
    "organization_id",
    "suspended",
    "external_id",
    "phone",
    "tags",
    "notes",
    "details",
    "default_group_id",
    "time_zone",
    "alias",
    "signature",
    "locale",
    "moderator",
    "ticket_restriction",
    "only_private_comments",
    "restricted_agent",
    "user_fields",
    "verified",
    "skip_verify_email",
    "identities",
)
_PLAIN = tuple(k for k in PERMITTED if k not in ("email", "user_fields", "skip_verify_email", "identities"))
_HIDDEN = ("generated_timestamp", "permanently_deleted", "deleted_at")
_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def add_user(account: Account, spec: Row) -> Row:
    """Make a user from the members of a create request."""
    user_id = int(spec.get("id") or account.next_id("user"))
    account.reserve_id("user", user_id)
    role, now = spec.get("role", "end-user"), stamp(account.now())
    row: Row = {
        "id": user_id,
        "url": account.url(f"users/{user_id}"),
        "name": spec.get("name", f"User {user_id}"),
        "email": spec.get("email", f"user{user_id}@example.invalid"),
        "created_at": now,
        "updated_at": now,
        "time_zone": spec.get("time_zone", "UTC"),
        "iana_time_zone": "Etc/UTC",
        "phone": spec.get("phone"),
        "shared_phone_number": None,
        "photo": None,
        "locale_id": 1,
        "locale": "en-US",
        "organization_id": spec.get("organization_id"),
        "role": role,
        "verified": bool(spec.get("verified", True)),
        "external_id": spec.get("external_id"),
        "tags": list(spec.get("tags") or []),
        "alias": spec.get("alias"),
        "active": True,
        "shared": False,
        "shared_agent": False,
        "last_login_at": None,
        "two_factor_auth_enabled": None,
        "signature": spec.get("signature"),
        "details": spec.get("details"),
        "notes": spec.get("notes"),
        "role_type": spec.get("role_type", {"admin": 4, "agent": 0}.get(role)),
        "custom_role_id": spec.get("custom_role_id"),
        "moderator": role != "end-user",
        "ticket_restriction": "requested" if role == "end-user" else None,
        "only_private_comments": False,
        "restricted_agent": role != "admin",
        "suspended": bool(spec.get("suspended", False)),
        "default_group_id": spec.get("default_group_id"),
        "report_csv": False,
        "user_fields": dict.fromkeys(f["key"] for f in account.user_fields.values()),
    }
    row["user_fields"] |= spec.get("user_fields") or {}
    account.users[user_id] = row
    if row["email"]:
        add_identity(account, user_id, "email", row["email"], primary=True, verified=row["verified"])
    account.changed("users", row)
    emit(account, CREATED, row)
    return row


def show(row: Row) -> Row:
    """Return a user as the API shows him."""
    return {k: v for k, v in row.items() if k not in _HIDDEN}


def find(account: Account, user_id: object) -> Row:
    """Return a user who is not destroyed for good."""
    row = account.users.get(number(user_id))
    if row is None or row.get("permanently_deleted"):
        raise not_found()
    return row


def by_email(account: Account, address: object) -> Row | None:
    """Return the living user of an e-mail address, secondary addresses included."""
    wanted = str(address).lower()
    for row in account.tables["identities"].values():
        if row["type"] == "email" and row["value"].lower() == wanted:
            user = account.users.get(row["user_id"])
            if user is not None and user["active"]:
                return user
    return None


def check(account: Account, values: Row, user: Row | None) -> None:
    """Refuse values of a user that Zendesk refuses.

    Args:
        user: whom they are for; None = a new one.
    """
    if (user is None or "name" in values) and not str(values.get("name") or "").strip():
        raise invalid("BlankValue", name="Name: is too short (minimum is 1 characters)")
    if values.get("role", "agent") not in ROLES:
        raise invalid(role=f"Role: {values['role']} is not valid")
    if mail := values.get("email"):
        if not _MAIL.fullmatch(str(mail)):
            raise invalid("InvalidFormat", email=f"Email: {mail} is not properly formatted")
        owner = by_email(account, mail)
        if owner is not None and owner is not user:
            raise invalid("DuplicateValue", email=f"Email: {mail} is already being used by another user")
    if external := values.get("external_id"):
        same = (u for u in account.users.values() if u["external_id"] == external and u["active"])
        if next((u for u in same if u is not user), None):
            raise invalid("DuplicateValue", external_id="External has already been taken")


def may_write(writer: Row, values: Row, user: Row | None) -> None:
    """Refuse a writer: agents write end users and themselves, and give nobody a role."""
    if writer["role"] == "admin":
        return
    if user is not None and user["role"] != "end-user" and user["id"] != writer["id"]:
        raise forbidden()
    if values.get("role", "end-user") != (user or {"role": "end-user"})["role"]:
        raise forbidden()


def write(account: Account, row: Row, values: Row) -> None:
    """Write members of a user; a new e-mail address is a second one, never the first."""
    was_agent = row["role"] != "end-user"
    row.update({k: values[k] for k in _PLAIN if k in values})
    if "role" in values and values["role"] != "agent":
        row["role_type"] = {"admin": 4, "end-user": None}[values["role"]]
    keys = {f["key"] for f in account.user_fields.values()}
    row["user_fields"] |= {k: v for k, v in (values.get("user_fields") or {}).items() if k in keys}
    if (mail := values.get("email")) and by_email(account, mail) is None:
        add_identity(account, row["id"], "email", mail, primary=not row["email"], verified=False)
        row["email"] = row["email"] or mail
    if was_agent and row["role"] == "end-user":
        leave_groups(account, row)
    account.changed("users", row)


def leave_groups(account: Account, row: Row) -> None:
    """Take somebody out of all groups; the working tickets go back to the groups."""
    from tools.zendesk_simulator.resources.memberships import remove

    for membership in [m for m in account.memberships.values() if m["user_id"] == row["id"]]:
        remove(account, membership)
    row["default_group_id"] = None


def requests_open(account: Account, user_id: int) -> int:
    """Return how many tickets that are not closed name somebody as requester."""
    tickets: list[Any] = [account.tickets.get(t) for t in account.by_requester.get(user_id, ())]
    return sum(t is not None and t["status"] in STATUSES and t["status"] != "closed" for t in tickets)
