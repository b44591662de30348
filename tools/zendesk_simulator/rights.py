"""Who may do what: administrators everything, agents what their custom role's configuration says (facts: §5)."""

from __future__ import annotations

from tools.zendesk_simulator.endpoint import Call
from tools.zendesk_simulator.errors import forbidden
from tools.zendesk_simulator.resources.custom_roles import CONFIGURATION
from tools.zendesk_simulator.state import Account, Row

PLAIN_AGENT = {
    "ticket_deletion": True,
    "ticket_merge": True,
    "ticket_redaction": True,
    "ticket_editing": True,
    "view_deleted_tickets": True,
    "view_access": "manage-personal",
    "ticket_access": "all",
}
"""What an agent without a custom role has; everything else he has not."""


def right(account: Account, user: Row, name: str) -> object:
    """Return a right's value for somebody of the staff: true or false, or a level such as `within-groups`."""
    if user["role"] == "admin":
        return {"view_access": "full", "ticket_access": "all"}.get(name, True)
    role = account.custom_roles.get(user["custom_role_id"] or 0)
    if role is None or "configuration" not in role:
        return PLAIN_AGENT.get(name, False)
    return role["configuration"].get(name, CONFIGURATION.get(name, False))


def require(call: Call, name: str) -> Row:
    """Return the caller; refuses those who have not the right.

    Raises:
        Refusal: 401, nobody is signed in; 403, an end user, or an agent without the right.
    """
    user = call.require_agent()
    if not right(call.account, user, name):
        raise forbidden()
    return user


def may_see(account: Account, user: Row, ticket: Row) -> bool:
    """Tell whether the ticket access of somebody reaches a ticket."""
    access = right(account, user, "ticket_access")
    if access == "all" or ticket["assignee_id"] == user["id"]:
        return True
    if access == "assigned-only":
        return False
    if access == "within-organization":
        return bool(ticket["organization_id"] == user["organization_id"])
    groups = account.groups_of(user["id"])
    group = account.groups.get(ticket["group_id"] or 0)
    public = access == "within-groups-and-public-groups" and (group is None or group["is_public"])
    return ticket["group_id"] in groups or public
